//! Type identifications, causes of transmission and qualifiers: their names, verbs, spaces and what goes with what.

use super::elements::InformationElement::{
    self, Acknowledgement, Bitstring, CauseOfInitialization, Checksum, CounterInterrogation, CounterReading,
    DoubleCommand, DoublePoint, Duration, FileLength, FileName, FileReady, FileStatus, Interrogation,
    LastSectionOrSegment, MeasuredValueParameter, Normalized, Octets, OutputCircuits, ParameterActivation,
    ProtectionEvent, ProtectionQuality, Quality, RegulatingStepCommand, ResetProcess, Scaled, SectionName,
    SectionReady, SegmentLength, SelectAndCall, SetPointQualifier, ShortFloat, ShortTime, SingleCommand, SinglePoint,
    StartEvents, StatusAndChange, StepPosition, TestCounter, TestPattern, Time,
};
use crate::message::Verb;

/// Which way a type identification is meant to travel (IEC 60870-5-101 7.2.1.1). Confirmations of what travels in
/// control direction travel in monitor direction, under the same type identification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeDirection {
    /// From the controlled station.
    Monitor,
    /// From the controlling station.
    Control,
    /// Both: file transfer, authentication.
    Both,
}

/// Octets of one information object without its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementSize {
    /// So many, always; 0 for C_RD_NA_1.
    Fixed(usize),
    /// As many as the ASDU holds: F_SG_NA_1 and authentication.
    Variable,
}

/// The time tag that ends an information object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeTag {
    /// None.
    None,
    /// CP24Time2a: minutes and milliseconds (IEC 60870-5-101 7.2.6.19).
    Cp24,
    /// CP56Time2a: date and time (IEC 60870-5-101 7.2.6.18).
    Cp56,
}

/// One row of the table of type identifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type {
    /// The type identification, 1 to 127.
    pub code: u8,
    /// The name in records and texts: `C_SC_NA_1`.
    pub name: &'static str,
    /// What it does, in words that all protocols share; of C_CI_NA_1 where its counters are only read.
    pub verb: Verb,
    /// The data space of its information object addresses.
    pub space: &'static str,
    /// Which way it is meant to travel.
    pub direction: TypeDirection,
    /// What one information object holds, in the standard's order.
    pub elements: &'static [InformationElement],
    /// Octets of `elements`.
    pub size: ElementSize,
    /// The causes of transmission that the standard allows with it; bit n is cause n.
    pub causes: u64,
    /// See [`TypeId::is_point`].
    pub is_point: bool,
}

/// Causes of transmission as a set; bit n is cause n.
const fn causes(mut list: &[u8]) -> u64 {
    let mut set = 0_u64;
    while let [cause, rest @ ..] = list {
        set |= 1_u64.wrapping_shl(cause_shift(*cause));
        list = rest;
    }
    set
}

#[expect(clippy::as_conversions, reason = "no const way to widen; widening loses nothing")]
const fn cause_shift(cause: u8) -> u32 {
    cause as u32
}

/// 20 to 36: interrogated by station and by group.
const INTERROGATED: u64 = 0x1F_FFF0_0000;
/// 37 to 41: requested by general and by group counter request.
const COUNTERS: u64 = 0x3E0_0000_0000;
/// 44 to 47: unknown type identification, cause, common address, information object address.
const UNKNOWN: u64 = 0xF000_0000_0000;
/// 48 to 63: for special use.
const PRIVATE: u64 = 0xFFFF_0000_0000_0000;

/// Information of points that have states: static, or answering a command.
const STATES: u64 = causes(&[2, 3, 5, 11, 12]) | INTERROGATED;
/// Events of points that have states.
const STATE_EVENTS: u64 = causes(&[3, 5, 11, 12]);
const BITSTRINGS: u64 = causes(&[2, 3, 5]) | INTERROGATED;
const MEASURED: u64 = causes(&[1, 2, 3, 5]) | INTERROGATED;
const EVENTS: u64 = causes(&[3, 5]);
const TOTALS: u64 = causes(&[3]) | COUNTERS;
const SPONTANEOUS: u64 = causes(&[3]);
const COMMANDS: u64 = causes(&[6, 7, 8, 9, 10]) | UNKNOWN;
const ACTIVATIONS: u64 = causes(&[6, 7]) | UNKNOWN;
const CLOCK: u64 = causes(&[3, 6, 7]) | UNKNOWN;
const PARAMETERS: u64 = causes(&[6, 7]) | INTERROGATED | UNKNOWN;
const FILES: u64 = causes(&[13]) | UNKNOWN;
/// IEC TS 60870-5-7 gives each of its types one or two of the three; which one is not judged.
const SECURITY: u64 = causes(&[14, 15, 16]) | UNKNOWN;

