//! `LiveCapture`: frames from an interface, through libpcap, for ever and without ever waiting for one.
//!
//! libpcap keeps a ring that the kernel fills (TPACKET_V3). A read that waits would not return on an idle link, so the
//! handle never waits: what is there is taken, and where nothing is there its descriptor is polled.

use crate::error::Error;
use crate::interface::{Interface, LinkState, Watch};
use pcap::{Active, Capture, Linktype, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_error;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;

/// The longest wait for a frame.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// The kernel hands a block of frames over when it is full, or this much after its first frame, in milliseconds.
const BLOCK_MS: i32 = 50;

/// Between two looks at the state of the link, or two attempts to open an interface again.
const LOOK: Duration = Duration::from_secs(1);

/// Octets of a block of libpcap's ring: as many as its longest frame has.
const BLOCK_OCTETS: u32 = SNAP_LENGTH_MAX;

/// Octets that the ring keeps with a frame: its header, the address of the link, and what aligns them.
const BESIDE_FRAME: u64 = 112;

/// Reads that fail in a row, [`PATIENCE`] apart, on a link that is up, before the capture is given up.
const FAILURES_MAX: u32 = 50;

/// Octets of a frame kept at most, by libpcap itself.
const SNAP_LENGTH_MAX: u32 = 262_144;

/// Octets of the ring: the least that holds some blocks, and the most that is asked of the kernel.
const RING_OCTETS: std::ops::RangeInclusive<u32> = (4 << 20)..=(1 << 30);

/// What is captured, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The interface.
    pub interface: String,
    /// Its index among the captures: [`FrameRef::capture`] of its frames.
    pub capture: u16,
    /// Which frames are wanted, in the language of pcap-filter(7); all where it is `None`. A filter for ports passes no
    /// tagged frame unless it says so: `port 502 or (vlan and port 502)`.
    pub filter: Option<String>,
    /// Octets of a frame that are kept; at most 262,144.
    pub snap_length: u32,
    /// Octets of the kernel's ring; 4 MiB to 1 GiB, the nearest of which is taken.
    pub ring_octets: u32,
    /// Whether frames for others are wanted: always, of a mirror.
    pub promiscuous: bool,
    /// Whether times are asked for in nanoseconds rather than microseconds.
    pub nanoseconds: bool,
    /// Whether an interface that went away is opened again when it is back. That takes a socket and the right to have
    /// one (CAP_NET_RAW): not of a process that gave it up.
    pub reopen: bool,
}

impl Settings {
    /// The usual settings for an interface: all frames, whole, 64 MiB, nanoseconds; not opened again.
    pub fn of(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            capture: 0,
            filter: None,
            snap_length: SNAP_LENGTH_MAX,
            ring_octets: 64 << 20,
            promiscuous: true,
            nanoseconds: true,
            reopen: false,
        }
    }
}

/// What became of frames before they could be read. None of them ever goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Frames that passed the filter, those that were dropped for want of room included. Some may still be in the ring.
    pub received: u64,
    /// Of these, frames for which there was no room in the ring.
    pub dropped_by_kernel: u64,
    /// Frames that the card or its driver lost, by its own count: whether they would have passed the filter is unknown.
    pub dropped_by_interface: u64,
    /// Frames that were read.
    pub read: u64,
}

/// What [`LiveCapture::fill`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The batch holds at least one frame.
    Frames,
    /// None came within [`PATIENCE`].
    Nothing,
    /// None came, and the link has another state than before.
    State(LinkState),
}

/// An interface that is being captured from.
pub struct LiveCapture {
    settings: Settings,
    handle: Option<Handle>,
    state: LinkState,
    /// The frame read last.
    last: FrameRef,
    stats: Stats,
    /// Octets of the frames that were read, for their mean.
    octets: u64,
    failures: u32,
    looked: Instant,
}

/// An open interface.
struct Handle {
    pcap: Capture<Active>,
    watch: Watch,
    link: LinkType,
    nanoseconds: bool,
    /// What libpcap counted when it was asked last: 32 bits, which go round.
    received: u32,
    dropped: u32,
    /// What the card had lost when it was asked last.
    lost_by_card: u64,
}

