//! What one object is, for every group and variation of IEEE 1815 Annex A: its name, its size, its elements.

use crate::message::{PointValue, Quality};

/// What one object takes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Nothing: the type only names what is asked for, as classes do.
    Nothing,
    /// So many bits, packed from the least significant bit of the first octet on: 1 or 2.
    Bits(u8),
    /// So many octets.
    Octets(u8),
    /// As many octets as the variation's number says: octet strings.
    Variation,
    /// A head of `head` octets with a 16-bit count at octet `at`, and that many items of `item` octets.
    Counted {
        /// Octets before the first item.
        head: u8,
        /// Where in the head the count stands.
        at: u8,
        /// Octets of one item.
        item: u8,
    },
    /// Data type code, length, and that many octets: device attributes.
    Attribute,
    /// Only a size prefix tells.
    Prefixed,
}

/// What the octet that goes with a value says (IEEE 1815 11.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flags {
    /// There is none.
    Absent,
    /// ONLINE to LOCAL_FORCED, CHATTER_FILTER; the state above.
    Input,
    /// ONLINE to LOCAL_FORCED; the state above.
    Output,
    /// ONLINE to LOCAL_FORCED, ROLLOVER (obsolete, not heeded), DISCONTINUITY.
    Counter,
    /// ONLINE to LOCAL_FORCED, OVER_RANGE, REFERENCE_ERR.
    Analog,
    /// A command status code in the bits 0 to 6, before the value.
    Status,
    /// A command status code in the bits 0 to 6, after the value: analogue output blocks.
    StatusBehind,
}

/// What the value of an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// There is none, or none that a point has: so many octets.
    Other(u8),
    /// Bit 7 of the flags.
    State,
    /// Bits 6 and 7 of the flags: 0 intermediate, 1 off, 2 on, 3 indeterminate.
    DoubleBitState,
    /// A packed bit.
    Bit,
    /// A packed pair of bits.
    DoubleBit,
    /// One octet.
    Unsigned8,
    /// Two octets.
    Unsigned16,
    /// Four octets.
    Unsigned32,
    /// Two octets, two's complement.
    Signed16,
    /// Four octets, two's complement.
    Signed32,
    /// IEEE 754 single precision.
    Real32,
    /// IEEE 754 double precision.
    Real64,
    /// Packed decimal digits, two an octet, the lowest first: so many octets.
    Decimal(u8),
    /// Two octets of association identifier, then a counter of four (g121, g122).
    Statistic,
    /// The control code of a block of 11 octets (g12).
    ControlCode,
}

/// The time that goes with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// There is none.
    Absent,
    /// 48 bits: ms since 1970-01-01T00:00:00.
    Absolute,
    /// 16 bits: ms since the common time of occurrence before it.
    Relative,
}

/// One row of the table of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectType {
    /// The object group.
    pub group: u8,
    /// The variation; 0 asks for whichever the outstation chooses.
    pub variation: u8,
    /// The standard's name in whole words.
    pub name: &'static str,
    /// What one object takes.
    pub size: Size,
    /// What goes with the value.
    pub flags: Flags,
    /// The value.
    pub number: Number,
    /// The time.
    pub time: Time,
}

impl Number {
    /// The value at the start of `octets`, the flags being `flags`, and what the octets come to beside those.
    ///
    /// `None` where it is no point's value, or where octets are missing.
    #[inline(always)]
    #[must_use]
    pub fn read(self, flags: u8, octets: &[u8]) -> Option<(PointValue, Quality)> {
        let value = match self {
            Self::State => PointValue::Bit(flags & 0x80 != 0),
            Self::DoubleBitState => PointValue::Unsigned(u64::from(flags.wrapping_shr(6))),
            Self::Unsigned8 | Self::ControlCode => PointValue::Unsigned(u64::from(*octets.first()?)),
            Self::Unsigned16 => PointValue::Unsigned(u64::from(u16::from_le_bytes(*octets.first_chunk()?))),
            Self::Unsigned32 => PointValue::Unsigned(u64::from(u32::from_le_bytes(*octets.first_chunk()?))),
            Self::Signed16 => PointValue::Signed(i64::from(i16::from_le_bytes(*octets.first_chunk()?))),
            Self::Signed32 => PointValue::Signed(i64::from(i32::from_le_bytes(*octets.first_chunk()?))),
            Self::Real32 => PointValue::Real(f64::from(f32::from_le_bytes(*octets.first_chunk()?))),
            Self::Real64 => PointValue::Real(f64::from_le_bytes(*octets.first_chunk()?)),
            Self::Decimal(digits) => {
                let (value, is_decimal) = decimal(octets.get(..usize::from(digits))?);
                let quality = if is_decimal { Quality(0) } else { Quality::INVALID };
                return Some((PointValue::Unsigned(value), quality));
            }
            Self::Statistic => {
                let (_association, octets) = octets.split_first_chunk::<2>()?;
                PointValue::Unsigned(u64::from(u32::from_le_bytes(*octets.first_chunk()?)))
            }
            Self::Bit | Self::DoubleBit | Self::Other(_) => return None,
        };
        Some((value, Quality(0)))
    }