const fn size(mut elements: &[InformationElement]) -> ElementSize {
    let mut octets = 0_usize;
    while let [element, rest @ ..] = elements {
        match element.octets() {
            Some(more) => octets = octets.saturating_add(more),
            None => return ElementSize::Variable,
        }
        elements = rest;
    }
    ElementSize::Fixed(octets)
}

const fn row(
    code: u8,
    name: &'static str,
    verb: Verb,
    space: &'static str,
    direction: TypeDirection,
    elements: &'static [InformationElement],
    causes: u64,
) -> Type {
    let is_point = matches!(code, 1..=21 | 30..=41 | 45..=51 | 58..=64 | 110..=112);
    Type { code, name, verb, space, direction, elements, size: size(elements), causes, is_point }
}

const fn monitor(
    code: u8,
    name: &'static str,
    space: &'static str,
    elements: &'static [InformationElement],
    causes: u64,
) -> Type {
    row(code, name, Verb::Report, space, TypeDirection::Monitor, elements, causes)
}

const fn command(code: u8, name: &'static str, space: &'static str, elements: &'static [InformationElement]) -> Type {
    row(code, name, Verb::Control, space, TypeDirection::Control, elements, COMMANDS)
}

const fn system(
    code: u8,
    name: &'static str,
    verb: Verb,
    space: &'static str,
    elements: &'static [InformationElement],
    causes: u64,
) -> Type {
    row(code, name, verb, space, TypeDirection::Control, elements, causes)
}

const fn parameter(code: u8, name: &'static str, elements: &'static [InformationElement], causes: u64) -> Type {
    row(code, name, Verb::Configure, "parameter", TypeDirection::Control, elements, causes)
}

const fn file(
    code: u8,
    name: &'static str,
    direction: TypeDirection,
    elements: &'static [InformationElement],
    causes: u64,
) -> Type {
    row(code, name, Verb::Transfer, "file", direction, elements, causes)
}

const fn security(code: u8, name: &'static str) -> Type {
    row(code, name, Verb::Session, "authentication", TypeDirection::Both, &[Octets("authentication_data")], SECURITY)
}

const TIME: InformationElement = Time("time");
const ELAPSED_TIME: InformationElement = Duration("elapsed_time");
const RELAY_DURATION_TIME: InformationElement = Duration("relay_duration_time");
const RELAY_OPERATING_TIME: InformationElement = Duration("relay_operating_time");
const DELAY: InformationElement = Duration("delay");

