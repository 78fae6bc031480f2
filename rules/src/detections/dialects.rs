//! What codes of single protocols mean, where the verb does not tell.

use crate::facts::flow::Flow;
use yagura_parsers::dissect::Direction;
use yagura_parsers::message::{Operation, PointValue};
use yagura_parsers::protocols::ProtocolId;
use yagura_parsers::protocols::dnp3::FunctionCode;
use yagura_parsers::protocols::iec104::message::{CONTROL_FUNCTION, SUB_DEACTIVATION, SUB_SELECT};
use yagura_parsers::protocols::iec104::{TypeId, UFunction};

/// Group 60, variation 1: class 0, which is everything (IEEE 1815 Annex A).
const DNP3_CLASS_0: u16 = 60 << 8 | 1;

/// Whether a flow speaks DNP3.
pub(crate) fn is_dnp3(flow: &Flow) -> bool {
    flow.protocol == Some(ProtocolId::Dnp3)
}

/// Whether a flow speaks IEC 60870-5-104.
pub(crate) fn is_iec104(flow: &Flow) -> bool {
    flow.protocol == Some(ProtocolId::Iec104)
}

/// Whether an operation has a function code of DNP3.
fn is_function(flow: &Flow, operation: &Operation, function: FunctionCode) -> bool {
    is_dnp3(flow) && operation.code == u16::from(function.0)
}

/// Whether an operation has a type identification of IEC 60870-5-104.
fn is_type(flow: &Flow, operation: &Operation, types: &[TypeId]) -> bool {
    is_iec104(flow) && types.iter().any(|type_id| operation.code == u16::from(type_id.0))
}

/// Whether a command only chooses its points: nothing moves yet.
pub(crate) fn is_select(flow: &Flow, operation: &Operation) -> bool {
    is_function(flow, operation, FunctionCode::SELECT) || (is_iec104(flow) && operation.sub & SUB_SELECT != 0)
}

/// Whether a command is called off.
pub(crate) fn is_cancelled(flow: &Flow, operation: &Operation) -> bool {
    is_iec104(flow) && operation.sub & SUB_DEACTIVATION != 0
}

/// Whether a unit is no unit, but all of them: DNP3 destinations FFFD to FFFF (IEEE 1815 9.2), the global common
/// address of IEC 60870-5-101 7.2.4 in two octets.
pub(crate) fn is_everybody(flow: &Flow, unit: u16) -> bool {
    (is_dnp3(flow) && unit >= 0xFFFD) || (is_iec104(flow) && unit == u16::MAX)
}

/// Whether an operation that synchronises time sets the clock, and does not only measure.
pub(crate) fn sets_clock(flow: &Flow, operation: &Operation) -> bool {
    is_function(flow, operation, FunctionCode::WRITE)
        || is_type(flow, operation, &[TypeId::CLOCK_SYNCHRONIZATION])
        || !(is_dnp3(flow) || is_iec104(flow))
}

/// Whether everything that a unit knows is asked for at once.
pub(crate) fn is_interrogation(flow: &Flow, operation: &Operation) -> bool {
    let types = [TypeId::INTERROGATION, TypeId::COUNTER_INTERROGATION];
    (is_function(flow, operation, FunctionCode::READ) && operation.sub == DNP3_CLASS_0)
        || (is_type(flow, operation, &types) && operation.sub & SUB_DEACTIVATION == 0)
}

/// Whether a device is told to report by itself (`true`), or no longer to (`false`); IEC 60870-5-104 STARTDT is none, since
/// every session begins with it.
pub(crate) fn reporting(flow: &Flow, operation: &Operation) -> Option<bool> {
    if is_function(flow, operation, FunctionCode::ENABLE_UNSOLICITED) {
        return Some(true);
    }
    let stops = CONTROL_FUNCTION | u16::from(UFunction::STOPDT_ACT.0);
    let is_stopped =
        is_function(flow, operation, FunctionCode::DISABLE_UNSOLICITED) || (is_iec104(flow) && operation.code == stops);
    is_stopped.then_some(false)
}

/// Whether an operation that moves files puts something into the device, or takes it away: a DNP3 file that is written or
/// deleted (IEEE 1815 4.4), files and sections that an IEC 60870-5-104 client announces and sends (IEC 60870-5-101 7.3.6).
pub(crate) fn is_file_sent(flow: &Flow, operation: &Operation, direction: Direction) -> bool {
    const DELETE_FILE: FunctionCode = FunctionCode(27);
    const SENT: [TypeId; 3] = [TypeId(120), TypeId(121), TypeId(125)];
    is_function(flow, operation, FunctionCode::WRITE)
        || is_function(flow, operation, DELETE_FILE)
        || (direction == Direction::ToServer && is_type(flow, operation, &SENT))
}

/// Whether an operation of the session tells who commands, behind the client's address: its space and that address.
pub(crate) fn commander(operation: &Operation) -> Option<(&'static str, u32)> {
    let target = operation.target?;
    ["master_address", "originator_address"].contains(&target.space).then_some((target.space, target.first))
}

