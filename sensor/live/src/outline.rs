//! `Outline`: where the network header of a frame starts, by its first octets alone.

use yagura_parsers::packet::link::LinkType;

/// Tags passed before a frame is left alone.
const TAGS_MAX: usize = 8;

/// EtherTypes (IEEE 802 numbers) that are looked for.
pub(crate) mod ether_type {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const IPV6: u16 = 0x86DD;
    /// 802.1Q, 802.1ad, and a service tag from before it.
    pub(crate) const TAGS: [u16; 3] = [0x8100, 0x88A8, 0x9100];
    /// HSR tag (IEC 62439-3).
    pub(crate) const HSR: u16 = 0x892F;
}

/// Where the network header of a frame starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    /// What the network header is.
    pub(crate) ether_type: u16,
    /// Where it starts.
    pub(crate) offset: usize,
}

impl Outline {
    /// The outline of a frame; `None` where it is too short, or starts in a way that is not looked at here.
    #[inline]
    pub(crate) fn of(link: LinkType, octets: &[u8]) -> Option<Self> {
        let (mut ether_type, mut offset) = match link {
            LinkType::ETHERNET => (u16_at(octets, 12)?, 14),
            LinkType::LINUX_SLL => (u16_at(octets, 14)?, 16),
            LinkType::LINUX_SLL2 => (u16_at(octets, 0)?, 20),
            LinkType::RAW | LinkType::RAW_BSD | LinkType::IPV4 | LinkType::IPV6 => match octets.first()? >> 4 {
                4 => (ether_type::IPV4, 0),
                6 => (ether_type::IPV6, 0),
                _ => return None,
            },
            _ => return None,
        };
        for _ in 0..TAGS_MAX {
            let tag_octets: usize = match ether_type {
                tag if ether_type::TAGS.contains(&tag) => 4,
                ether_type::HSR => 6,
                _ => break,
            };
            offset = tag_octets.saturating_add(offset);
            ether_type = u16_at(octets, offset.saturating_sub(2))?;
        }
        Some(Self { ether_type, offset })
    }
}

/// A number of two octets, most significant first.
#[inline]
pub(crate) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    let two = octets.get(at..at.saturating_add(2))?;
    Some(u16::from_be_bytes(two.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(link: LinkType, octets: &[u8]) -> Option<(u16, usize)> {
        Outline::of(link, octets).map(|outline| (outline.ether_type, outline.offset))
    }

    #[test]
    fn tags_are_passed_and_short_frames_refused() {
        let mut frame = vec![0; 12];
        frame.extend([0x88, 0xA8, 0, 5, 0x81, 0x00, 0, 6, 0x89, 0x2F, 0, 0, 0, 0, 0x08, 0x00, 0x45]);
        assert_eq!(outline(LinkType::ETHERNET, &frame), Some((0x0800, 28)));
        assert_eq!(outline(LinkType::ETHERNET, &frame[..27]), None);
        assert_eq!(outline(LinkType::ETHERNET, &[0; 13]), None);
    }

    #[test]
    fn other_links_start_otherwise() {
        assert_eq!(outline(LinkType::RAW, &[0x45]), Some((0x0800, 0)));
        assert_eq!(outline(LinkType::RAW, &[0x60]), Some((0x86DD, 0)));
        assert_eq!(outline(LinkType::RAW, &[0x10]), None);
        let mut cooked = [0; 16];
        cooked[14] = 8;
        assert_eq!(outline(LinkType::LINUX_SLL, &cooked), Some((0x0800, 16)));
        assert_eq!(outline(LinkType(147), &cooked), None);
    }
}
