//! `Interface`: what the kernel says of an interface, read from its files; nothing is changed.

use crate::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use yagura_parsers::packet::link::MacAddr;

/// Where Linux shows its interfaces.
const CLASS: &str = "/sys/class/net";

/// Octets of the longest of the files read here; more are not looked at.
const FILE_OCTETS: usize = 128;

/// Flags of `/sys/class/net/*/flags` (linux/if.h).
mod flag {
    /// Switched on.
    pub(super) const UP: u32 = 0x1;
    /// Answers no ARP.
    pub(super) const NO_ARP: u32 = 0x80;
    /// Takes frames that are for others.
    pub(super) const PROMISCUOUS: u32 = 0x100;
}

/// Whether frames can arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkState {
    /// Switched on, and the link is there (or the driver does not tell, as those of virtual interfaces).
    Up,
    /// Switched on, but nothing at the other end: the cable, or the switch's port.
    NoCarrier,
    /// Switched off by this machine.
    Disabled,
    /// There is no such interface any more.
    Removed,
}

impl LinkState {
    /// What it is, for a sentence that starts with the interface.
    pub fn words(self) -> &'static str {
        match self {
            Self::Up => "is up",
            Self::NoCarrier => "is switched on but has no link: the cable, or the port of the switch",
            Self::Disabled => "is switched off on this machine",
            Self::Removed => "is no longer there",
        }
    }
}

/// An interface as it is configured at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whether frames can arrive.
    pub state: LinkState,
    /// Whether it takes frames that are for others.
    pub promiscuous: bool,
    /// Whether it answers ARP.
    pub arp: bool,
    /// Whether IPv6 is on; `None` where the kernel has no IPv6.
    pub ipv6: Option<bool>,
    /// Octets that a frame carries at most beyond the link header.
    pub mtu: u32,
    /// Its hardware address, where it has one of Ethernet's kind.
    pub address: Option<MacAddr>,
    /// The kind of hardware (linux/if_arp.h): 1 is Ethernet, 772 loopback.
    pub hardware: u16,
    /// The bridge, bond or other interface that it is a part of.
    pub part_of: Option<String>,
}

/// What an interface counted since its driver started, in frames and octets. Exact as far as the driver is; a driver
/// that starts anew starts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames received.
    pub received: u64,
    /// Octets received.
    pub received_octets: u64,
    /// Frames received with a fault, such as a wrong frame check sequence.
    pub received_faulty: u64,
    /// Frames received that nobody wanted, or for which the kernel had no room.
    pub received_dropped: u64,
    /// Frames that the card had no room for: it was not served fast enough.
    pub missed: u64,
    /// Frames lost in the card's queue.
    pub overrun: u64,
    /// Frames sent. More than 0 on a monitored port says that it was not prepared.
    pub sent: u64,
    /// Octets sent.
    pub sent_octets: u64,
}

impl Counters {
    /// Frames that the card or its driver lost.
    pub fn lost_by_card(&self) -> u64 {
        self.missed.saturating_add(self.overrun)
    }
}

/// An interface by its name. It need not stay: what is asked of it can fail at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    name: String,
    directory: PathBuf,
}

impl Interface {
    /// The interface of this name.
    ///
    /// # Errors
    /// [`Error::Name`] where no interface can have the name, [`Error::Missing`] where none has it.
    pub fn named(name: &str) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::Name { name: name.chars().take(64).collect() });
        }
        let directory = Path::new(CLASS).join(name);
        if !directory.exists() {
            let others = Self::list().join(", ");
            return Err(Error::Missing { interface: name.to_owned(), others });
        }
        Ok(Self { name: name.to_owned(), directory })
    }

    /// The names of this machine's interfaces, sorted.
    pub fn list() -> Vec<String> {
        let entries = fs::read_dir(CLASS).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.path().join("flags").exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is configured now.
    ///
    /// # Errors
    /// [`Error::Read`] where it went away.
    pub fn link(&self) -> Result<Link, Error> {
        let watch = self.watch()?;
        let flags = watch.flags().map_err(|error| self.unreadable("flags", &error))?;
        let number = |file: &str| self.text(file).map(|text| text.parse::<u32>().unwrap_or(0));
        let ipv6 = fs::read_to_string(self.ipv6_file()).ok().map(|text| text.trim() == "0");
        let part_of = fs::read_link(self.directory.join("master")).ok();
        Ok(Link {
            state: watch.state(),
            promiscuous: flags & flag::PROMISCUOUS != 0,
            arp: flags & flag::NO_ARP == 0,
            ipv6,
            mtu: number("mtu")?,
            address: MacAddr::from_text(&self.text("address")?).filter(|address| !address.is_zero()),
            hardware: u16::try_from(number("type")?).unwrap_or(0),
            part_of: part_of.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        })
    }

    /// What it counted until now.
    ///
    /// # Errors
    /// [`Error::Read`] where it went away.
    pub fn counters(&self) -> Result<Counters, Error> {
        self.watch()?.counters().map_err(|error| self.unreadable("statistics", &error))
    }

    /// Its files, opened to be read over and over: a process that may open nothing any more can still ask.
    ///
    /// # Errors
    /// [`Error::Read`] where it went away.
    pub fn watch(&self) -> Result<Watch, Error> {
        let open = |file: &str| File::open(self.directory.join(file)).map_err(|error| self.unreadable(file, &error));
        let mut statistics = Vec::new();
        for file in STATISTICS {
            statistics.push(open(&format!("statistics/{file}"))?);
        }
        Ok(Watch { flags: open("flags")?, operational: open("operstate")?, statistics })
    }

    /// The kernel's switch for IPv6 on it: "1" is off.
    pub(crate) fn ipv6_file(&self) -> PathBuf {
        Path::new("/proc/sys/net/ipv6/conf").join(&self.name).join("disable_ipv6")
    }

    fn text(&self, file: &str) -> Result<String, Error> {
        let text = fs::read_to_string(self.directory.join(file)).map_err(|error| self.unreadable(file, &error))?;
        Ok(text.trim().to_owned())
    }

    fn unreadable(&self, file: &str, error: &io::Error) -> Error {
        Error::Read { path: self.directory.join(file).display().to_string(), reason: error.to_string() }
    }
}