/// Every type identification that has a name, ordered by code (IEC 60870-5-101 7.2.1.1 and 7.3, IEC 60870-5-104 6 and
/// 8; 41 and 81 to 95: IEC TS 60870-5-7).
///
/// Everything of file transfer is `Transfer`, the directory too: a substation that moves files is worth a look. Causes
/// are those of the standard's table of type identifications and causes (IEC 60870-5-104 9.5).
pub const TYPES: &[Type] = &[
    monitor(1, "M_SP_NA_1", "single_point", &[SinglePoint], STATES),
    monitor(2, "M_SP_TA_1", "single_point", &[SinglePoint, ShortTime], STATE_EVENTS),
    monitor(3, "M_DP_NA_1", "double_point", &[DoublePoint], STATES),
    monitor(4, "M_DP_TA_1", "double_point", &[DoublePoint, ShortTime], STATE_EVENTS),
    monitor(5, "M_ST_NA_1", "step_position", &[StepPosition, Quality], STATES),
    monitor(6, "M_ST_TA_1", "step_position", &[StepPosition, Quality, ShortTime], STATE_EVENTS),
    monitor(7, "M_BO_NA_1", "bitstring", &[Bitstring, Quality], BITSTRINGS),
    monitor(8, "M_BO_TA_1", "bitstring", &[Bitstring, Quality, ShortTime], EVENTS),
    monitor(9, "M_ME_NA_1", "measured_value", &[Normalized, Quality], MEASURED),
    monitor(10, "M_ME_TA_1", "measured_value", &[Normalized, Quality, ShortTime], EVENTS),
    monitor(11, "M_ME_NB_1", "measured_value", &[Scaled, Quality], MEASURED),
    monitor(12, "M_ME_TB_1", "measured_value", &[Scaled, Quality, ShortTime], EVENTS),
    monitor(13, "M_ME_NC_1", "measured_value", &[ShortFloat, Quality], MEASURED),
    monitor(14, "M_ME_TC_1", "measured_value", &[ShortFloat, Quality, ShortTime], EVENTS),
    monitor(15, "M_IT_NA_1", "integrated_total", &[CounterReading], TOTALS),
    monitor(16, "M_IT_TA_1", "integrated_total", &[CounterReading, ShortTime], TOTALS),
    monitor(17, "M_EP_TA_1", "protection_event", &[ProtectionEvent, ELAPSED_TIME, ShortTime], SPONTANEOUS),
    monitor(
        18,
        "M_EP_TB_1",
        "protection_start_events",
        &[StartEvents, ProtectionQuality, RELAY_DURATION_TIME, ShortTime],
        SPONTANEOUS,
    ),
    monitor(
        19,
        "M_EP_TC_1",
        "protection_output_circuits",
        &[OutputCircuits, ProtectionQuality, RELAY_OPERATING_TIME, ShortTime],
        SPONTANEOUS,
    ),
    monitor(20, "M_PS_NA_1", "packed_single_point", &[StatusAndChange, Quality], STATES),
    monitor(21, "M_ME_ND_1", "measured_value", &[Normalized], MEASURED),
    monitor(30, "M_SP_TB_1", "single_point", &[SinglePoint, TIME], STATE_EVENTS),
    monitor(31, "M_DP_TB_1", "double_point", &[DoublePoint, TIME], STATE_EVENTS),
    monitor(32, "M_ST_TB_1", "step_position", &[StepPosition, Quality, TIME], STATE_EVENTS),
    monitor(33, "M_BO_TB_1", "bitstring", &[Bitstring, Quality, TIME], EVENTS),
    monitor(34, "M_ME_TD_1", "measured_value", &[Normalized, Quality, TIME], EVENTS),
    monitor(35, "M_ME_TE_1", "measured_value", &[Scaled, Quality, TIME], EVENTS),
    monitor(36, "M_ME_TF_1", "measured_value", &[ShortFloat, Quality, TIME], EVENTS),
    monitor(37, "M_IT_TB_1", "integrated_total", &[CounterReading, TIME], TOTALS),
    monitor(38, "M_EP_TD_1", "protection_event", &[ProtectionEvent, ELAPSED_TIME, TIME], SPONTANEOUS),
    monitor(
        39,
        "M_EP_TE_1",
        "protection_start_events",
        &[StartEvents, ProtectionQuality, RELAY_DURATION_TIME, TIME],
        SPONTANEOUS,
    ),
    monitor(
        40,
        "M_EP_TF_1",
        "protection_output_circuits",
        &[OutputCircuits, ProtectionQuality, RELAY_OPERATING_TIME, TIME],
        SPONTANEOUS,
    ),
    monitor(41, "S_IT_TC_1", "security_statistic", &[CounterReading, TIME], TOTALS),
    command(45, "C_SC_NA_1", "single_command", &[SingleCommand]),
    command(46, "C_DC_NA_1", "double_command", &[DoubleCommand]),
    command(47, "C_RC_NA_1", "regulating_step_command", &[RegulatingStepCommand]),
    command(48, "C_SE_NA_1", "set_point", &[Normalized, SetPointQualifier]),
    command(49, "C_SE_NB_1", "set_point", &[Scaled, SetPointQualifier]),
    command(50, "C_SE_NC_1", "set_point", &[ShortFloat, SetPointQualifier]),
    command(51, "C_BO_NA_1", "bitstring_command", &[Bitstring]),
    command(58, "C_SC_TA_1", "single_command", &[SingleCommand, TIME]),
    command(59, "C_DC_TA_1", "double_command", &[DoubleCommand, TIME]),
    command(60, "C_RC_TA_1", "regulating_step_command", &[RegulatingStepCommand, TIME]),
    command(61, "C_SE_TA_1", "set_point", &[Normalized, SetPointQualifier, TIME]),
    command(62, "C_SE_TB_1", "set_point", &[Scaled, SetPointQualifier, TIME]),
    command(63, "C_SE_TC_1", "set_point", &[ShortFloat, SetPointQualifier, TIME]),
    command(64, "C_BO_TA_1", "bitstring_command", &[Bitstring, TIME]),
    monitor(70, "M_EI_NA_1", "end_of_initialization", &[CauseOfInitialization], causes(&[4])),
    security(81, "S_CH_NA_1"),
    security(82, "S_RP_NA_1"),
    security(83, "S_AR_NA_1"),
    security(84, "S_KR_NA_1"),
    security(85, "S_KS_NA_1"),
    security(86, "S_KC_NA_1"),
    security(87, "S_ER_NA_1"),
    security(90, "S_US_NA_1"),
    security(91, "S_UQ_NA_1"),
    security(92, "S_UR_NA_1"),
    security(93, "S_UK_NA_1"),
    security(94, "S_UA_NA_1"),
    security(95, "S_UC_NA_1"),
    system(100, "C_IC_NA_1", Verb::Read, "interrogation", &[Interrogation], COMMANDS),
    system(
        101,
        "C_CI_NA_1",
        Verb::Read,
        "counter_interrogation",
        &[CounterInterrogation],
        causes(&[6, 7, 10]) | UNKNOWN,
    ),
    system(102, "C_RD_NA_1", Verb::Read, "information_object", &[], causes(&[5]) | UNKNOWN),
    system(103, "C_CS_NA_1", Verb::Synchronize, "clock", &[TIME], CLOCK),
    system(104, "C_TS_NA_1", Verb::Diagnose, "test", &[TestPattern], ACTIVATIONS),
    system(105, "C_RP_NA_1", Verb::Restart, "process", &[ResetProcess], ACTIVATIONS),
    system(106, "C_CD_NA_1", Verb::Synchronize, "clock", &[DELAY], CLOCK),
    system(107, "C_TS_TA_1", Verb::Diagnose, "test", &[TestCounter, TIME], ACTIVATIONS),
    parameter(110, "P_ME_NA_1", &[Normalized, MeasuredValueParameter], PARAMETERS),
    parameter(111, "P_ME_NB_1", &[Scaled, MeasuredValueParameter], PARAMETERS),
    parameter(112, "P_ME_NC_1", &[ShortFloat, MeasuredValueParameter], PARAMETERS),
    parameter(113, "P_AC_NA_1", &[ParameterActivation], causes(&[6, 7, 8, 9]) | UNKNOWN),
    file(120, "F_FR_NA_1", TypeDirection::Both, &[FileName, FileLength, FileReady], FILES),
    file(121, "F_SR_NA_1", TypeDirection::Both, &[FileName, SectionName, FileLength, SectionReady], FILES),
    file(122, "F_SC_NA_1", TypeDirection::Both, &[FileName, SectionName, SelectAndCall], causes(&[5]) | FILES),
    file(123, "F_LS_NA_1", TypeDirection::Both, &[FileName, SectionName, LastSectionOrSegment, Checksum], FILES),
    file(124, "F_AF_NA_1", TypeDirection::Both, &[FileName, SectionName, Acknowledgement], FILES),
    file(125, "F_SG_NA_1", TypeDirection::Both, &[FileName, SectionName, SegmentLength, Octets("segment")], FILES),
    file(126, "F_DR_TA_1", TypeDirection::Monitor, &[FileName, FileLength, FileStatus, TIME], causes(&[3, 5])),
    file(
        127,
        "F_SC_NB_1",
        TypeDirection::Control,
        &[FileName, Time("range_start_time"), Time("range_stop_time")],
        causes(&[5]) | FILES,
    ),
];

