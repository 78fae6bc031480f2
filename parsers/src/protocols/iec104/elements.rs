//! Information elements: values, quality, qualifiers and times of one information object.

use super::codes::{self, ElementSize, TypeId};
use crate::error::Clause;
use crate::message::{PointValue, Quality, Value};

/// An information element (IEC 60870-5-101 7.2.6). A name beside it is that of its field in records, where the same
/// element stands for different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InformationElement {
    /// SIQ: single-point information with quality descriptor (7.2.6.1).
    SinglePoint,
    /// DIQ: double-point information with quality descriptor (7.2.6.2).
    DoublePoint,
    /// QDS: quality descriptor (7.2.6.3).
    Quality,
    /// QDP: quality descriptor for events of protection equipment (7.2.6.4).
    ProtectionQuality,
    /// VTI: value with transient state indication (7.2.6.5).
    StepPosition,
    /// NVA: normalized value (7.2.6.6).
    Normalized,
    /// SVA: scaled value (7.2.6.7).
    Scaled,
    /// R32-IEEE STD 754: short floating point number (7.2.6.8).
    ShortFloat,
    /// BCR: binary counter reading (7.2.6.9).
    CounterReading,
    /// SEP: single event of protection equipment (7.2.6.10).
    ProtectionEvent,
    /// SPE: start events of protection equipment (7.2.6.11).
    StartEvents,
    /// OCI: output circuit information of protection equipment (7.2.6.12).
    OutputCircuits,
    /// BSI: binary state information of 32 bits (7.2.6.13).
    Bitstring,
    /// FBP: fixed test bit pattern (7.2.6.14).
    TestPattern,
    /// SCO: single command (7.2.6.15).
    SingleCommand,
    /// DCO: double command (7.2.6.16).
    DoubleCommand,
    /// RCO: regulating step command (7.2.6.17).
    RegulatingStepCommand,
    /// CP56Time2a: date and time (7.2.6.18).
    Time(&'static str),
    /// CP24Time2a: minute and millisecond (7.2.6.19).
    ShortTime,
    /// CP16Time2a: elapsed milliseconds (7.2.6.20).
    Duration(&'static str),
    /// COI: cause of initialization (7.2.6.21).
    CauseOfInitialization,
    /// QOI: qualifier of interrogation (7.2.6.22).
    Interrogation,
    /// QCC: qualifier of counter interrogation command (7.2.6.23).
    CounterInterrogation,
    /// QPM: qualifier of parameter of measured values (7.2.6.24).
    MeasuredValueParameter,
    /// QPA: qualifier of parameter activation (7.2.6.25).
    ParameterActivation,
    /// QRP: qualifier of reset process command (7.2.6.27).
    ResetProcess,
    /// FRQ: file ready qualifier (7.2.6.28).
    FileReady,
    /// SRQ: section ready qualifier (7.2.6.29).
    SectionReady,
    /// SCQ: select and call qualifier (7.2.6.30).
    SelectAndCall,
    /// LSQ: last section or segment qualifier (7.2.6.31).
    LastSectionOrSegment,
    /// AFQ: acknowledge file or section qualifier (7.2.6.32).
    Acknowledgement,
    /// NOF: name of file (7.2.6.33).
    FileName,
    /// NOS: name of section (7.2.6.34).
    SectionName,
    /// LOF: length of file or section (7.2.6.35).
    FileLength,
    /// LOS: length of segment (7.2.6.36).
    SegmentLength,
    /// CHS: checksum (7.2.6.37).
    Checksum,
    /// SOF: status of file (7.2.6.38).
    FileStatus,
    /// QOS: qualifier of set-point command (7.2.6.39).
    SetPointQualifier,
    /// SCD: status and status change detection of 16 points (7.2.6.40).
    StatusAndChange,
    /// TSC: test sequence counter (IEC 60870-5-104 8.8).
    TestCounter,
    /// All octets that are left: a segment of a file.
    Octets(&'static str),
}

/// One information object without its address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// The value of its first information element: a bit of single points and commands, 0 to 3 of double ones, a share
    /// of 1 of normalized values, the number of all others. Of C_CS_NA_1 the time as in `time`, 0 where it is none.
    pub value: PointValue,
    /// What its quality descriptor says, of the value and of elapsed time alike; nothing where it has none.
    pub quality: Quality,
    /// CP56Time2a in ms since 1970-01-01T00:00:00 of the device's clock; `None` without one, where the device calls it
    /// invalid, or where it is no time.
    pub time: Option<u64>,
    /// Whether a command selects (true) or executes (false); `None` where its type has no S/E bit.
    pub select: Option<bool>,
    /// QU of single, double and step commands, QL of set-points, the whole octet of QOI, QCC, QPM, QPA, QRP and COI.
    pub qualifier: Option<u8>,
}

/// The bits of quality descriptors that all have (7.2.6.1 to 7.2.6.4).
const BLOCKED: u64 = 1 << 4;
const SUBSTITUTED: u64 = 1 << 5;
const NOT_TOPICAL: u64 = 1 << 6;
const INVALID: u64 = 1 << 7;
/// OV of QDS.
const OVERFLOW: u64 = 1;
/// EI of SEP and QDP: the elapsed time that follows is not valid.
const ELAPSED_TIME_INVALID: u64 = 1 << 3;

/// FBP (7.2.6.14).
const TEST_PATTERN: u64 = 0x55AA;
/// Milliseconds of a minute, hence the end of CP16Time2a and of the milliseconds of a time.
const MINUTE_MS: u64 = 60_000;

/// The least significant octet.
#[inline]
fn octet(raw: u64) -> u8 {
    let [octet, ..] = raw.to_le_bytes();
    octet
}

#[inline]
fn signed_16(raw: u64) -> i16 {
    let [a, b, ..] = raw.to_le_bytes();
    i16::from_le_bytes([a, b])
}

#[inline]
fn four(raw: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    [a, b, c, d]
}

/// VTI: seven bits with a sign.
#[inline]
fn step_position(raw: u64) -> i8 {
    i8::from_le_bytes([octet(raw << 1)]) >> 1
}

/// Quality of a descriptor's octet without its particular bits.
#[inline]
fn common_quality(raw: u64) -> Quality {
    if raw & 0xF0 == 0 {
        return Quality(0);
    }
    [
        (BLOCKED, Quality::BLOCKED),
        (SUBSTITUTED, Quality::SUBSTITUTED),
        (NOT_TOPICAL, Quality::NOT_TOPICAL),
        (INVALID, Quality::INVALID),
    ]
    .into_iter()
    .filter(|(bit, _)| raw & bit != 0)
    .fold(Quality(0), |quality, (_, said)| quality.and(said))
}

/// Quality of a descriptor of protection equipment.
#[inline]
fn protection_quality(raw: u64) -> Quality {
    common_quality(raw).and(quality_if(raw & ELAPSED_TIME_INVALID != 0, Quality::INVALID))
}

#[inline]
fn quality_if(set: bool, quality: Quality) -> Quality {
    if set { quality } else { Quality(0) }
}

/// Days of each month of a common year, and days of the year before it.
const MONTHS: [(u64, u64); 12] = [
    (31, 0),
    (28, 31),
    (31, 59),
    (30, 90),
    (31, 120),
    (30, 151),
    (31, 181),
    (31, 212),
    (30, 243),
    (31, 273),
    (30, 304),
    (31, 334),
];

/// The parts of a CP56Time2a.
struct Clock {
    millisecond: u64,
    minute: u64,
    invalid: bool,
    hour: u64,
    day: u64,
    month: u64,
    year: u64,
}

impl Clock {
    #[inline]
    fn new(raw: u64) -> Self {
        Self {
            millisecond: raw & 0xFFFF,
            minute: raw >> 16 & 0x3F,
            invalid: raw >> 23 & 1 == 1,
            hour: raw >> 24 & 0x1F,
            day: raw >> 32 & 0x1F,
            month: raw >> 40 & 0x0F,
            year: raw >> 48 & 0x7F,
        }
    }

    /// Days of the month, and days of its year before it; `None` where there is no such month.
    #[inline]
    fn month(&self) -> Option<(u64, u64)> {
        let (days, before) = *MONTHS.get(usize::try_from(self.month.checked_sub(1)?).ok()?)?;
        // Every fourth year of 2000 to 2099 is a leap year.
        let leap_day = u64::from(self.year & 3 == 0);
        Some(match self.month {
            1 => (days, before),
            2 => (days.saturating_add(leap_day), before),
            _ => (days, before.saturating_add(leap_day)),
        })
    }

    /// The first part that is out of its range; nothing is asked of a time that calls itself invalid.
    #[inline]
    fn fault(&self) -> Option<(&'static str, u64)> {
        if self.invalid {
            return None;
        }
        let days = self.month().map_or(31, |(days, _)| days);
        if self.millisecond >= MINUTE_MS {
            Some(("millisecond", self.millisecond))
        } else if self.minute > 59 {
            Some(("minute", self.minute))
        } else if self.hour > 23 {
            Some(("hour", self.hour))
        } else if !(1..=12).contains(&self.month) {
            Some(("month", self.month))
        } else if !(1..=days).contains(&self.day) {
            Some(("day_of_month", self.day))
        } else if self.year > 99 {
            Some(("year", self.year))
        } else {
            None
        }
    }

    /// Milliseconds since 1970 of the device's clock, taking the year for one of 2000 to 2099.
    #[inline]
    fn since_1970(&self) -> Option<u64> {
        if self.invalid || self.fault().is_some() {
            return None;
        }
        let (_, before) = self.month()?;
        // 10957 days from 1970 to 2000; one leap day each fourth year, the first in 2000 itself.
        let days = 10_957_u64
            .saturating_add(self.year.saturating_mul(365))
            .saturating_add(self.year.saturating_add(3) >> 2)
            .saturating_add(before)
            .saturating_add(self.day)
            .saturating_sub(1);
        let minutes = days.saturating_mul(24).saturating_add(self.hour).saturating_mul(60).saturating_add(self.minute);
        Some(minutes.saturating_mul(MINUTE_MS).saturating_add(self.millisecond))
    }
}

/// What a CP24Time2a holds that is no time; nothing is asked of one that calls itself invalid.
#[inline]
fn short_time_fault(raw: u64) -> Option<(&'static str, u64)> {
    let (millisecond, minute, invalid) = (raw & 0xFFFF, raw >> 16 & 0x3F, raw >> 23 & 1 == 1);
    if invalid {
        None
    } else if millisecond >= MINUTE_MS {
        Some(("millisecond", millisecond))
    } else if minute > 59 {
        Some(("minute", minute))
    } else {
        None
    }
}

/// What the information elements before one say that bears on whether it is right.
#[derive(Default)]
struct Before {
    /// A floating point number that is none: wrong, unless the quality after it says so too.
    not_finite: Option<(&'static str, u64)>,
    elapsed_time_invalid: bool,
    segment_length: Option<u64>,
}

impl InformationElement {
    /// Its octets; `None` for as many as are left.
    #[must_use]
    pub const fn octets(self) -> Option<usize> {
        Some(match self {
            Self::SinglePoint
            | Self::DoublePoint
            | Self::Quality
            | Self::ProtectionQuality
            | Self::StepPosition
            | Self::ProtectionEvent
            | Self::StartEvents
            | Self::OutputCircuits
            | Self::SingleCommand
            | Self::DoubleCommand
            | Self::RegulatingStepCommand
            | Self::CauseOfInitialization
            | Self::Interrogation
            | Self::CounterInterrogation
            | Self::MeasuredValueParameter
            | Self::ParameterActivation
            | Self::ResetProcess
            | Self::FileReady
            | Self::SectionReady
            | Self::SelectAndCall
            | Self::LastSectionOrSegment
            | Self::Acknowledgement
            | Self::SectionName
            | Self::SegmentLength
            | Self::Checksum
            | Self::FileStatus
            | Self::SetPointQualifier => 1,
            Self::Normalized
            | Self::Scaled
            | Self::TestPattern
            | Self::Duration(_)
            | Self::FileName
            | Self::TestCounter => 2,
            Self::ShortTime | Self::FileLength => 3,
            Self::ShortFloat | Self::Bitstring | Self::StatusAndChange => 4,
            Self::CounterReading => 5,
            Self::Time(_) => 7,
            Self::Octets(_) => return None,
        })
    }

    /// What it says as the first of an information object: the value, and what stands in the same octets.
    #[inline]
    fn first(self, raw: u64) -> Element {
        let mut element = Element {
            value: PointValue::Unsigned(raw),
            quality: Quality(0),
            time: None,
            select: None,
            qualifier: None,
        };
        match self {
            Self::SinglePoint => {
                element.value = PointValue::Bit(raw & 1 == 1);
                element.quality = common_quality(raw);
            }
            Self::DoublePoint => {
                element.value = PointValue::Unsigned(raw & 3);
                element.quality = common_quality(raw);
            }
            Self::StepPosition => element.value = PointValue::Signed(step_position(raw).into()),
            Self::Normalized => element.value = PointValue::Real(f64::from(signed_16(raw)) / 32_768.0),
            Self::Scaled => element.value = PointValue::Signed(signed_16(raw).into()),
            Self::ShortFloat => element.value = PointValue::Real(f32::from_le_bytes(four(raw)).into()),
            // A carry is how a counter goes on past its end; an adjustment is not.
            Self::CounterReading => {
                element.value = PointValue::Signed(i32::from_le_bytes(four(raw)).into());
                element.quality = quality_if(raw >> 39 & 1 == 1, Quality::INVALID)
                    .and(quality_if(raw >> 38 & 1 == 1, Quality::REFERENCE));
            }
            Self::ProtectionEvent => {
                element.value = PointValue::Unsigned(raw & 3);
                element.quality = protection_quality(raw);
            }
            Self::StatusAndChange => element.value = PointValue::Unsigned(raw & 0xFFFF),
            Self::SingleCommand | Self::DoubleCommand | Self::RegulatingStepCommand => {
                element.value = match self {
                    Self::SingleCommand => PointValue::Bit(raw & 1 == 1),
                    _ => PointValue::Unsigned(raw & 3),
                };
                element.select = Some(raw & 0x80 != 0);
                element.qualifier = Some(octet(raw >> 2 & 0x1F));
            }
            Self::Interrogation
            | Self::CounterInterrogation
            | Self::ParameterActivation
            | Self::ResetProcess
            | Self::CauseOfInitialization => element.qualifier = Some(octet(raw)),
            Self::Time(_) => {
                element.time = Clock::new(raw).since_1970();
                element.value = PointValue::Unsigned(element.time.unwrap_or(0));
            }
            _ => {}
        }
        element
    }

    /// What it says of the value that stands before it.
    #[inline]
    fn beside(self, raw: u64, element: &mut Element) {
        match self {
            Self::Quality => {
                element.quality = common_quality(raw).and(quality_if(raw & OVERFLOW != 0, Quality::OVERFLOW));
            }
            Self::ProtectionQuality => element.quality = protection_quality(raw),
            Self::SetPointQualifier => {
                element.select = Some(raw & 0x80 != 0);
                element.qualifier = Some(octet(raw & 0x7F));
            }
            Self::MeasuredValueParameter => element.qualifier = Some(octet(raw)),
            Self::Time(_) => element.time = Clock::new(raw).since_1970(),
            _ => {}
        }
    }

    /// What the standard does not allow in it after what stood before it.
    #[inline]
    fn fault(self, raw: u64, octets: &[u8], before: &mut Before) -> Option<(&'static str, u64)> {
        let forbidden = |field, got, is_forbidden: bool| is_forbidden.then_some((field, got));
        match self {
            Self::ShortFloat => {
                let is_finite = f32::from_le_bytes(four(raw)).is_finite();
                before.not_finite = forbidden("short_floating_point_number", raw, !is_finite);
                None
            }
            Self::SinglePoint => forbidden("quality_descriptor", raw, raw & 0x0E != 0),
            Self::DoublePoint => forbidden("quality_descriptor", raw, raw & 0x0C != 0),
            Self::Quality => {
                if raw & (INVALID | OVERFLOW) != 0 {
                    before.not_finite = None;
                }
                forbidden("quality_descriptor", raw, raw & 0x0E != 0)
            }
            Self::ProtectionQuality => {
                before.elapsed_time_invalid = raw & ELAPSED_TIME_INVALID != 0;
                forbidden("quality_descriptor", raw, raw & 0x07 != 0)
            }
            Self::ProtectionEvent => {
                before.elapsed_time_invalid = raw & ELAPSED_TIME_INVALID != 0;
                forbidden("quality_descriptor", raw, raw & 0x04 != 0)
            }
            Self::StartEvents => forbidden("start_events", raw, raw & 0xC0 != 0),
            Self::OutputCircuits => forbidden("output_circuits", raw, raw & 0xF0 != 0),
            Self::TestPattern => forbidden("fixed_test_bit_pattern", raw, raw != TEST_PATTERN),
            Self::SingleCommand => {
                forbidden("single_command", raw, raw & 0x02 != 0).or_else(|| Self::command_qualifier_fault(raw))
            }
            Self::DoubleCommand => forbidden("double_command_state", raw & 3, matches!(raw & 3, 0 | 3))
                .or_else(|| Self::command_qualifier_fault(raw)),
            Self::RegulatingStepCommand => {
                forbidden("regulating_step_command_state", raw & 3, matches!(raw & 3, 0 | 3))
                    .or_else(|| Self::command_qualifier_fault(raw))
            }
            Self::Time(_) => Clock::new(raw).fault().or_else(|| {
                let reserved = raw & 0x80_F000_6000_0000;
                forbidden("time_reserved_bits", reserved, reserved != 0 && raw >> 23 & 1 == 0)
            }),
            Self::ShortTime => short_time_fault(raw),
            Self::Duration(field) => forbidden(field, raw, raw >= MINUTE_MS && !before.elapsed_time_invalid),
            Self::CauseOfInitialization => {
                forbidden("cause_of_initialization", raw & 0x7F, matches!(raw & 0x7F, 3..=31))
            }
            Self::Interrogation => forbidden("qualifier_of_interrogation", raw, matches!(raw, 0..=19 | 37..=63)),
            Self::CounterInterrogation => forbidden("counter_request", raw & 0x3F, matches!(raw & 0x3F, 0 | 6..=31)),
            Self::MeasuredValueParameter => {
                forbidden("kind_of_parameter", raw & 0x3F, matches!(raw & 0x3F, 0 | 5..=31))
            }
            Self::ParameterActivation => {
                forbidden("qualifier_of_parameter_activation", raw, matches!(raw, 0 | 4..=127))
            }
            Self::ResetProcess => forbidden("qualifier_of_reset_process_command", raw, matches!(raw, 0 | 3..=127)),
            Self::FileReady => forbidden("file_ready_qualifier", raw & 0x7F, matches!(raw & 0x7F, 1..=63)),
            Self::SectionReady => forbidden("section_ready_qualifier", raw & 0x7F, matches!(raw & 0x7F, 1..=63)),
            Self::SelectAndCall => {
                forbidden("select_and_call_qualifier", raw, matches!(raw & 0x0F, 8..=10) || matches!(raw >> 4, 6..=10))
            }
            Self::LastSectionOrSegment => {
                forbidden("last_section_or_segment_qualifier", raw, matches!(raw, 0 | 5..=127))
            }
            Self::Acknowledgement => forbidden(
                "acknowledge_file_or_section_qualifier",
                raw,
                matches!(raw & 0x0F, 5..=10) || matches!(raw >> 4, 6..=10),
            ),
            Self::FileStatus => forbidden("status_of_file", raw & 0x1F, matches!(raw & 0x1F, 1..=15)),
            Self::SetPointQualifier => {
                forbidden("qualifier_of_set_point_command", raw & 0x7F, matches!(raw & 0x7F, 1..=63))
            }
            Self::SegmentLength => {
                before.segment_length = Some(raw);
                None
            }
            Self::Octets(_) => before
                .segment_length
                .filter(|length| usize::try_from(*length) != Ok(octets.len()))
                .map(|length| ("length_of_segment", length)),
            _ => None,
        }
    }

    /// QU of a command: 4 to 8 are reserved (7.2.6.26).
    #[inline]
    fn command_qualifier_fault(raw: u64) -> Option<(&'static str, u64)> {
        let qualifier = raw >> 2 & 0x1F;
        matches!(qualifier, 4..=8).then_some(("qualifier_of_command", qualifier))
    }

    fn fields(self, raw: u64, octets: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let number = Value::Unsigned;
        let named = |name: Option<&'static str>| name.map_or(Value::Null, Value::Name);
        match self {
            Self::SinglePoint => {
                visit("single_point_information", Value::Bool(raw & 1 == 1));
                flags(raw, QUALITY, visit);
            }
            Self::DoublePoint => {
                visit("double_point_information", number(raw & 3));
                visit("double_point", Value::Name(double_point_name(raw)));
                flags(raw, QUALITY, visit);
            }
            Self::Quality => {
                flags(raw, &[(OVERFLOW, "overflow")], visit);
                flags(raw, QUALITY, visit);
            }
            Self::ProtectionQuality => protection_flags(raw, visit),
            Self::StepPosition => {
                visit("step_position", Value::Signed(step_position(raw).into()));
                visit("transient", Value::Bool(raw & 0x80 != 0));
            }
            Self::Normalized => visit("normalized_value", Value::Real(f64::from(signed_16(raw)) / 32_768.0)),
            Self::Scaled => visit("scaled_value", Value::Signed(signed_16(raw).into())),
            Self::ShortFloat => {
                visit("short_floating_point_number", Value::Real(f32::from_le_bytes(four(raw)).into()));
            }
            Self::CounterReading => {
                visit("counter_reading", Value::Signed(i32::from_le_bytes(four(raw)).into()));
                visit("sequence_number", number(raw >> 32 & 0x1F));
                flags(raw >> 32, &[(1 << 5, "carry"), (1 << 6, "counter_adjusted"), (1 << 7, "invalid")], visit);
            }
            Self::ProtectionEvent => {
                visit("event_state", number(raw & 3));
                visit("event", Value::Name(double_point_name(raw)));
                protection_flags(raw, visit);
            }
            Self::StartEvents => {
                visit("start_events", number(raw));
                flags(raw, START_EVENTS, visit);
            }
            Self::OutputCircuits => {
                visit("output_circuits", number(raw));
                flags(raw, OUTPUT_CIRCUITS, visit);
            }
            Self::Bitstring => visit("bitstring", number(raw)),
            Self::TestPattern => visit("fixed_test_bit_pattern", number(raw)),
            Self::SingleCommand => {
                visit("single_command_state", Value::Bool(raw & 1 == 1));
                command_fields(raw, visit);
            }
            Self::DoubleCommand => {
                visit("double_command_state", number(raw & 3));
                visit("double_command", choice(raw & 3, "off", "on"));
                command_fields(raw, visit);
            }
            Self::RegulatingStepCommand => {
                visit("regulating_step_command_state", number(raw & 3));
                visit("regulating_step_command", choice(raw & 3, "next_step_lower", "next_step_higher"));
                command_fields(raw, visit);
            }
            Self::Time(name) => {
                visit(name, Clock::new(raw).since_1970().map_or(Value::Null, Value::Unsigned));
                flags(
                    raw,
                    &[(1 << 22, "time_substituted"), (1 << 23, "time_invalid"), (1 << 31, "summer_time")],
                    visit,
                );
            }
            Self::ShortTime => {
                visit("minute", number(raw >> 16 & 0x3F));
                visit("millisecond", number(raw & 0xFFFF));
                flags(raw, &[(1 << 22, "time_substituted"), (1 << 23, "time_invalid")], visit);
            }
            Self::Duration(name) => visit(name, number(raw)),
            Self::CauseOfInitialization => {
                visit("cause_of_initialization", number(raw & 0x7F));
                visit("initialization", named(codes::initialization_name(octet(raw & 0x7F))));
                flags(raw, &[(1 << 7, "local_parameters_changed")], visit);
            }
            Self::Interrogation => {
                visit("qualifier_of_interrogation", number(raw));
                visit("interrogation", named(codes::interrogation_name(octet(raw))));
            }
            Self::CounterInterrogation => {
                visit("counter_request", number(raw & 0x3F));
                visit("counters", named(codes::counter_request_name(octet(raw & 0x3F))));
                visit("counter_freeze", number(raw >> 6));
                visit("freeze", named(codes::counter_freeze_name(octet(raw >> 6))));
            }
            Self::MeasuredValueParameter => {
                visit("kind_of_parameter", number(raw & 0x3F));
                visit("parameter", named(codes::parameter_kind_name(octet(raw & 0x3F))));
                let changes = &[(1 << 6, "local_parameter_change"), (1 << 7, "parameter_not_in_operation")];
                flags(raw, changes, visit);
            }
            Self::ParameterActivation => {
                visit("qualifier_of_parameter_activation", number(raw));
                visit("parameter_activation", named(codes::parameter_activation_name(octet(raw))));
            }
            Self::ResetProcess => {
                visit("qualifier_of_reset_process_command", number(raw));
                visit("reset_process", named(codes::reset_process_name(octet(raw))));
            }
            Self::FileReady => {
                visit("file_ready_qualifier", number(raw & 0x7F));
                visit("negative_confirmation", Value::Bool(raw & 0x80 != 0));
            }
            Self::SectionReady => {
                visit("section_ready_qualifier", number(raw & 0x7F));
                visit("section_not_ready", Value::Bool(raw & 0x80 != 0));
            }
            Self::SelectAndCall => {
                visit("select_and_call_qualifier", number(raw));
                visit("call", named(codes::select_and_call_name(octet(raw & 0x0F))));
                visit("file_error", named(codes::file_error_name(octet(raw >> 4))));
            }
            Self::LastSectionOrSegment => {
                visit("last_section_or_segment_qualifier", number(raw));
                visit("last_section_or_segment", named(codes::last_section_or_segment_name(octet(raw))));
            }
            Self::Acknowledgement => {
                visit("acknowledge_file_or_section_qualifier", number(raw));
                visit("acknowledgement", named(codes::acknowledgement_name(octet(raw & 0x0F))));
                visit("file_error", named(codes::file_error_name(octet(raw >> 4))));
            }
            Self::FileName => visit("name_of_file", number(raw)),
            Self::SectionName => visit("name_of_section", number(raw)),
            Self::FileLength => visit("length_of_file_or_section", number(raw)),
            Self::SegmentLength => visit("length_of_segment", number(raw)),
            Self::Checksum => visit("checksum", number(raw)),
            Self::FileStatus => {
                visit("status_of_file", number(raw & 0x1F));
                flags(raw, &[(1 << 5, "last_file_of_directory"), (1 << 6, "is_directory"), (1 << 7, "active")], visit);
            }
            Self::SetPointQualifier => {
                visit("qualifier_of_set_point_command", number(raw & 0x7F));
                visit("select", Value::Bool(raw & 0x80 != 0));
            }
            Self::StatusAndChange => {
                let (status, changed) = octets.split_at_checked(2).unwrap_or_default();
                visit("status", Value::Bits(status, 16));
                visit("status_change_detected", Value::Bits(changed, 16));
            }
            Self::TestCounter => visit("test_sequence_counter", number(raw)),
            Self::Octets(name) => visit(name, Value::Octets(octets)),
        }
    }
}

/// Names of the bits that all quality descriptors share.
const QUALITY: &[(u64, &str)] =
    &[(BLOCKED, "blocked"), (SUBSTITUTED, "substituted"), (NOT_TOPICAL, "not_topical"), (INVALID, "invalid")];

const START_EVENTS: &[(u64, &str)] = &[
    (1, "general_start"),
    (1 << 1, "start_l1"),
    (1 << 2, "start_l2"),
    (1 << 3, "start_l3"),
    (1 << 4, "start_earth_current"),
    (1 << 5, "start_reverse_direction"),
];

const OUTPUT_CIRCUITS: &[(u64, &str)] =
    &[(1, "general_command"), (1 << 1, "command_l1"), (1 << 2, "command_l2"), (1 << 3, "command_l3")];

/// Tells the bits that are set.
fn flags(raw: u64, names: &[(u64, &'static str)], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    for (bit, name) in names {
        if raw & bit != 0 {
            visit(name, Value::Bool(true));
        }
    }
}

fn protection_flags(raw: u64, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    flags(raw, &[(ELAPSED_TIME_INVALID, "elapsed_time_invalid")], visit);
    flags(raw, QUALITY, visit);
}

fn command_fields(raw: u64, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    let qualifier = raw >> 2 & 0x1F;
    visit("qualifier_of_command", Value::Unsigned(qualifier));
    visit("command_output", codes::command_qualifier_name(octet(qualifier)).map_or(Value::Null, Value::Name));
    visit("select", Value::Bool(raw & 0x80 != 0));
}

/// DPI of a double point, ES of a protection event (7.2.6.2 and 7.2.6.10).
fn double_point_name(raw: u64) -> &'static str {
    match raw & 3 {
        0 => "indeterminate_or_intermediate",
        1 => "off",
        2 => "on",
        _ => "indeterminate",
    }
}

/// The name of a state of a command that has two.
fn choice(state: u64, one: &'static str, two: &'static str) -> Value<'static> {
    match state {
        1 => Value::Name(one),
        2 => Value::Name(two),
        _ => Value::Null,
    }
}

/// The next so many octets.
#[inline]
fn next<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (octets, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*octets)
}