/// Whether an interface can have the name.
fn is_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.starts_with('-')
        && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':')
}

/// The files of `statistics`, in the order of [`Counters`].
const STATISTICS: [&str; 8] = [
    "rx_packets",
    "rx_bytes",
    "rx_errors",
    "rx_dropped",
    "rx_missed_errors",
    "rx_fifo_errors",
    "tx_packets",
    "tx_bytes",
];

/// The open files of an interface.
#[derive(Debug)]
pub struct Watch {
    flags: File,
    operational: File,
    /// As [`STATISTICS`].
    statistics: Vec<File>,
}

impl Watch {
    /// Whether frames can arrive now.
    pub fn state(&self) -> LinkState {
        let Ok(flags) = self.flags() else { return LinkState::Removed };
        if flags & flag::UP == 0 {
            return LinkState::Disabled;
        }
        match read(&self.operational).as_deref() {
            // As in RFC 2863 `ifOperStatus`.
            Ok("down" | "lowerlayerdown" | "notpresent" | "dormant") => LinkState::NoCarrier,
            Ok(_) => LinkState::Up,
            Err(_) => LinkState::Removed,
        }
    }

    /// What it counted until now.
    ///
    /// # Errors
    /// Where the interface went away.
    pub fn counters(&self) -> io::Result<Counters> {
        let mut values = [0_u64; STATISTICS.len()];
        for (value, file) in values.iter_mut().zip(&self.statistics) {
            *value = read(file)?.parse().map_err(io::Error::other)?;
        }
        let [received, received_octets, received_faulty, received_dropped, missed, overrun, sent, sent_octets] = values;
        Ok(Counters {
            received,
            received_octets,
            received_faulty,
            received_dropped,
            missed,
            overrun,
            sent,
            sent_octets,
        })
    }

    fn flags(&self) -> io::Result<u32> {
        let text = read(&self.flags)?;
        u32::from_str_radix(text.trim_start_matches("0x"), 16).map_err(io::Error::other)
    }
}

/// What a file of the kernel says now: such a file is made anew when it is read from its start.
fn read(file: &File) -> io::Result<String> {
    let mut octets = [0_u8; FILE_OCTETS];
    let count = file.read_at(&mut octets, 0)?;
    let text = octets.get(..count).and_then(|octets| std::str::from_utf8(octets).ok());
    text.map(|text| text.trim().to_owned()).ok_or_else(|| io::Error::other("is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_kernel_would_refuse_are_refused() {
        for name in ["eth0", "enp3s0f1np1", "veth-a.100", "0"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "a:1", "sixteen-octets-x", "-j", "a\n"] {
            assert!(!is_name(name), "{name:?}");
            assert!(matches!(Interface::named(name), Err(Error::Name { .. })), "{name:?}");
        }
        let missing = Interface::named("no-such-port").unwrap_err();
        assert!(missing.to_string().contains("lo"), "{missing}");
    }

    #[test]
    fn the_loopback_is_there_and_counts() {
        let interface = Interface::named("lo").unwrap();
        let link = interface.link().unwrap();
        assert_eq!((link.hardware, link.address), (772, None));
        let watch = interface.watch().unwrap();
        let before = watch.counters().unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        let after = watch.counters().unwrap();
        assert!(after.received > before.received && after.sent_octets > before.sent_octets, "{before:?} {after:?}");
    }
}
