//! Function codes, exception codes, sub-function codes, MEI types and UMAS codes: their names, verbs and clauses.

use crate::error::Clause;
use crate::message::{Reason, Verb};

/// A function code as it stands on the wire: the exception bit (0x80) may be set.
///
/// An open code: one that the standard does not define has no name, and is no breach of it. Only 0, and the exception
/// bit in a request, are (V1.1b3 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionCode(pub u8);

impl FunctionCode {
    /// 0x80: set in an exception response (V1.1b3 7).
    pub const EXCEPTION_BIT: u8 = 0x80;
    /// Diagnostics: a family of sub-functions (V1.1b3 6.8).
    pub const DIAGNOSTICS: u8 = 8;
    /// Encapsulated interface transport: a family of MEI types (V1.1b3 6.19).
    pub const ENCAPSULATED_INTERFACE_TRANSPORT: u8 = 43;
    /// Reserved by the standard; Schneider's UMAS: a family of codes of its own.
    pub const UMAS: u8 = 90;

    /// The function code without the exception bit: 0 to 127.
    #[inline]
    #[must_use]
    pub fn code(self) -> u8 {
        self.0 & !Self::EXCEPTION_BIT
    }

    /// Whether the exception bit is set.
    #[inline]
    #[must_use]
    pub fn is_exception(self) -> bool {
        self.0 & Self::EXCEPTION_BIT != 0
    }

    /// The standard's name, whatever the sub-function.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        find(self.code(), None).map(|function| function.name)
    }
}

/// An exception code (V1.1b3 7). Open: codes that the standard does not define have no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExceptionCode(pub u8);

impl ExceptionCode {
    /// The standard's name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self.0 {
            1 => Some("illegal_function"),
            2 => Some("illegal_data_address"),
            3 => Some("illegal_data_value"),
            4 => Some("server_device_failure"),
            5 => Some("acknowledge"),
            6 => Some("server_device_busy"),
            8 => Some("memory_parity_error"),
            10 => Some("gateway_path_unavailable"),
            11 => Some("gateway_target_device_failed_to_respond"),
            _ => None,
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self.0 {
            1 => Reason::Function,
            2 => Reason::Address,
            3 => Reason::Value,
            5 | 6 => Reason::Busy,
            10 | 11 => Reason::Unit,
            _ => Reason::Other,
        }
    }
}

/// MEI types (V1.1b3 6.19). All others are reserved.
pub mod mei_type {
    /// CANopen general reference request and response (V1.1b3 6.20).
    pub const CAN_OPEN_GENERAL_REFERENCE: u8 = 13;
    /// Read device identification (V1.1b3 6.21).
    pub const READ_DEVICE_IDENTIFICATION: u8 = 14;
}

/// What a UMAS response says in the place of the request's code.
pub mod umas_status {
    /// The request was carried out.
    pub const SUCCESS: u8 = 0xFE;
    /// The request was refused.
    pub const FAILURE: u8 = 0xFD;
}

/// One row of the table of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// The function code, 1 to 127.
    pub code: u8,
    /// The diagnostic sub-function, MEI type or UMAS code; `None` in the row of the function itself.
    pub sub: Option<u16>,
    /// The name in records and texts.
    pub name: &'static str,
    /// What it does, in words that all protocols share.
    pub verb: Verb,
    /// Where it is defined, or reserved.
    pub clause: Clause,
}

const fn function(code: u8, name: &'static str, verb: Verb, clause: &'static str) -> Function {
    Function { code, sub: None, name, verb, clause: Clause(clause) }
}

const fn member(code: u8, sub: u16, name: &'static str, verb: Verb, clause: &'static str) -> Function {
    Function { code, sub: Some(sub), name, verb, clause: Clause(clause) }
}

const fn diagnostic(sub: u16, name: &'static str, verb: Verb) -> Function {
    member(FunctionCode::DIAGNOSTICS, sub, name, verb, "V1.1b3 6.8.1")
}

const fn umas(sub: u16, name: &'static str, verb: Verb) -> Function {
    member(FunctionCode::UMAS, sub, name, verb, "")
}

const fn user(code: u8) -> Function {
    function(code, "user_defined", Verb::Other, "V1.1b3 5")
}