/// What a command's code does, by its space.
pub(crate) fn command_name(space: &str, value: PointValue) -> Option<&'static str> {
    let code = match value {
        PointValue::Unsigned(code) => code,
        PointValue::Bit(bit) => u64::from(bit),
        PointValue::Signed(_) | PointValue::Real(_) => return None,
    };
    Some(match (space, code) {
        // IEC 60870-5-101 7.2.6.15 to 7.2.6.17.
        ("single_command", 0) | ("double_command", 1) => "off",
        ("single_command", 1) | ("double_command", 2) => "on",
        ("regulating_step_command", 1) => "lower",
        ("regulating_step_command", 2) => "higher",
        // IEEE 1815 A.8.1: operation type in the low four bits, trip or close in the high two.
        ("binary_output", code) => match (code & 0x0F, code >> 6) {
            (1, 0) => "pulse_on",
            (1, 1) => "pulse_on close",
            (1, 2) => "pulse_on trip",
            (2, 0) => "pulse_off",
            (3, 0) => "latch_on",
            (3, 1) => "latch_on close",
            (4, 0) => "latch_off",
            (4, 2) => "latch_off trip",
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{dnp3, flow, iec104, read};

    fn code(code: u16, sub: u16) -> Operation {
        Operation { code, sub, target: None, ..read(1, 0, 1) }
    }

    #[test]
    fn codes_mean_what_their_own_protocol_says() {
        let (dnp3, iec, modbus) =
            (dnp3("10.0.0.1", "10.0.0.2"), iec104("10.0.0.1", "10.0.0.2"), flow("10.0.0.1", "10.0.0.2", 502));
        assert!(is_dnp3(&dnp3) && !is_dnp3(&iec) && is_iec104(&iec) && !is_iec104(&modbus));
        assert!(is_select(&dnp3, &code(3, 0)) && !is_select(&dnp3, &code(4, 0)) && !is_select(&modbus, &code(3, 0)));
        assert!(is_select(&iec, &code(45, 0x80)) && !is_select(&iec, &code(45, 0)));
        assert!(is_cancelled(&iec, &code(45, 0x40)) && !is_cancelled(&dnp3, &code(45, 0x40)));
        assert!(is_everybody(&dnp3, 0xFFFD) && !is_everybody(&dnp3, 0xFFFC) && !is_everybody(&modbus, 0xFFFF));
        assert!(is_everybody(&iec, 0xFFFF) && !is_everybody(&iec, 0xFFFE));
        assert!(sets_clock(&dnp3, &code(2, 50 << 8 | 1)) && !sets_clock(&dnp3, &code(23, 0)));
        assert!(sets_clock(&iec, &code(103, 0)) && !sets_clock(&iec, &code(106, 0)));
        assert!(is_interrogation(&dnp3, &code(1, 60 << 8 | 1)) && !is_interrogation(&dnp3, &code(1, 60 << 8 | 2)));
        assert!(is_interrogation(&iec, &code(101, 0)) && !is_interrogation(&iec, &code(100, 0x40)));
        assert!(!is_interrogation(&modbus, &code(100, 0)));
        assert_eq!([20, 21, 22].map(|one| reporting(&dnp3, &code(one, 0))), [Some(true), Some(false), None]);
        assert_eq!([0x213, 0x207].map(|one| reporting(&iec, &code(one, 0))), [Some(false), None]);
        assert_eq!(reporting(&modbus, &code(21, 0)), None);
    }

    #[test]
    fn files_that_are_sent_are_told_from_those_that_are_fetched() {
        let (dnp3, iec) = (dnp3("10.0.0.1", "10.0.0.2"), iec104("10.0.0.1", "10.0.0.2"));
        let sent = |flow: &Flow, number, direction| is_file_sent(flow, &code(number, 0), direction);
        assert_eq!([2, 27, 25, 1].map(|one| sent(&dnp3, one, Direction::ToServer)), [true, true, false, false]);
        assert_eq!([120, 125, 122].map(|one| sent(&iec, one, Direction::ToServer)), [true, true, false]);
        assert!(!sent(&iec, 125, Direction::ToClient) && !sent(&iec, 2, Direction::ToServer));
    }

    #[test]
    fn commands_have_names_and_set_points_have_none() {
        let name = |space, code| command_name(space, PointValue::Unsigned(code));
        assert_eq!(name("binary_output", 3), Some("latch_on"));
        assert_eq!(name("binary_output", 0x41), Some("pulse_on close"));
        assert_eq!(name("binary_output", 0x81), Some("pulse_on trip"));
        assert_eq!(name("binary_output", 0xC1), None);
        assert_eq!((name("double_command", 2), name("double_command", 3)), (Some("on"), None));
        assert_eq!(name("regulating_step_command", 1), Some("lower"));
        assert_eq!(command_name("single_command", PointValue::Bit(true)), Some("on"));
        assert_eq!((name("set_point", 1), command_name("binary_output", PointValue::Real(3.0))), (None, None));
    }
}
