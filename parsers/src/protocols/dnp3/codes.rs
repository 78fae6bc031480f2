//! Application function codes, internal indications and command statuses: their names, verbs and reasons.

use crate::error::Clause;
use crate::message::{Reason, Refusal, Verb};

use super::elements;

/// Where the standard lists the function codes.
pub const FUNCTION_CODES: Clause = Clause("IEEE 1815-2012 4.2.2.5");
/// Where the standard tells the internal indications one by one.
pub const INDICATIONS: Clause = Clause("IEEE 1815-2012 4.5");

/// An application function code. Open: one that the standard does not define has no name, and is no breach of it; an
/// outstation answers it with IIN2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionCode(pub u8);

impl FunctionCode {
    /// Says that a fragment was received.
    pub const CONFIRM: Self = Self(0);
    /// Asks for data.
    pub const READ: Self = Self(1);
    /// Puts data.
    pub const WRITE: Self = Self(2);
    /// Chooses outputs for an operate.
    pub const SELECT: Self = Self(3);
    /// Moves outputs that were chosen.
    pub const OPERATE: Self = Self(4);
    /// Moves outputs at once.
    pub const DIRECT_OPERATE: Self = Self(5);
    /// Moves outputs at once; no response.
    pub const DIRECT_OPERATE_NR: Self = Self(6);
    /// Has events reported unasked.
    pub const ENABLE_UNSOLICITED: Self = Self(20);
    /// Has no events reported unasked.
    pub const DISABLE_UNSOLICITED: Self = Self(21);
    /// Proves who asks; answered.
    pub const AUTHENTICATE_REQ: Self = Self(32);
    /// Proves who asks; never answered.
    pub const AUTH_REQ_NO_ACK: Self = Self(33);
    /// Answers a request.
    pub const RESPONSE: Self = Self(129);
    /// Reports unasked.
    pub const UNSOLICITED_RESPONSE: Self = Self(130);
    /// Challenges who asks.
    pub const AUTHENTICATE_RESP: Self = Self(131);

    /// The standard's name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        FUNCTIONS.iter().find(|function| function.code == self.0).map(|function| function.name)
    }

    /// Whether outstations send it: 128 and above.
    #[inline]
    #[must_use]
    pub fn is_response(self) -> bool {
        self.0 >= 128
    }

    /// Whether internal indications follow it.
    #[inline]
    #[must_use]
    pub fn has_indications(self) -> bool {
        matches!(self.0, 129..=131)
    }

    /// Whether object headers follow whose objects come with them; `false` where headers only name objects.
    #[inline]
    #[must_use]
    pub fn carries_objects(self) -> bool {
        !matches!(self.0, 1 | 7..=12 | 15..=22)
    }

    /// Whether it is one that the standard has masters send.
    #[inline]
    #[must_use]
    pub fn is_request(self) -> bool {
        self.is_defined() && !self.is_response()
    }

    /// Whether the standard defines it, so that what follows can be read as object headers.
    #[inline]
    #[must_use]
    pub fn is_defined(self) -> bool {
        matches!(self.0, 0..=33 | 129..=131)
    }

    /// Whether it is one that moves outputs.
    #[inline]
    #[must_use]
    pub fn is_command(self) -> bool {
        matches!(self.0, 3..=6)
    }

    /// Whether an outstation answers it with a response of the same sequence number: not confirmations, not the requests
    /// that end in `_NR`, and not authentication, whose challenges and replies are no answers to what was asked.
    #[inline]
    #[must_use]
    pub fn is_answered(self) -> bool {
        matches!(self.0, 1..=5 | 7 | 9 | 11 | 13..=31 | 34..=127)
    }
}