/// The row of each code: on the path of every APDU, hence no search.
static ROWS: [Option<&'static Type>; 256] = rows();

const fn rows() -> [Option<&'static Type>; 256] {
    let mut all = [None; 256];
    let mut code = 0_u8;
    let mut left: &mut [Option<&'static Type>] = &mut all;
    while let [row, rest @ ..] = left {
        *row = find(code);
        code = code.wrapping_add(1);
        left = rest;
    }
    all
}

const fn find(code: u8) -> Option<&'static Type> {
    let mut left = TYPES;
    while let [row, rest @ ..] = left {
        if row.code == code {
            return Some(row);
        }
        left = rest;
    }
    None
}

/// A type identification (IEC 60870-5-101 7.2.1). Open: the standard reserves some, and leaves 128 to 255 to private
/// use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u8);

impl TypeId {
    /// M_EI_NA_1: end of initialization.
    pub const END_OF_INITIALIZATION: Self = Self(70);
    /// C_IC_NA_1.
    pub const INTERROGATION: Self = Self(100);
    /// C_CI_NA_1.
    pub const COUNTER_INTERROGATION: Self = Self(101);
    /// C_RD_NA_1.
    pub const READ: Self = Self(102);
    /// C_CS_NA_1.
    pub const CLOCK_SYNCHRONIZATION: Self = Self(103);
    /// C_RP_NA_1.
    pub const RESET_PROCESS: Self = Self(105);

    /// Its row; `None` for private and reserved ones.
    #[inline]
    #[must_use]
    pub fn row(self) -> Option<&'static Type> {
        *ROWS.get(usize::from(self.0))?
    }

    /// The standard's name, `C_SC_NA_1`; `private` for 128 to 255; `None` for those that the standard reserves.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        if self.is_private() { Some("private") } else { self.row().map(|row| row.name) }
    }

    /// Whether the standard leaves it to private use: 128 to 135 for routing of messages, 136 to 255 for special use.
    #[inline]
    #[must_use]
    pub const fn is_private(self) -> bool {
        self.0 >= 128
    }

    /// Whether the standard reserves it, or does not use it (0).
    #[inline]
    #[must_use]
    pub fn is_reserved(self) -> bool {
        !self.is_private() && self.row().is_none()
    }

    /// Whether IEC 60870-5-104 has it: not with CP24Time2a, nor C_TS_NA_1 and C_CD_NA_1, which are of IEC 60870-5-101
    /// only (edition 2 of IEC 60870-5-104, 6 and 8), nor reserved ones. Private ones and those of IEC TS 60870-5-7
    /// count in.
    #[must_use]
    pub fn in_104(self) -> bool {
        !self.is_reserved() && !self.is_only_in_101()
    }

    /// Whether only IEC 60870-5-101 has it: see [`Self::in_104`].
    #[inline]
    #[must_use]
    pub const fn is_only_in_101(self) -> bool {
        matches!(self.0, 2 | 4 | 6 | 8 | 10 | 12 | 14 | 16..=19 | 104 | 106)
    }

    /// What it does where no qualifier is at hand: see [`Self::verb_with`].
    #[inline]
    #[must_use]
    pub fn verb(self) -> Verb {
        self.verb_with(None)
    }

    /// What it does with the qualifier of its element: a counter interrogation reads where FRZ is 0, and commands the
    /// process where it freezes or resets counters (IEC 60870-5-101 7.2.6.23). Without a qualifier it is taken to read.
    #[inline]
    #[must_use]
    pub fn verb_with(self, qualifier: Option<u8>) -> Verb {
        match (self, qualifier) {
            (Self::COUNTER_INTERROGATION, Some(qualifier)) if qualifier >> 6 != 0 => Verb::Control,
            _ => self.row().map_or(Verb::Other, |row| row.verb),
        }
    }

    /// Whether it may travel in monitor direction by its own meaning, confirmations aside.
    #[inline]
    #[must_use]
    pub fn monitor(self) -> bool {
        self.row().is_some_and(|row| row.direction != TypeDirection::Control)
    }

    /// Whether it may travel in control direction.
    #[inline]
    #[must_use]
    pub fn control(self) -> bool {
        self.row().is_some_and(|row| row.direction != TypeDirection::Monitor)
    }

    /// Octets of one information object without its address; `None` where only a private agreement or nobody knows.
    #[inline]
    #[must_use]
    pub fn element_octets(self) -> Option<ElementSize> {
        self.row().map(|row| row.size)
    }

    /// The data space of its addresses: `single_point`, `set_point`, ...; `private` and `reserved` for the rest.
    #[inline]
    #[must_use]
    pub fn space(self) -> &'static str {
        match self.row() {
            Some(row) => row.space,
            None if self.is_private() => "private",
            None => "reserved",
        }
    }

    /// Whether its information objects hold a value of a point: process information, commands with a value, parameters.
    #[inline]
    #[must_use]
    pub fn is_point(self) -> bool {
        self.row().is_some_and(|row| row.is_point)
    }

    /// Whether its address stands for nothing and is 0: system information but C_RD_NA_1 (IEC 60870-5-101 7.3.3 and
    /// 7.3.4).
    #[inline]
    #[must_use]
    pub const fn has_no_address(self) -> bool {
        matches!(self.0, 70 | 100 | 101 | 103..=107)
    }

    /// Whether it has the S/E bit: select or execute (IEC 60870-5-101 7.2.6.26 and 7.2.6.39).
    #[inline]
    #[must_use]
    pub const fn is_command_with_select(self) -> bool {
        matches!(self.0, 45..=50 | 58..=63)
    }

    /// Whether an activation of it is ended by an activation termination (cause 10).
    #[inline]
    #[must_use]
    pub fn terminates(self) -> bool {
        self.row().is_some_and(|row| row.causes & causes(&[10]) != 0)
    }

    /// The time tag of its information objects; the time that C_CS_NA_1 sets is none, nor are those of files.
    #[must_use]
    pub fn time_tag(self) -> TimeTag {
        match self.row().map(|row| row.elements) {
            Some([_, .., ShortTime]) => TimeTag::Cp24,
            Some([_, .., Time(_)]) if self.0 < 120 => TimeTag::Cp56,
            _ => TimeTag::None,
        }
    }

    /// The type identification of the same information without a time tag, or with the shorter one where there is none
    /// without: equal for all that differ in their time tag only.
    #[must_use]
    pub const fn without_time(self) -> Self {
        Self(match self.0 {
            2 | 4 | 6 | 8 | 10 | 12 | 14 | 16 => self.0.wrapping_sub(1),
            30 => 1,
            31 => 3,
            32 => 5,
            33 => 7,
            34 => 9,
            35 => 11,
            36 => 13,
            37 => 15,
            38..=40 => self.0.wrapping_sub(21),
            58..=64 => self.0.wrapping_sub(13),
            other => other,
        })
    }
}

