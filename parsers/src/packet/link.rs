//! `LinkType` and `MacAddr`: how frames start, and who sent them.

use std::fmt;

/// A link type by its number in <https://www.tcpdump.org/linktypes.html>, as capture files have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, host byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, by the number that some systems write (12 or 14 there).
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, OpenBSD's number.
    pub const RAW_OPENBSD: Self = Self(14);
    /// Raw IP.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback, network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// A 48-bit MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Whether the group bit is set: multicast and broadcast are never a device's own address.
    pub fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Whether it is all zeros.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// Whether it was set by a person or program rather than by a vendor.
    pub fn is_local(self) -> bool {
        let [first, ..] = self.0;
        first & 2 != 0
    }

    /// The address of a text such as `00:80:f4:0a:11:02` or `00-80-F4-0A-11-02`.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
