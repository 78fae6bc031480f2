//! Any octets as Modbus, with MBAP headers or as RTU frames inside TCP.
#![no_main]

use fuzz::in_time;
use fuzz::protocol::{Subject, check};
use libfuzzer_sys::fuzz_target;
use yagura_parsers::dissect::{Direction, Hints};
use yagura_parsers::protocols::modbus::{Modbus, ModbusDissector};

/// Modbus; its other dialect is RTU.
struct ModbusSubject;

impl Subject for ModbusSubject {
    type Protocol = Modbus;
    /// A segment is known for RTU when it is nothing but whole frames.
    const REFUSES_FOR_GOOD: bool = false;

    fn dissector(_hints: &Hints, other_dialect: bool) -> ModbusDissector {
        if other_dialect { ModbusDissector::rtu() } else { ModbusDissector::default() }
    }

    /// The length field of each MBAP header, and its protocol identifier.
    fn repair(octets: &mut [u8]) {
        let mut rest = octets;
        while let Some(([_, _, protocol_high, protocol_low, high, low, ..], _)) = rest.split_first_chunk_mut::<8>() {
            (*protocol_high, *protocol_low, *high) = (0, 0, 0);
            let length = usize::from(*low).clamp(2, 254);
            let adu = (6 + length).min(rest.len());
            rest[5] = u8::try_from(adu - 6).expect("at most 254");
            rest = &mut rest[adu..];
        }
    }

    /// The transaction identifier.
    fn go_on(octets: &mut [u8]) {
        if let Some(low) = octets.get_mut(1) {
            *low = low.wrapping_add(1);
        }
    }

    fn good(direction: Direction, _other_dialect: bool) -> &'static [u8] {
        match direction {
            // Read 3 holding registers, and an answer with 2 of them.
            Direction::ToServer => &[0x51, 0x52, 0, 0, 0, 6, 0x11, 3, 0x6b, 0x6c, 0, 3],
            Direction::ToClient => &[0x51, 0x52, 0, 0, 0, 7, 0x11, 3, 4, 0x6b, 0x6c, 0x6d, 0x6e],
        }
    }

    /// RTU frames have no header: where one ends is told by what follows.
    fn resynchronizes(other_dialect: bool) -> bool {
        !other_dialect
    }
}

fuzz_target!(|data: &[u8]| in_time(|| check::<ModbusSubject>(data)));