/// A cause of transmission, 0 to 63, without the test and negative bits (IEC 60870-5-101 7.2.3). Open: 48 to 63 are
/// left to private use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause(pub u8);

impl Cause {
    /// Spontaneous.
    pub const SPONTANEOUS: Self = Self(3);
    /// Request or requested.
    pub const REQUEST: Self = Self(5);
    /// Activation.
    pub const ACTIVATION: Self = Self(6);
    /// Activation confirmation.
    pub const ACTIVATION_CONFIRMATION: Self = Self(7);
    /// Deactivation.
    pub const DEACTIVATION: Self = Self(8);
    /// Deactivation confirmation.
    pub const DEACTIVATION_CONFIRMATION: Self = Self(9);
    /// Activation termination.
    pub const ACTIVATION_TERMINATION: Self = Self(10);
    /// Unknown type identification.
    pub const UNKNOWN_TYPE_IDENTIFICATION: Self = Self(44);
    /// Unknown cause of transmission.
    pub const UNKNOWN_CAUSE_OF_TRANSMISSION: Self = Self(45);
    /// Unknown common address of ASDU.
    pub const UNKNOWN_COMMON_ADDRESS: Self = Self(46);
    /// Unknown information object address.
    pub const UNKNOWN_INFORMATION_OBJECT_ADDRESS: Self = Self(47);