/// The next octets as a number, least significant first; 0 where it takes all that are left.
#[inline]
fn number(element: InformationElement, rest: &mut &[u8]) -> Option<u64> {
    Some(match element.octets() {
        Some(1) => u8::from_le_bytes(next(rest)?).into(),
        Some(2) => u16::from_le_bytes(next(rest)?).into(),
        Some(3) => {
            let [a, b, c] = next(rest)?;
            u32::from_le_bytes([a, b, c, 0]).into()
        }
        Some(4) => u32::from_le_bytes(next(rest)?).into(),
        Some(5) => {
            let [a, b, c, d, e] = next(rest)?;
            u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
        }
        Some(7) => {
            let [a, b, c, d, e, f, g] = next(rest)?;
            u64::from_le_bytes([a, b, c, d, e, f, g, 0])
        }
        // There is none of another size.
        Some(_) => return None,
        None => {
            *rest = &[];
            0
        }
    })
}

/// Looks at the information elements of one object until something is found: each with its octets as a number, least
/// significant first, and as they stand. Looks at none where the octets are others than the type's.
// Not an iterator: each caller has a copy of its own, into which all of it is inlined.
#[inline]
fn look<T>(
    type_id: TypeId,
    octets: &[u8],
    mut at: impl FnMut(InformationElement, u64, &[u8]) -> Option<T>,
) -> Option<T> {
    let row = type_id.row()?;
    // Of a variable size, a shorter one ends the loop early.
    if let ElementSize::Fixed(size) = row.size
        && octets.len() != size
    {
        return None;
    }
    let mut rest = octets;
    for element in row.elements {
        let from = rest;
        let raw = number(*element, &mut rest)?;
        let octets = from.get(..from.len().saturating_sub(rest.len())).unwrap_or(from);
        if let Some(found) = at(*element, raw, octets) {
            return Some(found);
        }
    }
    None
}