    /// Octets beside the flags.
    #[must_use]
    pub const fn octets(self) -> u8 {
        match self {
            Self::State | Self::DoubleBitState | Self::Bit | Self::DoubleBit => 0,
            Self::Unsigned8 => 1,
            Self::Unsigned16 | Self::Signed16 => 2,
            Self::Unsigned32 | Self::Signed32 | Self::Real32 => 4,
            Self::Statistic => 6,
            Self::Real64 => 8,
            Self::ControlCode => 11,
            Self::Decimal(octets) | Self::Other(octets) => octets,
        }
    }
}

/// What the flags of a value come to. A command that was not carried out leaves no valid value.
#[inline]
#[must_use]
pub const fn quality(kind: Flags, flags: u8) -> Quality {
    let mut quality = Quality(0);
    match kind {
        Flags::Absent | Flags::StatusBehind => return quality,
        Flags::Status => {
            if flags & 0x7F != 0 {
                quality = Quality::INVALID;
            }
            return quality;
        }
        Flags::Input | Flags::Output | Flags::Counter | Flags::Analog => {}
    }
    if flags & 0x01 == 0 {
        quality = quality.and(Quality::INVALID);
    }
    if flags & 0x02 != 0 {
        quality = quality.and(Quality::RESTART);
    }
    if flags & 0x04 != 0 {
        quality = quality.and(Quality::COMM_LOST);
    }
    if flags & 0x18 != 0 {
        quality = quality.and(Quality::SUBSTITUTED);
    }
    if flags & 0x20 != 0 {
        match kind {
            Flags::Input => quality = quality.and(Quality::CHATTER),
            Flags::Analog => quality = quality.and(Quality::OVERFLOW),
            _ => {}
        }
    }
    if flags & 0x40 != 0 && matches!(kind, Flags::Counter | Flags::Analog) {
        quality = quality.and(Quality::REFERENCE);
    }
    quality
}

/// [`quality`] of every octet of flags.
const fn qualities(kind: Flags) -> [Quality; 256] {
    let mut table = [Quality(0); 256];
    let mut slots: &mut [Quality] = &mut table;
    let mut flags = 0_u8;
    while let Some((slot, behind)) = slots.split_first_mut() {
        *slot = quality(kind, flags);
        slots = behind;
        flags = flags.wrapping_add(1);
    }
    table
}

static INPUT: [Quality; 256] = qualities(Flags::Input);
static OUTPUT: [Quality; 256] = qualities(Flags::Output);
static COUNTER: [Quality; 256] = qualities(Flags::Counter);
static ANALOG: [Quality; 256] = qualities(Flags::Analog);
static STATUS: [Quality; 256] = qualities(Flags::Status);
static ABSENT: [Quality; 256] = qualities(Flags::Absent);

impl Flags {
    /// What each octet of flags comes to: [`quality`] by look-up, for loops over many objects.
    #[must_use]
    pub fn qualities(self) -> &'static [Quality; 256] {
        match self {
            Self::Input => &INPUT,
            Self::Output => &OUTPUT,
            Self::Counter => &COUNTER,
            Self::Analog => &ANALOG,
            Self::Status => &STATUS,
            Self::Absent | Self::StatusBehind => &ABSENT,
        }
    }

    /// Octets before the value.
    #[must_use]
    pub const fn octets_before(self) -> u8 {
        match self {
            Self::Absent | Self::StatusBehind => 0,
            _ => 1,
        }
    }
}