    /// The name in records and texts; `None` where the standard does not define it. 14 to 16 are of IEC TS 60870-5-7.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "periodic",
            2 => "background_scan",
            3 => "spontaneous",
            4 => "initialized",
            5 => "request",
            6 => "activation",
            7 => "activation_confirmation",
            8 => "deactivation",
            9 => "deactivation_confirmation",
            10 => "activation_termination",
            11 => "return_information_caused_by_remote_command",
            12 => "return_information_caused_by_local_command",
            13 => "file_transfer",
            14 => "authentication",
            15 => "maintenance_of_authentication_session_key",
            16 => "maintenance_of_user_role_and_update_key",
            20 => "interrogated_by_station_interrogation",
            21 => "interrogated_by_group_1_interrogation",
            22 => "interrogated_by_group_2_interrogation",
            23 => "interrogated_by_group_3_interrogation",
            24 => "interrogated_by_group_4_interrogation",
            25 => "interrogated_by_group_5_interrogation",
            26 => "interrogated_by_group_6_interrogation",
            27 => "interrogated_by_group_7_interrogation",
            28 => "interrogated_by_group_8_interrogation",
            29 => "interrogated_by_group_9_interrogation",
            30 => "interrogated_by_group_10_interrogation",
            31 => "interrogated_by_group_11_interrogation",
            32 => "interrogated_by_group_12_interrogation",
            33 => "interrogated_by_group_13_interrogation",
            34 => "interrogated_by_group_14_interrogation",
            35 => "interrogated_by_group_15_interrogation",
            36 => "interrogated_by_group_16_interrogation",
            37 => "requested_by_general_counter_request",
            38 => "requested_by_group_1_counter_request",
            39 => "requested_by_group_2_counter_request",
            40 => "requested_by_group_3_counter_request",
            41 => "requested_by_group_4_counter_request",
            44 => "unknown_type_identification",
            45 => "unknown_cause_of_transmission",
            46 => "unknown_common_address",
            47 => "unknown_information_object_address",
            48..=63 => "private",
            _ => return None,
        })
    }

    /// Whether the standard leaves it to private use: 48 to 63.
    #[inline]
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self.0, 48..=63)
    }

    /// Whether the standard defines it or leaves it to private use; not so 0, 17 to 19, 42 and 43.
    #[inline]
    #[must_use]
    pub const fn is_defined(self) -> bool {
        matches!(self.0, 1..=16 | 20..=41 | 44..=63)
    }

    /// Whether the standard's table has it with a type identification (IEC 60870-5-104 9.5). Private causes go with
    /// every type, and private or reserved types with every cause that is defined. Unknown type identification (44)
    /// goes with every type: it mirrors what a station was sent, whatever that was.
    #[inline]
    #[must_use]
    pub fn allowed_with(self, type_id: TypeId) -> bool {
        match type_id.row() {
            Some(row) => {
                let allowed = row.causes | PRIVATE | causes(&[44]);
                allowed.checked_shr(u32::from(self.0)).is_some_and(|set| set & 1 == 1)
            }
            None => self.is_defined(),
        }
    }
}