/// One information object's octets without its address, as a value with all that belongs to it.
///
/// `None` where they are not as many as the type identification wants, and for types without a value: C_RD_NA_1, file
/// transfer, authentication, private and reserved ones.
#[inline]
#[must_use]
pub fn read(type_id: TypeId, element: &[u8]) -> Option<Element> {
    if type_id.0 >= 120 || matches!(type_id.0, 81..=95) {
        return None;
    }
    let mut read = None;
    look(type_id, element, |part, raw, _| {
        match &mut read {
            None => read = Some(part.first(raw)),
            Some(read) => part.beside(raw, read),
        }
        None::<()>
    });
    read
}

/// Names and values of one information object's octets, in the standard's order.
///
/// Bits of quality and the like are told where they are set. Nothing is told where the octets are not as many as the
/// type identification wants, and for private and reserved ones.
pub fn fields(type_id: TypeId, element: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    look(type_id, element, |part, raw, octets| {
        part.fields(raw, octets, visit);
        None::<()>
    });
}

/// The first thing in one information object's octets that the standard does not allow, by its field and what it held:
/// reserved qualifiers and bits, command states that are not permitted, numbers that are none, times that are none.
///
/// What the device itself calls invalid is not judged: a time with IV, an elapsed time with EI, a floating point number
/// with IV or OV. Nor is the number of octets: the ASDU's length tells that.
#[inline]
#[must_use]
pub fn fault(type_id: TypeId, element: &[u8]) -> Option<(&'static str, u64)> {
    let mut before = Before::default();
    look(type_id, element, |part, raw, octets| part.fault(raw, octets, &mut before)).or(before.not_finite)
}