/// Whether a filter is one, for Ethernet.
///
/// # Errors
/// [`Error::Filter`] with what libpcap says of it.
pub fn check_filter(filter: &str) -> Result<(), Error> {
    let compiled = Capture::dead(Linktype::ETHERNET).and_then(|dead| dead.compile(filter, true).map(drop));
    compiled.map_err(|error| not_a_filter(filter, &error))
}

impl LiveCapture {
    /// Opens an interface; from now on the kernel keeps its frames.
    ///
    /// # Errors
    /// Where there is no such interface, it is switched off, this user may not capture ([`Error::Privilege`]), or the
    /// filter is none.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let handle = Handle::open(&settings)?;
        let state = handle.watch.state();
        let last = FrameRef { capture: settings.capture, frame: 0 };
        Ok(Self {
            settings,
            handle: Some(handle),
            state,
            last,
            stats: Stats::default(),
            octets: 0,
            failures: 0,
            looked: Instant::now(),
        })
    }

    /// Whether frames can arrive, as it was last told.
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// How the frames start; `None` while the interface is not there.
    pub fn link(&self) -> Option<LinkType> {
        self.handle.as_ref().map(|handle| handle.link)
    }

    /// Takes frames that are there, at most `frames_max`, without waiting; tells how many.
    pub fn read(&mut self, frames_max: usize, mut take: impl FnMut(FrameHead, &[u8])) -> usize {
        let Some(handle) = &mut self.handle else { return 0 };
        let (link, nanoseconds) = (handle.link, handle.nanoseconds);
        let (last, octets) = (&mut self.last, &mut self.octets);
        let read = handle.pcap.dispatch(Some(frames_max.clamp(1, 1 << 16)), |packet| {
            last.frame = last.frame.saturating_add(1);
            let captured_octets = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
            *octets = octets.saturating_add(u64::from(captured_octets));
            let head = FrameHead {
                origin: *last,
                time: time(packet.header.ts.tv_sec, packet.header.ts.tv_usec, nanoseconds),
                link,
                wire_octets: packet.header.len.max(captured_octets),
                start: 0,
                captured_octets,
            };
            take(head, packet.data);
        });
        // An error is the link's: `wait` looks at it.
        self.failures = if read.is_ok() { 0 } else { self.failures.saturating_add(1) };
        let read = read.unwrap_or(0);
        self.stats.read = self.stats.read.saturating_add(u64::try_from(read).unwrap_or(0));
        read
    }

    /// The socket that frames come from, as long as the interface is open: what no other thread is to write to.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.handle.as_ref().map(|handle| handle.pcap.as_fd())
    }

    /// Waits until there may be frames, at most `patience`; tells the state of the link where it is another than
    /// before.
    ///
    /// # Errors
    /// Where libpcap fails for seconds on a link that is up; the capture is of no more use then.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<LinkState>, Error> {
        let Some(handle) = &self.handle else {
            std::thread::sleep(patience);
            return Ok(self.look_for_it());
        };
        let mut suspect = self.failures > 0;
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        let mut descriptors = [PollFd::new(&handle.pcap, PollFlags::IN)];
        // An interrupted wait is a short one.
        let polled = poll(&mut descriptors, Some(&timeout));
        let [descriptor] = descriptors;
        if polled.is_ok_and(|ready| ready > 0)
            && descriptor.revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
        {
            suspect = true;
            // To ask for the error takes it away, so that the next wait is one.
            let _ = socket_error(&handle.pcap);
        }
        if !suspect && self.looked.elapsed() < LOOK {
            return Ok(None);
        }
        self.looked = Instant::now();
        let state = handle.watch.state();
        if suspect {
            if state == LinkState::Up && self.failures > FAILURES_MAX {
                let reason = "libpcap fails again and again on a link that is up".to_owned();
                return Err(Error::Capture { interface: self.settings.interface.clone(), reason });
            }
            if state != LinkState::Up || self.failures > 0 {
                std::thread::sleep(patience);
            }
        }
        if state == LinkState::Removed {
            self.stats();
            self.handle = None;
        }
        Ok(self.is_now(state))
    }

    /// Replaces what `batch` holds by the next frames, at most `frames_max`; waits at most [`PATIENCE`] for the first.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Filled, Error> {
        batch.clear();
        if self.read(frames_max, |head, octets| batch.push(head, octets)) > 0 {
            return Ok(Filled::Frames);
        }
        if let Some(state) = self.wait(PATIENCE)? {
            return Ok(Filled::State(state));
        }
        let read = self.read(frames_max, |head, octets| batch.push(head, octets));
        Ok(if read > 0 { Filled::Frames } else { Filled::Nothing })
    }

    /// What became of frames until now, over all times that the interface was opened. To be asked at least once in some
    /// minutes: libpcap counts in 32 bits.
    pub fn stats(&mut self) -> Stats {
        let Some(handle) = &mut self.handle else { return self.stats };
        if let Ok(now) = handle.pcap.stats() {
            let received = now.received.wrapping_sub(handle.received);
            let dropped = now.dropped.wrapping_sub(handle.dropped);
            (handle.received, handle.dropped) = (now.received, now.dropped);
            self.stats.received = self.stats.received.saturating_add(u64::from(received));
            self.stats.dropped_by_kernel = self.stats.dropped_by_kernel.saturating_add(u64::from(dropped));
        }
        // libpcap's own count of these opens a file at every call, and goes back where it may not.
        if let Ok(counters) = handle.watch.counters() {
            let lost = counters.lost_by_card();
            // A driver that began again counts from 0.
            let more = lost.checked_sub(handle.lost_by_card).unwrap_or(lost);
            handle.lost_by_card = lost;
            self.stats.dropped_by_interface = self.stats.dropped_by_interface.saturating_add(more);
        }
        self.stats
    }

    /// Whether frames may stay in the ring for a while, so that they need not be lost for want of another place: it is
    /// at most half full, as far as can be told from the number of frames in it and the usual length of frames.
    pub fn ring_has_room(&mut self) -> bool {
        let Stats { received, dropped_by_kernel, read, .. } = self.stats();
        let waiting = received.saturating_sub(dropped_by_kernel).saturating_sub(read);
        let mean = self.octets.checked_div(read).unwrap_or(0).saturating_add(BESIDE_FRAME);
        waiting.saturating_mul(mean) <= u64::from(self.ring_octets() / 2)
    }

    /// How long frames may stay in the ring however few they are: a block is handed over after a time, full or not, and
    /// a quarter of them in this one.
    pub fn ring_patience(&self) -> Duration {
        let blocks = self.ring_octets().div_ceil(BLOCK_OCTETS);
        Duration::from_millis(u64::from(blocks / 4).saturating_mul(u64::from(BLOCK_MS.unsigned_abs())))
    }

    fn ring_octets(&self) -> u32 {
        self.settings.ring_octets.clamp(*RING_OCTETS.start(), *RING_OCTETS.end())
    }

    /// Opens an interface again that went away, if it is back and that is wanted.
    fn look_for_it(&mut self) -> Option<LinkState> {
        if !self.settings.reopen || self.looked.elapsed() < LOOK {
            return None;
        }
        self.looked = Instant::now();
        match Handle::open(&self.settings) {
            Ok(handle) => {
                let state = handle.watch.state();
                self.handle = Some(handle);
                self.failures = 0;
                self.is_now(state)
            }
            Err(Error::Down { .. }) => self.is_now(LinkState::Disabled),
            Err(_) => self.is_now(LinkState::Removed),
        }
    }

    fn is_now(&mut self, state: LinkState) -> Option<LinkState> {
        let changed = self.state != state;
        self.state = state;
        changed.then_some(state)
    }
}