/// What a request or response does to objects of a group.
///
/// `only_index` is the index where the header names a single one: a write of internal indication 7 alone takes back the
/// notice of a restart, which every master does.
#[inline]
#[must_use]
pub fn verb(function: FunctionCode, group: u8, only_index: Option<u32>) -> Verb {
    match (function.0, group) {
        (1, 0) => Verb::Identify,
        // Blocks of an open file are moved by READ and WRITE.
        (1 | 2, 70) => Verb::Transfer,
        (1, _) => Verb::Read,
        (2, 34) => Verb::Configure,
        (2, 50) => Verb::Synchronize,
        (2, 80) if only_index == Some(7) => Verb::Diagnose,
        (2, _) => Verb::Write,
        (3..=12, _) => Verb::Control,
        (13 | 14, _) => Verb::Restart,
        (15..=18, _) => Verb::Mode,
        (19..=22 | 31, _) => Verb::Configure,
        (23 | 24, _) => Verb::Synchronize,
        (25..=30, _) => Verb::Transfer,
        (129 | 130, _) => Verb::Report,
        (0 | 32 | 33 | 131, _) => Verb::Session,
        _ => Verb::Other,
    }
}

/// A function code that the standard defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// The function code.
    pub code: u8,
    /// The standard's name.
    pub name: &'static str,
    /// What it does, unless the objects make it another: see [`verb`].
    pub verb: Verb,
    /// Where the standard defines it.
    pub clause: Clause,
}

const fn function(code: u8, name: &'static str, verb: Verb) -> Function {
    Function { code, name, verb, clause: FUNCTION_CODES }
}

/// Every function code that the standard defines, in their order.
pub const FUNCTIONS: &[Function] = &[
    function(0, "confirm", Verb::Session),
    function(1, "read", Verb::Read),
    function(2, "write", Verb::Write),
    function(3, "select", Verb::Control),
    function(4, "operate", Verb::Control),
    function(5, "direct_operate", Verb::Control),
    function(6, "direct_operate_nr", Verb::Control),
    function(7, "immed_freeze", Verb::Control),
    function(8, "immed_freeze_nr", Verb::Control),
    function(9, "freeze_clear", Verb::Control),
    function(10, "freeze_clear_nr", Verb::Control),
    function(11, "freeze_at_time", Verb::Control),
    function(12, "freeze_at_time_nr", Verb::Control),
    function(13, "cold_restart", Verb::Restart),
    function(14, "warm_restart", Verb::Restart),
    function(15, "initialize_data", Verb::Mode),
    function(16, "initialize_appl", Verb::Mode),
    function(17, "start_appl", Verb::Mode),
    function(18, "stop_appl", Verb::Mode),
    function(19, "save_config", Verb::Configure),
    function(20, "enable_unsolicited", Verb::Configure),
    function(21, "disable_unsolicited", Verb::Configure),
    function(22, "assign_class", Verb::Configure),
    function(23, "delay_measure", Verb::Synchronize),
    function(24, "record_current_time", Verb::Synchronize),
    function(25, "open_file", Verb::Transfer),
    function(26, "close_file", Verb::Transfer),
    function(27, "delete_file", Verb::Transfer),
    function(28, "get_file_info", Verb::Transfer),
    function(29, "authenticate_file", Verb::Transfer),
    function(30, "abort_file", Verb::Transfer),
    function(31, "activate_config", Verb::Configure),
    function(32, "authenticate_req", Verb::Session),
    function(33, "auth_req_no_ack", Verb::Session),
    function(129, "response", Verb::Report),
    function(130, "unsolicited_response", Verb::Report),
    function(131, "authenticate_resp", Verb::Session),
];

/// The internal indications of a response (IEEE 1815-2012 4.2.2.6): the first octet is the high one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Indications(pub u16);

impl Indications {
    /// IIN1.5: outputs are under local control.
    pub const LOCAL_CONTROL: u16 = 0x2000;
    /// IIN1.6: something is wrong with the device.
    pub const DEVICE_TROUBLE: u16 = 0x4000;
    /// IIN1.7: the device has restarted.
    pub const DEVICE_RESTART: u16 = 0x8000;
    /// IIN2.0: the function code is not known.
    pub const NO_FUNC_CODE_SUPPORT: u16 = 0x0001;
    /// IIN2.1: there are no such objects.
    pub const OBJECT_UNKNOWN: u16 = 0x0002;
    /// IIN2.2: a qualifier, range or value is not taken.
    pub const PARAMETER_ERROR: u16 = 0x0004;
    /// IIN2.3: events are lost.
    pub const EVENT_BUFFER_OVERFLOW: u16 = 0x0008;
    /// IIN2.4: the operation is under way already.
    pub const ALREADY_EXECUTING: u16 = 0x0010;
    /// IIN2.5: the configuration is damaged.
    pub const CONFIG_CORRUPT: u16 = 0x0020;
    /// IIN2.6 and IIN2.7: always 0.
    pub const RESERVED: u16 = 0x00C0;