/// The part of the first time in one information object's octets that is out of its range: `month`, `minute`, ...;
/// `None` where there is no time, where it is one, and where it calls itself invalid.
#[must_use]
pub fn time_fault(type_id: TypeId, element: &[u8]) -> Option<&'static str> {
    look(type_id, element, |part, raw, _| match part {
        InformationElement::Time(_) => Clock::new(raw).fault().map(|(field, _)| field),
        InformationElement::ShortTime => short_time_fault(raw).map(|(field, _)| field),
        _ => None,
    })
}

/// The clause that a field of [`fault`] was held against.
#[must_use]
pub fn clause(field: &str) -> Clause {
    Clause(match field {
        "quality_descriptor" => "IEC 60870-5-101 7.2.6.3",
        "short_floating_point_number" => "IEC 60870-5-101 7.2.6.8",
        "start_events" => "IEC 60870-5-101 7.2.6.11",
        "output_circuits" => "IEC 60870-5-101 7.2.6.12",
        "fixed_test_bit_pattern" => "IEC 60870-5-101 7.2.6.14",
        "single_command" => "IEC 60870-5-101 7.2.6.15",
        "double_command_state" => "IEC 60870-5-101 7.2.6.16",
        "regulating_step_command_state" => "IEC 60870-5-101 7.2.6.17",
        "millisecond" | "minute" | "hour" | "day_of_month" | "month" | "year" | "time_reserved_bits" => {
            "IEC 60870-5-101 7.2.6.18"
        }
        "elapsed_time" | "relay_duration_time" | "relay_operating_time" | "delay" => "IEC 60870-5-101 7.2.6.20",
        "cause_of_initialization" => "IEC 60870-5-101 7.2.6.21",
        "qualifier_of_interrogation" => "IEC 60870-5-101 7.2.6.22",
        "counter_request" => "IEC 60870-5-101 7.2.6.23",
        "kind_of_parameter" => "IEC 60870-5-101 7.2.6.24",
        "qualifier_of_parameter_activation" => "IEC 60870-5-101 7.2.6.25",
        "qualifier_of_command" => "IEC 60870-5-101 7.2.6.26",
        "qualifier_of_reset_process_command" => "IEC 60870-5-101 7.2.6.27",
        "file_ready_qualifier" => "IEC 60870-5-101 7.2.6.28",
        "section_ready_qualifier" => "IEC 60870-5-101 7.2.6.29",
        "select_and_call_qualifier" => "IEC 60870-5-101 7.2.6.30",
        "last_section_or_segment_qualifier" => "IEC 60870-5-101 7.2.6.31",
        "acknowledge_file_or_section_qualifier" => "IEC 60870-5-101 7.2.6.32",
        "length_of_segment" => "IEC 60870-5-101 7.2.6.36",
        "status_of_file" => "IEC 60870-5-101 7.2.6.38",
        "qualifier_of_set_point_command" => "IEC 60870-5-101 7.2.6.39",
        _ => "IEC 60870-5-101 7.2.6",
    })
}

#[cfg(test)]
mod tests;
