//! What two stations owe each other on one connection: sequence numbers, windows, time-outs, start and stop.
//!
//! A sensor may have met the connection on its way, may hear one direction only, and may lose octets. So nothing is
//! expected of a direction before it has shown where it stands, acknowledgements are asked for only where both
//! directions are heard, and after a loss all of that starts anew. What is told is what no right pair of stations does:
//!
//! - Times are told at twice the standard's default, since stations may be set otherwise: t1 (15 s, give up what was
//!   not answered) where something still waits after 30 s, t3 (20 s, test an idle connection) where the connection was
//!   idle for 40 s and goes on without a test. t2 (10 s, the latest acknowledgement) is not watched by itself: a
//!   station that misses it by so much that it matters lets the other's t1 run out.
//! - Of the windows, k (12, the most without acknowledgement) is told as it stands, w (8, acknowledge at the latest
//!   after so many) once 16 wait: APDUs on their way are no fault of the receiver's.
//! - An acknowledgement of what was not sent is told once the sender has gone on without it for a second: before that,
//!   the sensor may have missed what was sent, or have got the directions out of order.

use crate::dissect::Direction;
use crate::error::Clause;
use crate::message::{Notice, NoticeKind};

use super::apci::{Format, MODULUS, UFunction};

/// Most I format APDUs that a station sends without acknowledgement, by default (IEC 60870-5-104 5.5, 9.6).
pub const K: u16 = 12;
/// I format APDUs after which a station acknowledges at the latest, by default (IEC 60870-5-104 5.5, 9.6).
pub const W: u16 = 8;
/// Time-out of what was sent and wants an answer, by default: 15 s in ns (IEC 60870-5-104 5.2, 9.6).
pub const T1_NS: u64 = 15_000_000_000;
/// Time after which an idle connection is tested, by default: 20 s in ns (IEC 60870-5-104 5.2, 9.6).
pub const T3_NS: u64 = 20_000_000_000;

/// Defaults are stretched by this before a time-out is told.
const PATIENCE: u64 = 2;
/// How long after an acknowledgement of what was not sent the sender goes on without it, in ns.
const AHEAD_NS: u64 = 1_000_000_000;
/// A notice of one name is told once in so many ns, a minute, and flow.
const QUIET_NS: u64 = 60_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
/// Half of the numbers: what is farther ahead lies behind.
const HALF: u16 = MODULUS / 2;

/// What a session shows that it should not. Times are told in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Irregularity {
    /// N(S) is not the next.
    SendSequence,
    /// N(R) acknowledges what was never sent, or goes back.
    ReceiveSequence,
    /// More than k APDUs wait for their acknowledgement.
    WindowK,
    /// The receiver lets more APDUs wait than w explains.
    WindowW,
    /// What was sent was not answered within t1.
    T1,
    /// The connection was idle for more than t3, and was not tested.
    T3,
    /// I format APDUs while data transfer is stopped.
    DataBeforeStart,
    /// A confirmation of what was not asked for.
    UnexpectedConfirmation,
    /// A type identification of IEC 60870-5-101 that IEC 60870-5-104 leaves out.
    NotIn104,
    /// The station says that it has restarted (M_EI_NA_1).
    Restart,
    /// The ASDU is a test, and not for the process (IEC 60870-5-101 7.2.3).
    Test,
}

/// How many irregularities there are.
const IRREGULARITIES: usize = 11;

impl Irregularity {
    /// Its place in the memory of what was told, its name and its clause.
    fn row(self) -> (usize, &'static str, &'static str) {
        match self {
            Self::SendSequence => (0, "send_sequence", "IEC 60870-5-104 5.1"),
            Self::ReceiveSequence => (1, "receive_sequence", "IEC 60870-5-104 5.1"),
            Self::WindowK => (2, "window_k_exceeded", "IEC 60870-5-104 5.5"),
            Self::WindowW => (3, "window_w_exceeded", "IEC 60870-5-104 5.5"),
            Self::T1 => (4, "t1_exceeded", "IEC 60870-5-104 5.2"),
            Self::T3 => (5, "t3_exceeded", "IEC 60870-5-104 5.2"),
            Self::DataBeforeStart => (6, "data_before_startdt", "IEC 60870-5-104 5.3"),
            Self::UnexpectedConfirmation => (7, "unexpected_confirmation", "IEC 60870-5-104 5.3"),
            Self::NotIn104 => (8, "not_in_104", "IEC 60870-5-104 6"),
            Self::Restart => (10, "device_restart", "IEC 60870-5-101 7.3.3.1"),
            Self::Test => (9, "test", "IEC 60870-5-101 7.2.3"),
        }
    }
}

/// A U format request of one direction, and whether it waits for its confirmation.
#[derive(Debug, Clone, Copy, Default)]
enum Pending {
    /// Nobody knows: one may have been sent before.
    #[default]
    Unknown,
    /// None waits.
    Nothing,
    /// One waits since this time.
    Since(u64),
}