/// DNP3TIME: the first 6 octets as ms since 1970-01-01T00:00:00.
#[inline]
#[must_use]
pub fn absolute_time(octets: &[u8]) -> Option<u64> {
    let [a, b, c, d, e, f] = *octets.first_chunk::<6>()?;
    Some(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
}

/// Packed decimal digits as a number, and whether each of them is one.
fn decimal(octets: &[u8]) -> (u64, bool) {
    let mut value = 0_u64;
    let mut is_decimal = true;
    for octet in octets.iter().rev() {
        for digit in [octet.wrapping_shr(4), octet & 0x0F] {
            is_decimal &= digit < 10;
            value = value.saturating_mul(10).saturating_add(u64::from(digit));
        }
    }
    (value, is_decimal)
}

/// An unsigned number of 1 to 8 octets, least significant first.
#[must_use]
pub fn unsigned(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() || octets.len() > 8 {
        return None;
    }
    Some(octets.iter().rev().fold(0, |value: u64, octet| value.wrapping_shl(8) | u64::from(*octet)))
}

/// A two's complement number of 1, 2, 4 or 8 octets, least significant first.
#[must_use]
pub fn signed(octets: &[u8]) -> Option<i64> {
    match *octets {
        [a] => Some(i64::from(i8::from_le_bytes([a]))),
        [a, b] => Some(i64::from(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_le_bytes([a, b, c, d]))),
        _ => octets.try_into().ok().map(i64::from_le_bytes),
    }
}

/// A floating-point number of 4 or 8 octets, least significant first.
#[must_use]
pub fn real(octets: &[u8]) -> Option<f64> {
    match *octets {
        [a, b, c, d] => Some(f64::from(f32::from_le_bytes([a, b, c, d]))),
        _ => octets.try_into().ok().map(f64::from_le_bytes),
    }
}

const fn row(group: u8, variation: u8, name: &'static str, size: Size) -> ObjectType {
    let (flags, number, time) = (Flags::Absent, Number::Other(0), Time::Absent);
    ObjectType { group, variation, name, size, flags, number, time }
}

/// Variation 0.
const fn any(group: u8, name: &'static str) -> ObjectType {
    row(group, 0, name, Size::Prefixed)
}

const fn octets(group: u8, variation: u8, name: &'static str, octets: u8) -> ObjectType {
    row(group, variation, name, Size::Octets(octets))
}

const fn prefixed(group: u8, variation: u8, name: &'static str) -> ObjectType {
    row(group, variation, name, Size::Prefixed)
}

const fn packed(group: u8, variation: u8, name: &'static str, bits: u8, number: Number) -> ObjectType {
    ObjectType { number, ..row(group, variation, name, Size::Bits(bits)) }
}

/// An object of a point's value: as long as its elements.
const fn value(group: u8, variation: u8, name: &'static str, flags: Flags, number: Number, time: Time) -> ObjectType {
    let flags_octets = match flags {
        Flags::Absent => 0,
        _ => 1_u8,
    };
    let time_octets = match time {
        Time::Absent => 0,
        Time::Absolute => 6,
        Time::Relative => 2,
    };
    let octets = flags_octets.saturating_add(number.octets()).saturating_add(time_octets);
    ObjectType { group, variation, name, size: Size::Octets(octets), flags, number, time }
}

/// Every object of IEEE 1815 Annex A, ordered by group and variation.
///
/// The groups 0 and 110 to 113 stand here once (variation 1) for all their variations: attributes, and lengths.
/// Variations that count differences (obsolete) have no value of a point: a difference is no state.
pub const OBJECTS: &[ObjectType] = {
    use Flags::{Absent, Analog, Counter, Input, Output, Status, StatusBehind};
    use Number::{
        Bit, ControlCode, Decimal, DoubleBit, DoubleBitState, Other, Real32, Real64, Signed16, Signed32, State,
        Statistic, Unsigned8, Unsigned16, Unsigned32,
    };
    use Time::{Absent as Timeless, Absolute, Relative};
    &[
        any(0, "device_attribute_any_variation"),
        row(0, 1, "device_attribute", Size::Attribute),
        prefixed(0, 254, "device_attribute_non_specific_all_attributes_request"),
        row(0, 255, "device_attribute_list_of_attribute_variations", Size::Attribute),
        any(1, "binary_input_any_variation"),
        packed(1, 1, "binary_input_packed_format", 1, Bit),
        value(1, 2, "binary_input_with_flags", Input, State, Timeless),
        any(2, "binary_input_event_any_variation"),
        value(2, 1, "binary_input_event_without_time", Input, State, Timeless),
        value(2, 2, "binary_input_event_with_absolute_time", Input, State, Absolute),
        value(2, 3, "binary_input_event_with_relative_time", Input, State, Relative),
        any(3, "double_bit_binary_input_any_variation"),
        packed(3, 1, "double_bit_binary_input_packed_format", 2, DoubleBit),
        value(3, 2, "double_bit_binary_input_with_flags", Input, DoubleBitState, Timeless),
        any(4, "double_bit_binary_input_event_any_variation"),
        value(4, 1, "double_bit_binary_input_event_without_time", Input, DoubleBitState, Timeless),
        value(4, 2, "double_bit_binary_input_event_with_absolute_time", Input, DoubleBitState, Absolute),
        value(4, 3, "double_bit_binary_input_event_with_relative_time", Input, DoubleBitState, Relative),
        any(10, "binary_output_any_variation"),
        packed(10, 1, "binary_output_packed_format", 1, Bit),
        value(10, 2, "binary_output_status_with_flags", Output, State, Timeless),
        any(11, "binary_output_event_any_variation"),
        value(11, 1, "binary_output_event_without_time", Output, State, Timeless),
        value(11, 2, "binary_output_event_with_time", Output, State, Absolute),
        any(12, "binary_output_command_any_variation"),
        value(12, 1, "control_relay_output_block", Absent, ControlCode, Timeless),
        value(12, 2, "pattern_control_block", Absent, ControlCode, Timeless),
        packed(12, 3, "pattern_mask", 1, Other(0)),
        any(13, "binary_output_command_event_any_variation"),
        value(13, 1, "binary_output_command_event_without_time", Status, State, Timeless),
        value(13, 2, "binary_output_command_event_with_time", Status, State, Absolute),
        any(20, "counter_any_variation"),
        value(20, 1, "counter_32_bit_with_flag", Counter, Unsigned32, Timeless),
        value(20, 2, "counter_16_bit_with_flag", Counter, Unsigned16, Timeless),
        value(20, 3, "counter_32_bit_with_flag_delta", Counter, Other(4), Timeless),
        value(20, 4, "counter_16_bit_with_flag_delta", Counter, Other(2), Timeless),
        value(20, 5, "counter_32_bit_without_flag", Absent, Unsigned32, Timeless),
        value(20, 6, "counter_16_bit_without_flag", Absent, Unsigned16, Timeless),
        value(20, 7, "counter_32_bit_without_flag_delta", Absent, Other(4), Timeless),
        value(20, 8, "counter_16_bit_without_flag_delta", Absent, Other(2), Timeless),
        any(21, "frozen_counter_any_variation"),
        value(21, 1, "frozen_counter_32_bit_with_flag", Counter, Unsigned32, Timeless),
        value(21, 2, "frozen_counter_16_bit_with_flag", Counter, Unsigned16, Timeless),
        value(21, 3, "frozen_counter_32_bit_with_flag_delta", Counter, Other(4), Timeless),
        value(21, 4, "frozen_counter_16_bit_with_flag_delta", Counter, Other(2), Timeless),
        value(21, 5, "frozen_counter_32_bit_with_flag_and_time", Counter, Unsigned32, Absolute),
        value(21, 6, "frozen_counter_16_bit_with_flag_and_time", Counter, Unsigned16, Absolute),
        value(21, 7, "frozen_counter_32_bit_with_flag_and_time_delta", Counter, Other(4), Absolute),
        value(21, 8, "frozen_counter_16_bit_with_flag_and_time_delta", Counter, Other(2), Absolute),
        value(21, 9, "frozen_counter_32_bit_without_flag", Absent, Unsigned32, Timeless),
        value(21, 10, "frozen_counter_16_bit_without_flag", Absent, Unsigned16, Timeless),
        value(21, 11, "frozen_counter_32_bit_without_flag_delta", Absent, Other(4), Timeless),
        value(21, 12, "frozen_counter_16_bit_without_flag_delta", Absent, Other(2), Timeless),
        any(22, "counter_event_any_variation"),
        value(22, 1, "counter_event_32_bit_with_flag", Counter, Unsigned32, Timeless),
        value(22, 2, "counter_event_16_bit_with_flag", Counter, Unsigned16, Timeless),
        value(22, 3, "counter_event_32_bit_with_flag_delta", Counter, Other(4), Timeless),
        value(22, 4, "counter_event_16_bit_with_flag_delta", Counter, Other(2), Timeless),
        value(22, 5, "counter_event_32_bit_with_flag_and_time", Counter, Unsigned32, Absolute),
        value(22, 6, "counter_event_16_bit_with_flag_and_time", Counter, Unsigned16, Absolute),
        value(22, 7, "counter_event_32_bit_with_flag_and_time_delta", Counter, Other(4), Absolute),
        value(22, 8, "counter_event_16_bit_with_flag_and_time_delta", Counter, Other(2), Absolute),
        any(23, "frozen_counter_event_any_variation"),
        value(23, 1, "frozen_counter_event_32_bit_with_flag", Counter, Unsigned32, Timeless),
        value(23, 2, "frozen_counter_event_16_bit_with_flag", Counter, Unsigned16, Timeless),
        value(23, 3, "frozen_counter_event_32_bit_with_flag_delta", Counter, Other(4), Timeless),
        value(23, 4, "frozen_counter_event_16_bit_with_flag_delta", Counter, Other(2), Timeless),
        value(23, 5, "frozen_counter_event_32_bit_with_flag_and_time", Counter, Unsigned32, Absolute),
        value(23, 6, "frozen_counter_event_16_bit_with_flag_and_time", Counter, Unsigned16, Absolute),
        value(23, 7, "frozen_counter_event_32_bit_with_flag_and_time_delta", Counter, Other(4), Absolute),
        value(23, 8, "frozen_counter_event_16_bit_with_flag_and_time_delta", Counter, Other(2), Absolute),
        any(30, "analog_input_any_variation"),
        value(30, 1, "analog_input_32_bit_with_flag", Analog, Signed32, Timeless),
        value(30, 2, "analog_input_16_bit_with_flag", Analog, Signed16, Timeless),
        value(30, 3, "analog_input_32_bit_without_flag", Absent, Signed32, Timeless),
        value(30, 4, "analog_input_16_bit_without_flag", Absent, Signed16, Timeless),
        value(30, 5, "analog_input_single_precision_with_flag", Analog, Real32, Timeless),
        value(30, 6, "analog_input_double_precision_with_flag", Analog, Real64, Timeless),
        any(31, "frozen_analog_input_any_variation"),
        value(31, 1, "frozen_analog_input_32_bit_with_flag", Analog, Signed32, Timeless),
        value(31, 2, "frozen_analog_input_16_bit_with_flag", Analog, Signed16, Timeless),
        value(31, 3, "frozen_analog_input_32_bit_with_time_of_freeze", Analog, Signed32, Absolute),
        value(31, 4, "frozen_analog_input_16_bit_with_time_of_freeze", Analog, Signed16, Absolute),
        value(31, 5, "frozen_analog_input_32_bit_without_flag", Absent, Signed32, Timeless),
        value(31, 6, "frozen_analog_input_16_bit_without_flag", Absent, Signed16, Timeless),
        value(31, 7, "frozen_analog_input_single_precision_with_flag", Analog, Real32, Timeless),
        value(31, 8, "frozen_analog_input_double_precision_with_flag", Analog, Real64, Timeless),
        any(32, "analog_input_event_any_variation"),
        value(32, 1, "analog_input_event_32_bit_without_time", Analog, Signed32, Timeless),
        value(32, 2, "analog_input_event_16_bit_without_time", Analog, Signed16, Timeless),
        value(32, 3, "analog_input_event_32_bit_with_time", Analog, Signed32, Absolute),
        value(32, 4, "analog_input_event_16_bit_with_time", Analog, Signed16, Absolute),
        value(32, 5, "analog_input_event_single_precision_without_time", Analog, Real32, Timeless),
        value(32, 6, "analog_input_event_double_precision_without_time", Analog, Real64, Timeless),
        value(32, 7, "analog_input_event_single_precision_with_time", Analog, Real32, Absolute),
        value(32, 8, "analog_input_event_double_precision_with_time", Analog, Real64, Absolute),
        any(33, "frozen_analog_input_event_any_variation"),
        value(33, 1, "frozen_analog_input_event_32_bit_without_time", Analog, Signed32, Timeless),
        value(33, 2, "frozen_analog_input_event_16_bit_without_time", Analog, Signed16, Timeless),
        value(33, 3, "frozen_analog_input_event_32_bit_with_time", Analog, Signed32, Absolute),
        value(33, 4, "frozen_analog_input_event_16_bit_with_time", Analog, Signed16, Absolute),
        value(33, 5, "frozen_analog_input_event_single_precision_without_time", Analog, Real32, Timeless),
        value(33, 6, "frozen_analog_input_event_double_precision_without_time", Analog, Real64, Timeless),
        value(33, 7, "frozen_analog_input_event_single_precision_with_time", Analog, Real32, Absolute),
        value(33, 8, "frozen_analog_input_event_double_precision_with_time", Analog, Real64, Absolute),
        any(34, "analog_input_deadband_any_variation"),
        value(34, 1, "analog_input_deadband_16_bit", Absent, Unsigned16, Timeless),
        value(34, 2, "analog_input_deadband_32_bit", Absent, Unsigned32, Timeless),
        value(34, 3, "analog_input_deadband_single_precision", Absent, Real32, Timeless),
        any(40, "analog_output_status_any_variation"),
        value(40, 1, "analog_output_status_32_bit_with_flag", Analog, Signed32, Timeless),
        value(40, 2, "analog_output_status_16_bit_with_flag", Analog, Signed16, Timeless),
        value(40, 3, "analog_output_status_single_precision_with_flag", Analog, Real32, Timeless),
        value(40, 4, "analog_output_status_double_precision_with_flag", Analog, Real64, Timeless),
        any(41, "analog_output_any_variation"),
        value(41, 1, "analog_output_32_bit", StatusBehind, Signed32, Timeless),
        value(41, 2, "analog_output_16_bit", StatusBehind, Signed16, Timeless),
        value(41, 3, "analog_output_single_precision", StatusBehind, Real32, Timeless),
        value(41, 4, "analog_output_double_precision", StatusBehind, Real64, Timeless),
        any(42, "analog_output_event_any_variation"),
        value(42, 1, "analog_output_event_32_bit_without_time", Analog, Signed32, Timeless),
        value(42, 2, "analog_output_event_16_bit_without_time", Analog, Signed16, Timeless),
        value(42, 3, "analog_output_event_32_bit_with_time", Analog, Signed32, Absolute),
        value(42, 4, "analog_output_event_16_bit_with_time", Analog, Signed16, Absolute),
        value(42, 5, "analog_output_event_single_precision_without_time", Analog, Real32, Timeless),
        value(42, 6, "analog_output_event_double_precision_without_time", Analog, Real64, Timeless),
        value(42, 7, "analog_output_event_single_precision_with_time", Analog, Real32, Absolute),
        value(42, 8, "analog_output_event_double_precision_with_time", Analog, Real64, Absolute),
        any(43, "analog_output_command_event_any_variation"),
        value(43, 1, "analog_output_command_event_32_bit_without_time", Status, Signed32, Timeless),
        value(43, 2, "analog_output_command_event_16_bit_without_time", Status, Signed16, Timeless),
        value(43, 3, "analog_output_command_event_32_bit_with_time", Status, Signed32, Absolute),
        value(43, 4, "analog_output_command_event_16_bit_with_time", Status, Signed16, Absolute),
        value(43, 5, "analog_output_command_event_single_precision_without_time", Status, Real32, Timeless),
        value(43, 6, "analog_output_command_event_double_precision_without_time", Status, Real64, Timeless),
        value(43, 7, "analog_output_command_event_single_precision_with_time", Status, Real32, Absolute),
        value(43, 8, "analog_output_command_event_double_precision_with_time", Status, Real64, Absolute),
        any(50, "time_and_date_any_variation"),
        octets(50, 1, "time_and_date_absolute_time", 6),
        octets(50, 2, "time_and_date_absolute_time_and_interval", 10),
        octets(50, 3, "time_and_date_absolute_time_at_last_recorded_time", 6),
        octets(50, 4, "time_and_date_indexed_absolute_time_and_long_interval", 11),
        any(51, "common_time_of_occurrence_any_variation"),
        octets(51, 1, "common_time_of_occurrence_absolute_time_synchronized", 6),
        octets(51, 2, "common_time_of_occurrence_absolute_time_unsynchronized", 6),
        any(52, "time_delay_any_variation"),
        octets(52, 1, "time_delay_coarse", 2),
        octets(52, 2, "time_delay_fine", 2),
        any(60, "class_objects_any_variation"),
        row(60, 1, "class_0_data", Size::Nothing),
        row(60, 2, "class_1_data", Size::Nothing),
        row(60, 3, "class_2_data", Size::Nothing),
        row(60, 4, "class_3_data", Size::Nothing),
        any(70, "file_control_any_variation"),
        prefixed(70, 1, "file_control_file_identifier"),
        prefixed(70, 2, "file_control_authentication"),
        prefixed(70, 3, "file_control_file_command"),
        prefixed(70, 4, "file_control_file_command_status"),
        prefixed(70, 5, "file_control_file_transport"),
        prefixed(70, 6, "file_control_file_transport_status"),
        prefixed(70, 7, "file_control_file_descriptor"),
        prefixed(70, 8, "file_control_file_specification_string"),
        any(80, "internal_indications_any_variation"),
        packed(80, 1, "internal_indications_packed_format", 1, Bit),
        any(81, "device_storage_any_variation"),
        octets(81, 1, "device_storage_buffer_fill_status", 3),
        any(82, "device_profile_any_variation"),
        row(82, 1, "device_profile_functions_and_indexes", Size::Counted { head: 10, at: 8, item: 4 }),
        any(83, "private_registration_any_variation"),
        row(83, 1, "private_registration_object", Size::Counted { head: 8, at: 6, item: 1 }),
        row(83, 2, "private_registration_object_descriptor", Size::Counted { head: 8, at: 6, item: 4 }),
        any(85, "data_set_prototype_any_variation"),
        prefixed(85, 1, "data_set_prototype_with_universally_unique_identifier"),
        any(86, "data_set_descriptor_any_variation"),
        prefixed(86, 1, "data_set_descriptor_contents"),
        octets(86, 2, "data_set_descriptor_characteristics", 1),
        prefixed(86, 3, "data_set_descriptor_point_index_attributes"),
        any(87, "data_set_any_variation"),
        prefixed(87, 1, "data_set_present_value"),
        any(88, "data_set_event_any_variation"),
        prefixed(88, 1, "data_set_event_snapshot"),
        any(90, "application_any_variation"),
        prefixed(90, 1, "application_identifier"),
        any(91, "status_of_requested_operation_any_variation"),
        prefixed(91, 1, "status_of_requested_operation_activate_configuration"),
        any(101, "binary_coded_decimal_integer_any_variation"),
        value(101, 1, "binary_coded_decimal_integer_small", Absent, Decimal(2), Timeless),
        value(101, 2, "binary_coded_decimal_integer_medium", Absent, Decimal(4), Timeless),
        value(101, 3, "binary_coded_decimal_integer_large", Absent, Decimal(8), Timeless),
        any(102, "unsigned_integer_any_variation"),
        value(102, 1, "unsigned_integer_8_bit", Absent, Unsigned8, Timeless),
        any(110, "octet_string_any_variation"),
        row(110, 1, "octet_string", Size::Variation),
        any(111, "octet_string_event_any_variation"),
        row(111, 1, "octet_string_event", Size::Variation),
        any(112, "virtual_terminal_output_block_any_variation"),
        row(112, 1, "virtual_terminal_output_block", Size::Variation),
        any(113, "virtual_terminal_event_data_any_variation"),
        row(113, 1, "virtual_terminal_event_data", Size::Variation),
        any(120, "authentication_any_variation"),
        prefixed(120, 1, "authentication_challenge"),
        prefixed(120, 2, "authentication_reply"),
        octets(120, 3, "authentication_aggressive_mode_request", 6),
        octets(120, 4, "authentication_session_key_status_request", 2),
        prefixed(120, 5, "authentication_session_key_status"),
        prefixed(120, 6, "authentication_session_key_change"),
        prefixed(120, 7, "authentication_error"),
        prefixed(120, 8, "authentication_user_certificate"),
        prefixed(120, 9, "authentication_message_authentication_code"),
        prefixed(120, 10, "authentication_user_status_change"),
        prefixed(120, 11, "authentication_update_key_change_request"),
        prefixed(120, 12, "authentication_update_key_change_reply"),
        prefixed(120, 13, "authentication_update_key_change"),
        prefixed(120, 14, "authentication_update_key_change_signature"),
        prefixed(120, 15, "authentication_update_key_change_confirmation"),
        any(121, "security_statistic_any_variation"),
        value(121, 1, "security_statistic_32_bit_with_flag", Counter, Statistic, Timeless),
        any(122, "security_statistic_event_any_variation"),
        value(122, 1, "security_statistic_event_32_bit_with_flag", Counter, Statistic, Timeless),
        value(122, 2, "security_statistic_event_32_bit_with_flag_and_time", Counter, Statistic, Absolute),
    ]
};

/// Where the rows of each group start in [`OBJECTS`].
static STARTS: [usize; 123] = {
    let mut starts = [0; 123];
    let mut slots: &mut [usize] = &mut starts;
    let mut rows = OBJECTS;
    let mut group = 0_u8;
    while let Some((slot, behind)) = slots.split_first_mut() {
        while let Some((object, later)) = rows.split_first() {
            if object.group >= group {
                break;
            }
            rows = later;
        }
        *slot = OBJECTS.len().saturating_sub(rows.len());
        slots = behind;
        group = group.saturating_add(1);
    }
    starts
};

/// The row of a group and variation, where the standard has one.
#[inline]
#[must_use]
pub fn object_type(group: u8, variation: u8) -> Option<&'static ObjectType> {
    // The variations of a group follow each other from 0 on, so that a row is found by counting.
    let place = match (group, variation) {
        (0, 254) => 2,
        (0, 255) => 3,
        (0, 1..) | (110..=113, 1..) => 1,
        _ => usize::from(variation),
    };
    let start = *STARTS.get(usize::from(group))?;
    OBJECTS.get(start.saturating_add(place)).filter(|object| object.group == group)
}