impl Handle {
    fn open(settings: &Settings) -> Result<Self, Error> {
        let interface = Interface::named(&settings.interface)?;
        let watch = interface.watch()?;
        if watch.state() == LinkState::Disabled {
            return Err(Error::Down { interface: settings.interface.clone() });
        }
        let refused = |error: pcap::Error| refused(&settings.interface, &error);
        let ring_octets = settings.ring_octets.clamp(*RING_OCTETS.start(), *RING_OCTETS.end());
        let precision = if settings.nanoseconds { Precision::Nano } else { Precision::Micro };
        let mut pcap = Capture::from_device(settings.interface.as_str())
            .map_err(refused)?
            .promisc(settings.promiscuous)
            .snaplen(i32::try_from(settings.snap_length.clamp(64, SNAP_LENGTH_MAX)).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(ring_octets).unwrap_or(i32::MAX))
            .precision(precision)
            // Not the immediate mode: it falls back to the older ring, and a system call a frame.
            .timeout(BLOCK_MS)
            .open()
            .map_err(refused)?
            .setnonblock()
            .map_err(refused)?;
        if let Some(filter) = &settings.filter {
            pcap.filter(filter, true).map_err(|error| not_a_filter(filter, &error))?;
        }
        let link = link_type(pcap.get_datalink());
        let lost_by_card = watch.counters().map(|counters| counters.lost_by_card()).unwrap_or(0);
        Ok(Self { pcap, watch, link, nanoseconds: settings.nanoseconds, received: 0, dropped: 0, lost_by_card })
    }
}