/// The name of the control function of a U format APDU, by the first octet of its control field (IEC 60870-5-104 5.1):
/// exactly one function may be set.
#[must_use]
pub const fn u_format_name(octet: u8) -> Option<&'static str> {
    Some(match octet {
        0x07 => "startdt_act",
        0x0B => "startdt_con",
        0x13 => "stopdt_act",
        0x23 => "stopdt_con",
        0x43 => "testfr_act",
        0x83 => "testfr_con",
        _ => return None,
    })
}

/// The name of a QOI (IEC 60870-5-101 7.2.6.22); 64 to 255 are private, the rest reserved.
#[must_use]
pub const fn interrogation_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        20 => "station",
        21 => "group_1",
        22 => "group_2",
        23 => "group_3",
        24 => "group_4",
        25 => "group_5",
        26 => "group_6",
        27 => "group_7",
        28 => "group_8",
        29 => "group_9",
        30 => "group_10",
        31 => "group_11",
        32 => "group_12",
        33 => "group_13",
        34 => "group_14",
        35 => "group_15",
        36 => "group_16",
        64..=255 => "private",
        _ => return None,
    })
}

/// The name of the request (RQT, 0 to 63) of a QCC (IEC 60870-5-101 7.2.6.23); 32 to 63 are private.
#[must_use]
pub const fn counter_request_name(request: u8) -> Option<&'static str> {
    Some(match request {
        1 => "group_1",
        2 => "group_2",
        3 => "group_3",
        4 => "group_4",
        5 => "general",
        32..=63 => "private",
        _ => return None,
    })
}

/// The name of the freeze (FRZ, 0 to 3) of a QCC (IEC 60870-5-101 7.2.6.23).
#[must_use]
pub const fn counter_freeze_name(freeze: u8) -> Option<&'static str> {
    Some(match freeze {
        0 => "read",
        1 => "freeze_without_reset",
        2 => "freeze_with_reset",
        3 => "reset",
        _ => return None,
    })
}