/// The name of an object, such as `binary_input_with_flags`; of a device attribute that of the attribute.
#[must_use]
pub fn object_name(group: u8, variation: u8) -> Option<&'static str> {
    if group == 0
        && let Some(name) = attribute_name(variation)
    {
        return Some(name);
    }
    object_type(group, variation).map(|object| object.name)
}

/// The data space that a group's points live in; events share that of their static objects.
#[inline]
#[must_use]
pub const fn space(group: u8) -> &'static str {
    match group {
        0 => "device_attribute",
        1 | 2 => "binary_input",
        3 | 4 => "double_bit_input",
        10..=13 => "binary_output",
        20 | 22 => "counter",
        21 | 23 => "frozen_counter",
        30 | 32 => "analog_input",
        31 | 33 => "frozen_analog_input",
        34 => "analog_input_deadband",
        40..=43 => "analog_output",
        50..=52 => "time",
        60 => "class",
        70 => "file",
        80 => "internal_indication",
        81 => "device_storage",
        82 => "device_profile",
        83 => "private_registration",
        85..=88 => "data_set",
        90 | 91 => "application",
        101 => "bcd",
        102 => "unsigned_integer",
        110 | 111 => "octet_string",
        112 | 113 => "virtual_terminal",
        120 => "security",
        121 | 122 => "security_statistic",
        _ => "unknown",
    }
}