/// The link type as capture files have it: of those that libpcap gives on Linux, one number differs in memory.
fn link_type(link: Linktype) -> LinkType {
    match LinkType(u16::try_from(link.0).unwrap_or(u16::MAX)) {
        LinkType::RAW_BSD => LinkType::RAW,
        link => link,
    }
}

/// The time of a frame: seconds since 1970, and their fraction. A time before 1970 is 0.
fn time<Seconds, Fraction>(seconds: Seconds, fraction: Fraction, nanoseconds: bool) -> Timestamp
where
    u64: TryFrom<Seconds> + TryFrom<Fraction>,
{
    let Ok(seconds) = <u64 as TryFrom<Seconds>>::try_from(seconds) else { return Timestamp(0) };
    let fraction = <u64 as TryFrom<Fraction>>::try_from(fraction).unwrap_or(0);
    let fraction = fraction.saturating_mul(if nanoseconds { 1 } else { 1_000 });
    Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(fraction))
}

fn not_a_filter(filter: &str, error: &pcap::Error) -> Error {
    Error::Filter { filter: filter.chars().take(200).collect(), reason: reason(error) }
}

fn refused(interface: &str, error: &pcap::Error) -> Error {
    let interface = interface.to_owned();
    let reason = reason(error);
    if ["CAP_NET_RAW", "ermission", "not permitted"].iter().any(|word| reason.contains(word)) {
        return Error::Privilege { interface, what: "capturing", right: "CAP_NET_RAW" };
    }
    if reason.contains("not up") || reason.contains("went down") {
        return Error::Down { interface };
    }
    Error::Capture { interface, reason }
}

/// What libpcap says, in one line.
fn reason(error: &pcap::Error) -> String {
    let text = match error {
        pcap::Error::PcapError(text) if text.is_empty() => "libpcap gives no reason".to_owned(),
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_without_an_interface() {
        assert_eq!(check_filter("port 502 or (vlan and port 502)"), Ok(()));
        let error = check_filter("prot 502").unwrap_err();
        assert!(matches!(&error, Error::Filter { filter, .. } if filter == "prot 502"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn times_are_nanoseconds_whatever_was_asked_for() {
        assert_eq!(time(1_i64, 999_999_999_i64, true), Timestamp(1_999_999_999));
        assert_eq!(time(1_i64, 999_999_i64, false), Timestamp(1_999_999_000));
        assert_eq!(time(-1_i64, 0_i64, true), Timestamp(0));
        assert_eq!(time(i64::MAX, 0_i64, true), Timestamp(u64::MAX), "bounded");
    }

    #[test]
    fn link_types_are_those_of_files() {
        assert_eq!(link_type(Linktype(1)), LinkType::ETHERNET);
        assert_eq!(link_type(Linktype(12)), LinkType::RAW);
        assert_eq!(link_type(Linktype(113)), LinkType::LINUX_SLL);
        assert_eq!(link_type(Linktype(-1)), LinkType(u16::MAX));
    }

    #[test]
    fn an_interface_that_is_not_there_is_told() {
        let opened = LiveCapture::open(Settings::of("no-such-port")).err();
        assert!(matches!(opened, Some(Error::Missing { .. })), "{opened:?}");
    }

    #[test]
    fn refusals_are_told_apart() {
        let said = |text: &str| refused("p1", &pcap::Error::PcapError(text.to_owned()));
        assert!(matches!(
            said("p1: You don't have permission to capture on that device"),
            Error::Privilege { right: "CAP_NET_RAW", .. }
        ));
        assert!(matches!(said("p1: That device is not up"), Error::Down { .. }));
        assert!(matches!(said("something\nelse"), Error::Capture { reason, .. } if reason == "something else"));
    }
}
