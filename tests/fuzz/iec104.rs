//! Any octets as IEC 60870-5-104: as they come, or with lengths made right, in fields of any sizes.
#![no_main]

use fuzz::in_time;
use fuzz::protocol::{Subject, check};
use libfuzzer_sys::fuzz_target;
use yagura_parsers::dissect::{Direction, Hints};
use yagura_parsers::protocols::iec104::codes::ElementSize;
use yagura_parsers::protocols::iec104::{Iec104, Iec104Dissector, TypeId};

/// Octets of start, length and control field.
const APCI: usize = 6;
/// Octets of the data unit identifier and of an information object address, as IEC 60870-5-104 has them.
const IDENTIFIER: usize = 6;
const ADDRESS: usize = 3;

/// IEC 60870-5-104; its other dialect has field sizes that a person has set.
struct Iec104Subject;

/// The octets of an I format APDU after its length field, going by its type identification and structure; `None` where
/// they do not tell.
fn counted(apdu: &[u8]) -> Option<usize> {
    let [_, _, control, _, _, _, type_id, structure, ..] = *apdu else { return None };
    let ElementSize::Fixed(element) = TypeId(type_id).element_octets()? else { return None };
    let number = usize::from(structure & 0x7f);
    let objects = if structure & 0x80 == 0 { number * (ADDRESS + element) } else { ADDRESS + number * element };
    (control & 1 == 0).then_some(4 + IDENTIFIER + objects)
}

impl Subject for Iec104Subject {
    type Protocol = Iec104;

    fn dissector(hints: &Hints, _other_dialect: bool) -> Iec104Dissector {
        Iec104Dissector::new(hints)
    }

    /// Start octets and lengths; an even length becomes what the type identification and the number of objects say.
    fn repair(octets: &mut [u8]) {
        let mut rest = octets;
        while rest.len() >= APCI {
            let claimed = usize::from(rest[1]);
            let wanted = counted(rest).filter(|_| claimed.is_multiple_of(2)).unwrap_or(claimed);
            let length = wanted.clamp(4, 253).min(rest.len() - 2);
            (rest[0], rest[1]) = (0x68, u8::try_from(length).expect("at most 253"));
            rest = &mut rest[2 + length..];
        }
    }

    /// N(S) of the first APDU, if it has one.
    fn go_on(octets: &mut [u8]) {
        if let Some([low, high]) = octets.get_mut(2..4).filter(|control| control[0] & 1 == 0) {
            [*low, *high] = u16::from_le_bytes([*low, *high]).wrapping_add(2).to_le_bytes();
        }
    }

    fn good(direction: Direction, _other_dialect: bool) -> &'static [u8] {
        match direction {
            // TESTFR act, and its con.
            Direction::ToServer => &[0x68, 4, 0x43, 0, 0, 0],
            Direction::ToClient => &[0x68, 4, 0x83, 0, 0, 0],
        }
    }
}

fuzz_target!(|data: &[u8]| in_time(|| check::<Iec104Subject>(data)));