/// The name of a device attribute of the default set (g0).
#[must_use]
pub const fn attribute_name(variation: u8) -> Option<&'static str> {
    Some(match variation {
        196 => "configuration_identifier",
        197 => "configuration_version",
        198 => "configuration_build_date",
        199 => "configuration_last_change_date",
        200 => "configuration_signature",
        201 => "configuration_signature_algorithm",
        202 => "master_resource_identifier",
        203 => "device_location_altitude",
        204 => "device_location_longitude",
        205 => "device_location_latitude",
        206 => "user_assigned_secondary_operator_name",
        207 => "user_assigned_primary_operator_name",
        208 => "user_assigned_system_name",
        209 => "secure_authentication_version",
        210 => "number_of_security_statistics_per_association",
        211 => "identification_of_support_for_user_specific_attributes",
        212 => "number_of_master_defined_data_set_prototypes",
        213 => "number_of_outstation_defined_data_set_prototypes",
        214 => "number_of_master_defined_data_sets",
        215 => "number_of_outstation_defined_data_sets",
        216 => "maximum_number_of_binary_outputs_per_request",
        217 => "local_timing_accuracy",
        218 => "duration_of_time_accuracy",
        219 => "support_for_analog_output_events",
        220 => "maximum_analog_output_index",
        221 => "number_of_analog_outputs",
        222 => "support_for_binary_output_events",
        223 => "maximum_binary_output_index",
        224 => "number_of_binary_outputs",
        225 => "support_for_frozen_counter_events",
        226 => "support_for_frozen_counters",
        227 => "support_for_counter_events",
        228 => "maximum_counter_index",
        229 => "number_of_counters",
        230 => "support_for_frozen_analog_inputs",
        231 => "support_for_analog_input_events",
        232 => "maximum_analog_input_index",
        233 => "number_of_analog_inputs",
        234 => "support_for_double_bit_binary_input_events",
        235 => "maximum_double_bit_binary_input_index",
        236 => "number_of_double_bit_binary_inputs",
        237 => "support_for_binary_input_events",
        238 => "maximum_binary_input_index",
        239 => "number_of_binary_inputs",
        240 => "maximum_transmit_fragment_size",
        241 => "maximum_receive_fragment_size",
        242 => "device_manufacturer_software_version",
        243 => "device_manufacturer_hardware_version",
        244 => "user_assigned_owner_name",
        245 => "user_assigned_location",
        246 => "user_assigned_identifier",
        247 => "user_assigned_device_name",
        248 => "device_serial_number",
        249 => "dnp3_subset_and_conformance",
        250 => "device_manufacturer_product_name_and_model",
        252 => "device_manufacturer_name",
        _ => return None,
    })
}