    /// Names of the bits, IIN1.0 to IIN2.7.
    pub const NAMES: [(u16, &'static str); 16] = [
        (0x0100, "broadcast"),
        (0x0200, "class_1_events"),
        (0x0400, "class_2_events"),
        (0x0800, "class_3_events"),
        (0x1000, "need_time"),
        (Self::LOCAL_CONTROL, "local_control"),
        (Self::DEVICE_TROUBLE, "device_trouble"),
        (Self::DEVICE_RESTART, "device_restart"),
        (Self::NO_FUNC_CODE_SUPPORT, "no_func_code_support"),
        (Self::OBJECT_UNKNOWN, "object_unknown"),
        (Self::PARAMETER_ERROR, "parameter_error"),
        (Self::EVENT_BUFFER_OVERFLOW, "event_buffer_overflow"),
        (Self::ALREADY_EXECUTING, "already_executing"),
        (Self::CONFIG_CORRUPT, "configuration_corrupt"),
        (0x0040, "reserved_1"),
        (0x0080, "reserved_2"),
    ];

    /// The bits by which a device complains about itself or says that it has restarted, and what they are told as.
    pub const TROUBLE: [(u16, &'static str); 7] = [
        (Self::LOCAL_CONTROL, "local_control"),
        (Self::DEVICE_TROUBLE, "device_trouble"),
        (Self::DEVICE_RESTART, "device_restart"),
        (Self::EVENT_BUFFER_OVERFLOW, "event_buffer_overflow"),
        (Self::ALREADY_EXECUTING, "already_executing"),
        (Self::CONFIG_CORRUPT, "configuration_corrupt"),
        (Self::RESERVED, "reserved_iin"),
    ];

    /// Every bit of [`Self::TROUBLE`].
    pub const TROUBLE_MASK: u16 = Self::LOCAL_CONTROL
        | Self::DEVICE_TROUBLE
        | Self::DEVICE_RESTART
        | Self::EVENT_BUFFER_OVERFLOW
        | Self::ALREADY_EXECUTING
        | Self::CONFIG_CORRUPT
        | Self::RESERVED;

    /// Why the request was refused, where it was: the code is the bit of the second octet.
    #[must_use]
    pub fn refusal(self) -> Option<Refusal> {
        const REFUSALS: [(u16, &str, Reason); 4] = [
            (Indications::NO_FUNC_CODE_SUPPORT, "no_func_code_support", Reason::Function),
            (Indications::OBJECT_UNKNOWN, "object_unknown", Reason::Address),
            (Indications::PARAMETER_ERROR, "parameter_error", Reason::Value),
            (Indications::ALREADY_EXECUTING, "already_executing", Reason::Busy),
        ];
        REFUSALS.into_iter().find(|(bit, ..)| self.0 & bit != 0).map(|(code, name, reason)| Refusal {
            code,
            name: Some(name),
            reason,
        })
    }
}

/// Set in the code of a [`Refusal`] that is a command status, so that it is none of the internal indications.
pub const STATUS_REFUSAL: u16 = 0x100;

/// How a command was refused, by the status in its echo; `None` for success.
#[must_use]
pub fn status_refusal(status: u8) -> Option<Refusal> {
    let reason = match status {
        0 => return None,
        3 | 8 | 12 => Reason::Value,
        4 => Reason::Function,
        5 | 11 => Reason::Busy,
        _ => Reason::Other,
    };
    let code = STATUS_REFUSAL | u16::from(status);
    Some(Refusal { code, name: elements::command_status_name(status), reason })
}
