//! Any octets as a stream of Modbus, in both directions and dialects: read whole and in pieces, with every question
//! that a message can be asked. In step, the way a stream is cut changes nothing.
#![no_main]

use fuzz::Octets;
use libfuzzer_sys::fuzz_target;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use yagura_parsers::dissect::{Direction, Dissected, Dissector, Hints, Protocol, feed};
use yagura_parsers::message::{Describe, Operation};
use yagura_parsers::protocols::modbus::{Message, Modbus, ModbusDissector};
use yagura_parsers::protocols::{ProtocolId, identify};

/// What became of octets, owned: to be compared.
#[derive(Debug, PartialEq)]
enum Seen {
    /// A PDU: its octets, and a digest of all that it said.
    Message(Vec<u8>, u64),
    Malformed(Vec<u8>, String),
    Skipped(usize),
}

/// Digests what is printed.
struct Digest(DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Asks the message everything; `asked` is what a request before it asked for.
fn said(message: &Message<'_>, asked: &mut Option<Operation>) -> u64 {
    let mut digest = Digest(DefaultHasher::new());
    // The digest takes any text: writing to it cannot fail.
    let mut add = |value: &dyn fmt::Debug| write!(digest, "{value:?};").expect("a digest is never full");
    add(message);
    add(&message.kind());
    add(&message.pairing());
    add(&message.refusal());
    add(&message.fault().map(|fault| (fault.to_string(), fault)));
    message.fields(&mut |name, value| add(&(name, value)));
    message.tally(&mut |tally| {
        let tables = ProtocolId::Modbus.tables();
        assert!(usize::from(tally.table) < tables.len(), "{tally:?}");
        add(&Modbus::tally_key(tally));
    });
    message.identity(&mut |claim| add(&claim));
    message.points(None, &mut |point| add(&point));
    message.points(*asked, &mut |point| add(&point));
    message.operations(&mut |operation| {
        if let Some(target) = operation.target {
            assert!(target.count >= 1, "an operation on nothing: {operation:?}");
            assert!(target.last() >= target.first);
        }
        add(&Modbus::operation_name(operation.code, operation.sub));
        add(&operation);
        *asked = Some(operation);
    });
    digest.0.finish()
}

/// Feeds what is there, notes what was seen, and says how much was used.
fn read(
    dissector: &mut ModbusDissector,
    direction: Direction,
    octets: &[u8],
    asked: &mut Option<Operation>,
    seen: &mut Vec<Seen>,
) -> usize {
    let mut accounted = 0;
    let used = feed(dissector, direction, octets, |dissected| match dissected {
        Dissected::Message { message, octets } => {
            accounted += octets.len();
            seen.push(Seen::Message(octets.to_vec(), said(&message, asked)));
        }
        Dissected::Malformed { error, octets } => {
            accounted += octets.len();
            seen.push(Seen::Malformed(octets.to_vec(), format!("{error:?} {error}")));
        }
        Dissected::Skipped { octets } => {
            assert!(octets > 0);
            accounted += octets;
            // How skipped octets are told apart depends on how they come.
            match seen.last_mut() {
                Some(Seen::Skipped(before)) => *before += octets,
                _ => seen.push(Seen::Skipped(octets)),
            }
        }
    });
    assert_eq!(accounted, used, "every octet that is used up is told");
    assert!(used <= octets.len());
    used
}

fuzz_target!(|data: &[u8]| {
    let mut input = Octets(data);
    let (how, cut) = (input.octet(), input.octet());
    let stream = input.0;
    let new = || {
        let mut dissector = if how & 1 == 0 { ModbusDissector::default() } else { ModbusDissector::rtu() };
        if how & 4 != 0 {
            dissector.gap(Direction::ToServer);
            dissector.gap(Direction::ToClient);
        }
        dissector
    };
    let direction = if how & 2 == 0 { Direction::ToServer } else { Direction::ToClient };

    let mut whole = Vec::new();
    let used = read(&mut new(), direction, stream, &mut None, &mut whole);

    let (mut pieces, mut asked, mut pending, mut used_in_pieces) = (Vec::new(), None, Vec::new(), 0);
    let mut dissector = new();
    let mut rest = stream;
    let mut size = usize::from(cut % 16);
    while !rest.is_empty() {
        // Pieces of 1 octet and more, of changing sizes.
        let (piece, behind) = rest.split_at((size % 16 + 1).min(rest.len()));
        size += usize::from(cut / 16);
        rest = behind;
        pending.extend_from_slice(piece);
        let now = read(&mut dissector, direction, &pending, &mut asked, &mut pieces);
        pending.drain(..now);
        used_in_pieces += now;
    }
    // RTU frames have no header, and where a lost header is looked for, what is there decides: both depend on the cut.
    let in_step = how & 5 == 0 && !whole.iter().chain(&pieces).any(|seen| matches!(seen, Seen::Skipped(_)));
    if in_step {
        assert_eq!(whole, pieces, "the way a stream is cut changes what is read");
        assert_eq!(used, used_in_pieces);
    }

    let _ = Modbus::probe(stream, how & 8 != 0, &Hints::default());
    let _ = identify(stream, how & 8 != 0, &[502], &Hints::default());
});