/// Data type codes of device attributes (g0).
pub mod attribute_type {
    /// Visible characters.
    pub const VSTR: u8 = 1;
    /// Unsigned number.
    pub const UINT: u8 = 2;
    /// Signed number.
    pub const INT: u8 = 3;
    /// Floating-point number.
    pub const FLT: u8 = 4;
    /// Octets.
    pub const OSTR: u8 = 5;
    /// Bits.
    pub const BSTR: u8 = 6;
    /// ms since 1970-01-01T00:00:00.
    pub const DNP3TIME: u8 = 7;
    /// Pairs of a variation and its properties.
    pub const U8BS8LIST: u8 = 254;
    /// The same, and 256 octets more than the length says.
    pub const U8BS8EXLIST: u8 = 255;
}

/// The name of a data type code of device attributes.
#[must_use]
pub const fn attribute_type_name(code: u8) -> Option<&'static str> {
    Some(match code {
        attribute_type::VSTR => "visible_string",
        attribute_type::UINT => "unsigned_integer",
        attribute_type::INT => "signed_integer",
        attribute_type::FLT => "floating_point",
        attribute_type::OSTR => "octet_string",
        attribute_type::BSTR => "bit_string",
        attribute_type::DNP3TIME => "time",
        attribute_type::U8BS8LIST => "attribute_list",
        attribute_type::U8BS8EXLIST => "extended_attribute_list",
        _ => return None,
    })
}