/// What is known of one direction.
#[derive(Debug, Default)]
struct Way {
    /// Something was heard in it.
    is_heard: bool,
    /// N(S) of its next I format APDU.
    next: Option<u16>,
    /// The other station's last N(R): all before it are acknowledged.
    acknowledged: Option<u16>,
    /// Not later than this the oldest APDU that waits for its acknowledgement was sent, or the last one acknowledged.
    waits_since: Option<u64>,
    /// The other station's N(R) that acknowledges what was not sent yet, and when it came.
    ahead: Option<(u16, u64)>,
    /// STARTDT, STOPDT and TESTFR.
    pending: [Pending; 3],
}

impl Way {
    /// I format APDUs that wait for their acknowledgement.
    #[inline]
    fn unacknowledged(&self) -> Option<u16> {
        Some(distance(self.acknowledged?, self.next?)).filter(|count| *count < HALF)
    }

    /// Octets were lost, or acknowledgements and confirmations of what it sends.
    fn forget_answers(&mut self) {
        self.acknowledged = None;
        self.waits_since = None;
        self.ahead = None;
        self.pending = [Pending::Unknown; 3];
    }
}

/// How far it is from one number on to another.
fn distance(from: u16, to: u16) -> u16 {
    to.wrapping_sub(from) % MODULUS
}

fn after(number: u16) -> u16 {
    number.wrapping_add(1) % MODULUS
}

/// Whether data may be transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Transfer {
    /// Nobody knows.
    #[default]
    Unknown,
    /// Not: before STARTDT con, and after STOPDT con.
    Stopped,
    /// Yes.
    Started,
}

/// Both directions of one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    to_server: Way,
    to_client: Way,
    transfer: Transfer,
    /// I format APDUs were heard, or may have been lost.
    has_data: bool,
    /// When something was heard last, in ns.
    last: Option<u64>,
    /// When each irregularity was told last, in ns.
    told: [Option<u64>; IRREGULARITIES],
    /// Those of the APDU that was heard last.
    notices: Vec<Notice>,
    /// Until then nothing that waits for an answer can have waited too long, in ns.
    patient_until: u64,
    now: u64,
}

impl Session {
    /// The way of a direction, then the other.
    #[inline]
    fn ways(&mut self, direction: Direction) -> (&mut Way, &mut Way) {
        match direction {
            Direction::ToServer => (&mut self.to_server, &mut self.to_client),
            Direction::ToClient => (&mut self.to_client, &mut self.to_server),
        }
    }