/// The name of the kind of parameter (KPA, 0 to 63) of a QPM (IEC 60870-5-101 7.2.6.24); 32 to 63 are private.
#[must_use]
pub const fn parameter_kind_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "threshold",
        2 => "smoothing_factor",
        3 => "low_limit",
        4 => "high_limit",
        32..=63 => "private",
        _ => return None,
    })
}

/// The name of a QPA (IEC 60870-5-101 7.2.6.25); 128 to 255 are private.
#[must_use]
pub const fn parameter_activation_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        1 => "loaded_parameters",
        2 => "parameter_of_object",
        3 => "cyclic_transmission_of_object",
        128..=255 => "private",
        _ => return None,
    })
}

/// The name of a QU of a command, 0 to 31 (IEC 60870-5-101 7.2.6.26); 9 to 15 are for other predefined functions, 16 to
/// 31 private.
#[must_use]
pub const fn command_qualifier_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        0 => "no_additional_definition",
        1 => "short_pulse",
        2 => "long_pulse",
        3 => "persistent_output",
        9..=15 => "predefined",
        16..=31 => "private",
        _ => return None,
    })
}

/// The name of a QL of a set-point command, 0 to 127 (IEC 60870-5-101 7.2.6.39); 64 to 127 are private.
#[must_use]
pub const fn set_point_qualifier_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        0 => "default",
        64..=127 => "private",
        _ => return None,
    })
}

/// The name of a QRP (IEC 60870-5-101 7.2.6.27); 128 to 255 are private.
#[must_use]
pub const fn reset_process_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        1 => "general_reset_of_process",
        2 => "reset_of_pending_time_tagged_information",
        128..=255 => "private",
        _ => return None,
    })
}

/// The name of the cause of a COI, 0 to 127 (IEC 60870-5-101 7.2.6.21); 32 to 127 are private.
#[must_use]
pub const fn initialization_name(cause: u8) -> Option<&'static str> {
    Some(match cause {
        0 => "local_power_switch_on",
        1 => "local_manual_reset",
        2 => "remote_reset",
        32..=127 => "private",
        _ => return None,
    })
}

/// The name of what an SCQ asks for, 0 to 15 (IEC 60870-5-101 7.2.6.30); 11 to 15 are private.
#[must_use]
pub const fn select_and_call_name(call: u8) -> Option<&'static str> {
    Some(match call {
        0 => "default",
        1 => "select_file",
        2 => "request_file",
        3 => "deactivate_file",
        4 => "delete_file",
        5 => "select_section",
        6 => "request_section",
        7 => "deactivate_section",
        11..=15 => "private",
        _ => return None,
    })
}

/// The name of the error of an SCQ or AFQ, 0 to 15 (IEC 60870-5-101 7.2.6.30 and 7.2.6.32); 11 to 15 are private.
#[must_use]
pub const fn file_error_name(error: u8) -> Option<&'static str> {
    Some(match error {
        0 => "default",
        1 => "memory_not_available",
        2 => "checksum_failed",
        3 => "unexpected_communication_service",
        4 => "unexpected_name_of_file",
        5 => "unexpected_name_of_section",
        11..=15 => "private",
        _ => return None,
    })
}

/// The name of an LSQ (IEC 60870-5-101 7.2.6.31); 128 to 255 are private.
#[must_use]
pub const fn last_section_or_segment_name(qualifier: u8) -> Option<&'static str> {
    Some(match qualifier {
        1 => "file_transfer_without_deactivation",
        2 => "file_transfer_with_deactivation",
        3 => "section_transfer_without_deactivation",
        4 => "section_transfer_with_deactivation",
        128..=255 => "private",
        _ => return None,
    })
}

/// The name of the answer of an AFQ, 0 to 15 (IEC 60870-5-101 7.2.6.32); 11 to 15 are private.
#[must_use]
pub const fn acknowledgement_name(answer: u8) -> Option<&'static str> {
    Some(match answer {
        1 => "file_transfer_positive",
        2 => "file_transfer_negative",
        3 => "section_transfer_positive",
        4 => "section_transfer_negative",
        11..=15 => "private",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