/// What a control code does to the point: its bits 0 to 3 (g12).
#[must_use]
pub const fn operation_type_name(control_code: u8) -> Option<&'static str> {
    Some(match control_code & 0x0F {
        0 => "nul",
        1 => "pulse_on",
        2 => "pulse_off",
        3 => "latch_on",
        4 => "latch_off",
        _ => return None,
    })
}

/// Which relay of a pair a control code is for: its bits 6 and 7 (g12).
#[must_use]
pub const fn trip_close_name(control_code: u8) -> Option<&'static str> {
    Some(match control_code & 0xC0 {
        0x00 => "nul",
        0x40 => "close",
        0x80 => "trip",
        _ => return None,
    })
}

/// Bit 4 of a control code: queue the command (obsolete).
pub const CONTROL_CODE_QUEUE: u8 = 0x10;
/// Bit 5 of a control code: cancel what runs.
pub const CONTROL_CODE_CLEAR: u8 = 0x20;

/// The name of a command status code, 0 to 127 (g12, g41; g13, g43).
#[must_use]
pub const fn command_status_name(status: u8) -> Option<&'static str> {
    Some(match status {
        0 => "success",
        1 => "timeout",
        2 => "no_select",
        3 => "format_error",
        4 => "not_supported",
        5 => "already_active",
        6 => "hardware_error",
        7 => "local",
        8 => "too_many_objs",
        9 => "not_authorized",
        10 => "automation_inhibit",
        11 => "processing_limited",
        12 => "out_of_range",
        13 => "downstream_local",
        14 => "already_complete",
        15 => "blocked",
        16 => "canceled",
        17 => "blocked_other_master",
        18 => "downstream_fail",
        126 => "non_participating",
        127 => "undefined",
        _ => return None,
    })
}