    /// What the APDU that was heard last shows.
    pub(super) fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Client and server were taken for each other.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.to_server, &mut self.to_client);
    }

    /// Octets of a direction were lost: what it has sent, acknowledged and confirmed is unknown.
    pub(super) fn gap(&mut self, direction: Direction) {
        let (way, other) = self.ways(direction);
        way.next = None;
        way.forget_answers();
        other.forget_answers();
        self.transfer = Transfer::Unknown;
        self.has_data = true;
    }

    /// Keeps a notice, unless one of its name was told within the minute.
    pub(super) fn tell(&mut self, irregularity: Irregularity, unit: u16, got: u64, expected: u64) {
        let (place, name, clause) = irregularity.row();
        let Some(told) = self.told.get_mut(place) else { return };
        if told.is_some_and(|before| self.now.saturating_sub(before) < QUIET_NS) {
            return;
        }
        *told = Some(self.now);
        let kind = match irregularity {
            Irregularity::Test => NoticeKind::Ignored,
            Irregularity::Restart => NoticeKind::Trouble,
            _ => NoticeKind::Session,
        };
        self.notices.push(Notice { kind, name, unit, got, expected, clause: Clause(clause) });
    }

    /// Takes in an APDU of a time in ns.
    #[inline]
    pub(super) fn hear(&mut self, direction: Direction, time_ns: u64, format: Format) {
        self.notices.clear();
        // An older frame moves no timer.
        self.now = self.now.max(time_ns);
        self.time_outs(format);
        let (way, other) = self.ways(direction);
        way.is_heard = true;
        let are_both_heard = other.is_heard;
        match format {
            Format::Information { send_sequence_number, receive_sequence_number } => {
                self.acknowledge(direction, receive_sequence_number);
                self.number(direction, send_sequence_number);
                if self.transfer == Transfer::Stopped && are_both_heard {
                    self.tell(Irregularity::DataBeforeStart, 0, send_sequence_number.into(), 0);
                }
                self.has_data = true;
            }
            Format::Supervisory { receive_sequence_number } => self.acknowledge(direction, receive_sequence_number),
            Format::Unnumbered(function) => self.control(direction, function, are_both_heard),
        }
        self.last = Some(self.now);
    }

    /// What should have been heard before now. Only where both directions are heard.
    #[inline]
    fn time_outs(&mut self, format: Format) {
        if !self.to_server.is_heard || !self.to_client.is_heard {
            return;
        }
        if self.now > self.patient_until {
            self.answer_time_outs();
        }
        let idle = self.last.map_or(0, |last| self.now.saturating_sub(last));
        let is_test = format == Format::Unnumbered(UFunction::TESTFR_ACT);
        if idle > T3_NS.saturating_mul(PATIENCE) && !is_test {
            self.tell(Irregularity::T3, 0, idle / NS_PER_MS, T3_NS / NS_PER_MS);
        }
    }

    /// Tells what was not answered in time, and finds out until when nothing more can be overdue: what begins to wait
    /// from now on is younger than all that waits.
    fn answer_time_outs(&mut self) {
        const LONGEST: u64 = T1_NS.saturating_mul(PATIENCE);
        let now = self.now;
        let mut overdue = 0;
        let mut oldest = now;
        for way in [&mut self.to_server, &mut self.to_client] {
            if let Some(since) = &mut way.waits_since {
                let waited = now.saturating_sub(*since);
                if waited > LONGEST {
                    overdue = overdue.max(waited);
                    *since = now;
                }
                oldest = oldest.min(*since);
            }
            for pending in &mut way.pending {
                if let Pending::Since(since) = *pending {
                    let waited = now.saturating_sub(since);
                    if waited > LONGEST {
                        overdue = overdue.max(waited);
                        *pending = Pending::Unknown;
                    } else {
                        oldest = oldest.min(since);
                    }
                }
            }
        }
        self.patient_until = oldest.saturating_add(LONGEST);
        if overdue > 0 {
            self.tell(Irregularity::T1, 0, overdue / NS_PER_MS, T1_NS / NS_PER_MS);
        }
    }

    /// Follows N(S) of a direction, and its window.
    #[inline]
    fn number(&mut self, direction: Direction, send: u16) {
        let now = self.now;
        let (way, _) = self.ways(direction);
        let expected = way.next.replace(after(send)).filter(|expected| *expected != send);
        if expected.is_some() {
            way.acknowledged = None;
            way.waits_since = None;
            way.ahead = None;
        }
        let ahead = way.ahead.filter(|(receive, _)| (1..HALF).contains(&distance(send, *receive)));
        let overtaken = ahead.filter(|(_, since)| now.saturating_sub(*since) > AHEAD_NS);
        way.ahead = if overtaken.is_some() { None } else { ahead };
        // An acknowledgement from before, of numbers that are not those that are sent.
        if way.unacknowledged().is_none() {
            way.acknowledged = None;
        }
        way.waits_since.get_or_insert(now);
        let waiting = way.unacknowledged().unwrap_or(0);
        if let Some(expected) = expected {
            self.tell(Irregularity::SendSequence, 0, send.into(), expected.into());
        }
        if let Some((receive, _)) = overtaken {
            self.tell(Irregularity::ReceiveSequence, 0, receive.into(), send.into());
        }
        if waiting > K {
            self.tell(Irregularity::WindowK, 0, waiting.into(), K.into());
        }
        if waiting >= W.saturating_mul(2) {
            self.tell(Irregularity::WindowW, 0, waiting.into(), W.into());
        }
    }

    /// Takes in N(R) of a direction: it is about what the other sends.
    #[inline]
    fn acknowledge(&mut self, direction: Direction, receive: u16) {
        let now = self.now;
        let (_, sent) = self.ways(direction);
        let Some(next) = sent.next else {
            sent.acknowledged = Some(receive);
            return;
        };
        let Some(before) = sent.acknowledged else {
            // The first: it can't be held against anything but what is sent.
            if distance(receive, next) < HALF {
                sent.acknowledged = Some(receive);
                sent.waits_since = if receive == next { None } else { Some(now) };
            }
            return;
        };
        if distance(receive, before) < HALF && receive != before {
            self.tell(Irregularity::ReceiveSequence, 0, receive.into(), before.into());
        } else if distance(before, receive) > distance(before, next) {
            sent.ahead.get_or_insert((receive, now));
        } else if receive != before {
            sent.acknowledged = Some(receive);
            sent.waits_since = if receive == next { None } else { Some(now) };
        }
    }

    /// Takes in a U format APDU.
    fn control(&mut self, direction: Direction, function: UFunction, are_both_heard: bool) {
        let now = self.now;
        let place = match function {
            UFunction::STARTDT_ACT | UFunction::STARTDT_CON => 0,
            UFunction::STOPDT_ACT | UFunction::STOPDT_CON => 1,
            UFunction::TESTFR_ACT | UFunction::TESTFR_CON => 2,
            _ => return,
        };
        let (way, other) = self.ways(direction);
        let asked = if function.is_activation() { way } else { other };
        let Some(pending) = asked.pending.get_mut(place) else { return };
        let mut is_unexpected = false;
        if function.is_activation() {
            if !matches!(pending, Pending::Since(_)) {
                *pending = Pending::Since(now);
            }
        } else if are_both_heard {
            is_unexpected = matches!(pending, Pending::Nothing);
            *pending = Pending::Nothing;
        }
        match function {
            // With data before it, it may be said again while data transfer is started.
            UFunction::STARTDT_ACT if !self.has_data => self.transfer = Transfer::Stopped,
            UFunction::STARTDT_CON => self.transfer = Transfer::Started,
            UFunction::STOPDT_CON => self.transfer = Transfer::Stopped,
            _ => {}
        }
        if is_unexpected {
            self.tell(Irregularity::UnexpectedConfirmation, 0, function.0.into(), 0);
        }
    }
}