const fn reserved(code: u8) -> Function {
    function(code, "reserved", Verb::Other, "V1.1b3 Annex A")
}

/// Every function that has a name, ordered by code and sub-code; a family's own row stands before its members.
///
/// Write file record is `Transfer`, not `Write`: what goes into a controller's files may be logic or parameters, so
/// it counts as dangerous. UMAS (90) and 126 are vendors' programming codes: what is not known of them counts as
/// `Transfer`.
pub const FUNCTIONS: &[Function] = &[
    function(1, "read_coils", Verb::Read, "V1.1b3 6.1"),
    function(2, "read_discrete_inputs", Verb::Read, "V1.1b3 6.2"),
    function(3, "read_holding_registers", Verb::Read, "V1.1b3 6.3"),
    function(4, "read_input_registers", Verb::Read, "V1.1b3 6.4"),
    function(5, "write_single_coil", Verb::Write, "V1.1b3 6.5"),
    function(6, "write_single_register", Verb::Write, "V1.1b3 6.6"),
    function(7, "read_exception_status", Verb::Diagnose, "V1.1b3 6.7"),
    function(8, "diagnostics", Verb::Diagnose, "V1.1b3 6.8"),
    diagnostic(0, "return_query_data", Verb::Diagnose),
    diagnostic(1, "restart_communications_option", Verb::Restart),
    diagnostic(2, "return_diagnostic_register", Verb::Diagnose),
    diagnostic(3, "change_ascii_input_delimiter", Verb::Configure),
    diagnostic(4, "force_listen_only_mode", Verb::Mode),
    diagnostic(10, "clear_counters_and_diagnostic_register", Verb::Configure),
    diagnostic(11, "return_bus_message_count", Verb::Diagnose),
    diagnostic(12, "return_bus_communication_error_count", Verb::Diagnose),
    diagnostic(13, "return_bus_exception_error_count", Verb::Diagnose),
    diagnostic(14, "return_server_message_count", Verb::Diagnose),
    diagnostic(15, "return_server_no_response_count", Verb::Diagnose),
    diagnostic(16, "return_server_nak_count", Verb::Diagnose),
    diagnostic(17, "return_server_busy_count", Verb::Diagnose),
    diagnostic(18, "return_bus_character_overrun_count", Verb::Diagnose),
    diagnostic(20, "clear_overrun_counter_and_flag", Verb::Configure),
    reserved(9),
    reserved(10),
    function(11, "get_comm_event_counter", Verb::Diagnose, "V1.1b3 6.9"),
    function(12, "get_comm_event_log", Verb::Diagnose, "V1.1b3 6.10"),
    reserved(13),
    reserved(14),
    function(15, "write_multiple_coils", Verb::Write, "V1.1b3 6.11"),
    function(16, "write_multiple_registers", Verb::Write, "V1.1b3 6.12"),
    function(17, "report_server_id", Verb::Identify, "V1.1b3 6.13"),
    function(20, "read_file_record", Verb::Read, "V1.1b3 6.14"),
    function(21, "write_file_record", Verb::Transfer, "V1.1b3 6.15"),
    function(22, "mask_write_register", Verb::Write, "V1.1b3 6.16"),
    function(23, "read_write_multiple_registers", Verb::Write, "V1.1b3 6.17"),
    function(24, "read_fifo_queue", Verb::Read, "V1.1b3 6.18"),
    reserved(41),
    reserved(42),
    function(43, "encapsulated_interface_transport", Verb::Other, "V1.1b3 6.19"),
    member(43, 13, "can_open_general_reference", Verb::Other, "V1.1b3 6.20"),
    member(43, 14, "read_device_identification", Verb::Identify, "V1.1b3 6.21"),
    user(65),
    user(66),
    user(67),
    user(68),
    user(69),
    user(70),
    user(71),
    user(72),
    function(90, "umas", Verb::Transfer, "V1.1b3 Annex A"),
    umas(0x01, "init_communication", Verb::Session),
    umas(0x02, "read_identification", Verb::Identify),
    umas(0x03, "read_project_information", Verb::Identify),
    umas(0x04, "read_controller_information", Verb::Identify),
    umas(0x06, "read_card_information", Verb::Identify),
    umas(0x0A, "repeat", Verb::Diagnose),
    umas(0x10, "take_reservation", Verb::Session),
    umas(0x11, "release_reservation", Verb::Session),
    umas(0x12, "keep_alive", Verb::Session),
    umas(0x20, "read_memory_block", Verb::Read),
    umas(0x22, "read_variables", Verb::Read),
    umas(0x23, "write_variables", Verb::Write),
    umas(0x24, "read_coils_registers", Verb::Read),
    umas(0x25, "write_coils_registers", Verb::Write),
    umas(0x30, "initialize_upload", Verb::Transfer),
    umas(0x31, "upload_block", Verb::Transfer),
    umas(0x32, "end_upload", Verb::Transfer),
    umas(0x33, "initialize_download", Verb::Transfer),
    umas(0x34, "download_block", Verb::Transfer),
    umas(0x35, "end_download", Verb::Transfer),
    umas(0x39, "read_ethernet_master_data", Verb::Read),
    umas(0x40, "start_controller", Verb::Mode),
    umas(0x41, "stop_controller", Verb::Mode),
    umas(0x50, "monitor_controller", Verb::Read),
    umas(0x58, "check_controller", Verb::Diagnose),
    umas(0x70, "read_io_object", Verb::Read),
    umas(0x71, "write_io_object", Verb::Write),
    umas(0x73, "get_status_module", Verb::Read),
    reserved(91),
    user(100),
    user(101),
    user(102),
    user(103),
    user(104),
    user(105),
    user(106),
    user(107),
    user(108),
    user(109),
    user(110),
    reserved(125),
    function(126, "vendor_programming", Verb::Transfer, "V1.1b3 Annex A"),
    reserved(127),
];