/// The name of a file's operational mode (g70v3).
#[must_use]
pub const fn file_mode_name(mode: u16) -> Option<&'static str> {
    Some(match mode {
        0 => "null",
        1 => "read",
        2 => "write",
        3 => "append",
        _ => return None,
    })
}

/// The name of a file's type (g70v7).
#[must_use]
pub const fn file_type_name(file_type: u16) -> Option<&'static str> {
    Some(match file_type {
        0 => "directory",
        1 => "simple_file",
        _ => return None,
    })
}

/// The name of a file's status code (g70v4, g70v6).
#[must_use]
pub const fn file_status_name(status: u8) -> Option<&'static str> {
    Some(match status {
        0 => "success",
        1 => "permission_denied",
        2 => "invalid_mode",
        3 => "file_not_found",
        4 => "file_locked",
        5 => "too_many_open",
        6 => "invalid_handle",
        7 => "write_block_size",
        8 => "comm_lost",
        9 => "cannot_abort",
        16 => "not_opened",
        17 => "handle_expired",
        18 => "buffer_overrun",
        19 => "fatal",
        20 => "block_sequence",
        255 => "undefined",
        _ => return None,
    })
}

/// The name of a message authentication code's algorithm (g120v1, g120v5).
#[must_use]
pub const fn message_authentication_algorithm_name(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "none",
        1 => "hmac_sha_1_4_octets",
        2 => "hmac_sha_1_10_octets",
        3 => "hmac_sha_256_8_octets",
        4 => "hmac_sha_256_16_octets",
        5 => "hmac_sha_1_8_octets",
        6 => "aes_gmac_12_octets",
        _ => return None,
    })
}

/// The name of a key wrap algorithm (g120v5).
#[must_use]
pub const fn key_wrap_algorithm_name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "aes_128",
        2 => "aes_256",
        _ => return None,
    })
}

/// The name of a session key's status (g120v5).
#[must_use]
pub const fn key_status_name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "ok",
        2 => "not_initialized",
        3 => "communication_failure",
        4 => "authentication_failure",
        _ => return None,
    })
}

/// The name of a challenge's reason (g120v1).
#[must_use]
pub const fn challenge_reason_name(code: u8) -> Option<&'static str> {
    match code {
        1 => Some("critical"),
        _ => None,
    }
}

/// The name of an authentication error (g120v7).
#[must_use]
pub const fn authentication_error_name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "authentication_failed",
        2 => "unexpected_response",
        3 => "no_response",
        4 => "aggressive_mode_not_permitted",
        5 => "message_authentication_algorithm_not_permitted",
        6 => "key_wrap_algorithm_not_permitted",
        7 => "authorization_failed",
        8 => "update_key_change_method_not_permitted",
        9 => "invalid_signature",
        10 => "invalid_certification_data",
        11 => "unknown_user",
        12 => "maximum_session_key_status_requests_exceeded",
        _ => return None,
    })
}
