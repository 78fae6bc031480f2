//! What a message says, asked for with every question there is, and brought down to a few numbers that can be compared.

use std::fmt::{self, Write};
use yagura_parsers::dissect::{Protocol, Sender};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Describe, Kind, Operation, Point, PointValue, Value};

/// A hash that costs next to nothing: no attacker chooses what it is compared with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Adds octets and how many there are.
    #[inline]
    pub fn add_octets(&mut self, octets: &[u8]) {
        self.add(octets.len() as u64);
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
    }

    /// Adds a text of the program's own: its length and three of its letters tell it from most others.
    #[inline]
    fn add_name(&mut self, name: &'static str) {
        let letters = name.as_bytes();
        let [first, .., last] = *letters else { return assert_eq!(letters.len(), 1, "a name says something") };
        let middle = letters[letters.len() / 2];
        self.add(u64::from_be_bytes([0, 0, 0, 1, letters.len() as u8, first, middle, last]));
    }

    fn add_operation(&mut self, operation: &Operation) {
        let Operation { verb, code, sub, unit, target } = *operation;
        self.add(verb as u64 | u64::from(code) << 16 | u64::from(sub) << 32 | u64::from(unit) << 48);
        if let Some(target) = target {
            assert!(target.count >= 1, "an operation on nothing: {operation:?}");
            assert!(target.last() >= target.first, "{operation:?}");
            self.add(u64::from(target.first) | u64::from(target.count) << 32);
            self.add_name(target.space);
        }
    }

    fn add_point(&mut self, point: &Point) {
        self.add_name(point.space);
        self.add(u64::from(point.address) | u64::from(point.quality.0) << 32);
        match point.value {
            PointValue::Bit(bit) => self.add(u64::from(bit)),
            PointValue::Unsigned(number) => self.add(number),
            PointValue::Signed(number) => self.add(number as u64),
            PointValue::Real(number) => self.add(number.to_bits()),
        }
        if let Some(time) = point.time {
            self.add(time);
        }
    }

    /// `right`: of a message without fault, which says neither half a word nor bits that are not there.
    fn add_value(&mut self, value: Value<'_>, right: bool) {
        match value {
            Value::Bool(bit) => self.add(u64::from(bit)),
            Value::Unsigned(number) => self.add(number),
            Value::Signed(number) => self.add(number as u64),
            Value::Real(number) => self.add(number.to_bits()),
            Value::Name(name) => self.add_name(name),
            Value::Null => self.add(7),
            Value::Text(octets) | Value::Octets(octets) => self.add_octets(octets),
            Value::Words(octets) => {
                assert!(!right || octets.len().is_multiple_of(2), "half a word: {octets:?}");
                self.add_octets(octets);
            }
            Value::Bits(octets, count) => {
                assert!(!right || count as usize <= octets.len() * 8, "{count} bits in {octets:?}");
                self.add_octets(octets);
                self.add(u64::from(count));
            }
        }
    }

    /// Adds what is wrong with octets; `fed` octets were there, so that is where the breach must be.
    pub fn add_error(&mut self, error: &ParseError, fed: usize, in_words: bool) {
        assert!(error.offset as usize <= fed, "{error} behind {fed} octets");
        self.add(u64::from(error.offset));
        self.add_name(error.kind.name());
        self.add_name(error.field);
        if in_words {
            assert_one_line(error);
        }
    }
}

/// Takes text and keeps none of it.
struct OneLine(usize);

impl Write for OneLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        assert!(!text.contains(|letter: char| letter.is_control()), "{text:?}");
        self.0 += text.len();
        Ok(())
    }
}

fn assert_one_line(text: &impl fmt::Display) {
    let mut line = OneLine(0);
    write!(line, "{text}").expect("it takes any text");
    assert!(line.0 > 0, "nothing is said");
}

/// What a message says of itself, and what follows from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Of itself.
    pub message: Digest,
    /// Where it stands in a command and a session.
    context: Digest,
}

impl Meaning {
    /// Asks a message everything. `fed` octets were read in all, so there is an end to what one message can say; `asked` is
    /// the last operation of the last message before it, then of this one.
    pub fn of<P: Protocol>(message: &impl Describe, fed: usize, asked: &mut Option<Operation>, in_words: bool) -> Self {
        let mut digest = Digest::default();
        // Packed bits are the most that octets can hold.
        let most = fed.saturating_mul(8).saturating_add(64);
        let (kind, unit, pairing, refusal) = (message.kind(), message.unit(), message.pairing(), message.refusal());
        let sender = match message.sender() {
            Sender::Client => 0,
            Sender::Server => 1,
            Sender::Either => 2,
        };
        digest.add(kind as u64 | sender << 8 | u64::from(unit) << 32);
        digest.add(message.clock().unwrap_or(1));
        if let Some(pairing) = pairing {
            assert!(kind != Kind::Unsolicited, "what nobody asked for is no answer");
            digest.add(pairing);
        }
        if let Some(refusal) = refusal {
            assert_eq!(kind, Kind::Response, "only an answer refuses");
            digest.add(u64::from(refusal.code) | (refusal.reason as u64) << 16);
        }
        let fault = message.fault();
        if let Some(fault) = fault {
            digest.add_error(&fault, fed, in_words);
        }
        let mut count = 0;
        message.fields(&mut |name, value| {
            count += 1;
            digest.add_name(name);
            digest.add_value(value, fault.is_none());
        });
        assert!(count <= most, "{count} fields of {fed} octets");
        message.tally(&mut |tally| {
            assert!(usize::from(tally.table) < P::TABLES.len(), "{tally:?}");
            digest.add(u64::from(tally.table) | u64::from(tally.code) << 8 | u64::from(tally.sub.unwrap_or(0)) << 16);
            if in_words {
                assert_one_line(&P::tally_key(tally));
            }
        });
        message.identity(&mut |claim| {
            digest.add_name(claim.key);
            digest.add_octets(claim.text);
        });
        let mut points_of = |asked: Option<Operation>| {
            let (mut points, mut count) = (Digest::default(), 0_usize);
            message.points(asked, &mut |point| {
                count += 1;
                points.add_point(&point);
            });
            assert!(count <= most, "{count} points of {fed} octets");
            // A run is nothing but another way to say the same points.
            if let Some(run) = message.run(asked) {
                let (mut same, mut run_count) = (Digest::default(), 0_usize);
                run.points(&mut |point| {
                    run_count += 1;
                    same.add_point(&point);
                });
                assert_eq!((run_count, same), (count, points), "a run holds other values than the points");
            }
            digest.add(points.0);
        };
        points_of(None);
        if asked.is_some() {
            points_of(*asked);
        }
        let mut count = 0;
        message.operations(&mut |operation| {
            count += 1;
            assert_eq!(operation.unit, unit, "an operation of another unit than the message");
            digest.add_operation(&operation);
            if in_words && let Some(name) = P::operation_name(operation.code, operation.sub) {
                assert_one_line(&name);
            }
            *asked = Some(operation);
        });
        assert!(count <= most, "{count} operations of {fed} octets");

        let mut context = Digest::default();
        if let Some(control) = message.control() {
            context.add(control.step as u64 | u64::from(control.terminates) << 8);
            context.add(control.key);
            context.add(control.content);
        }
        message.notices(&mut |notice| {
            context.add_name(notice.name);
            context.add(notice.got);
            context.add(notice.expected);
            context.add(u64::from(notice.unit) | (notice.kind as u64) << 16);
        });
        Self { message: digest, context }
    }

    /// Adds both.
    pub fn add_to(&self, digest: &mut Digest) {
        digest.add(self.message.0);
        digest.add(self.context.0);
    }
}