/// The row of a code and sub-code, exactly.
fn find(code: u8, sub: Option<u16>) -> Option<&'static Function> {
    let at = FUNCTIONS.binary_search_by_key(&(code, sub), |row| (row.code, row.sub)).ok()?;
    FUNCTIONS.get(at)
}

/// The row that tells most of an operation: that of its sub-code, else that of its function; `None` where the standard
/// does not name the function.
#[must_use]
pub fn lookup(code: u8, sub: u16) -> Option<&'static Function> {
    let family =
        matches!(code, FunctionCode::DIAGNOSTICS | FunctionCode::ENCAPSULATED_INTERFACE_TRANSPORT | FunctionCode::UMAS);
    if family && let Some(row) = find(code, Some(sub)) {
        return Some(row);
    }
    find(code, None)
}

/// Whether the sub-code of a family has a name of its own.
pub(super) fn is_member(code: u8, sub: u16) -> bool {
    find(code, Some(sub)).is_some()
}

/// What an operation does.
#[must_use]
#[inline]
pub fn verb(code: u8, sub: u16) -> Verb {
    match code {
        // Nearly all traffic: no search.
        1..=4 => Verb::Read,
        5 | 6 | 15 | 16 => Verb::Write,
        _ => lookup(code, sub).map_or(Verb::Other, |row| row.verb),
    }
}

/// The clause of a function, for what is wrong with it; empty where the standard does not define it.
pub(super) fn clause(code: u8) -> Clause {
    // On the path of every message, hence no search.
    Clause(match code {
        1 => "V1.1b3 6.1",
        2 => "V1.1b3 6.2",
        3 => "V1.1b3 6.3",
        4 => "V1.1b3 6.4",
        5 => "V1.1b3 6.5",
        6 => "V1.1b3 6.6",
        7 => "V1.1b3 6.7",
        8 => "V1.1b3 6.8",
        11 => "V1.1b3 6.9",
        12 => "V1.1b3 6.10",
        15 => "V1.1b3 6.11",
        16 => "V1.1b3 6.12",
        17 => "V1.1b3 6.13",
        20 => "V1.1b3 6.14",
        21 => "V1.1b3 6.15",
        22 => "V1.1b3 6.16",
        23 => "V1.1b3 6.17",
        24 => "V1.1b3 6.18",
        43 => "V1.1b3 6.19",
        _ => "",
    })
}
