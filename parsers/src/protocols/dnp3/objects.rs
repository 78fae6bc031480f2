//! Object headers of an application fragment, and the objects behind them, read where they lie.

use crate::error::{Clause, ErrorKind, ParseError};
use crate::message::{Point, PointValue, Value};
use crate::reader::Reader;

pub use super::elements::object_name;
use super::elements::{self, Flags, Number, ObjectType, Size, Time, attribute_type};

/// Most objects that one fragment may hold: what 2,048 octets of packed bits come to.
pub const POINTS_MAX: u32 = 16_384;
/// Most object headers that one fragment may hold.
pub const HEADERS_MAX: u32 = 2_048;
/// Most objects of one header whose elements are told as fields.
pub const OBJECTS_TOLD: usize = 32;

const HEADER: Clause = Clause("IEEE 1815-2012 4.2.2.7");
const OBJECT: Clause = Clause("IEEE 1815-2012 Annex A");

const NOTHING: &[u8] = &[];

/// Which objects a header is about (IEEE 1815 4.2.2.7), as the wire has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectRange {
    /// All of them: no range field.
    None,
    /// From one index to another, both of them included; `start` is never above `stop`.
    StartStop {
        /// The first index.
        start: u32,
        /// The last index.
        stop: u32,
    },
    /// So many, without an index prefix.
    Count(u32),
    /// So many, each behind its index.
    Indexed(u32),
    /// So many, each behind its size in octets.
    FreeFormat(u8),
}

/// What stands before each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    /// An index of 1, 2 or 4 octets.
    Index(u8),
    /// A size of 1, 2 or 4 octets.
    Size(u8),
}

/// What the range field is, and the octets of each of its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeField {
    /// There is none.
    None,
    StartStop(u8),
    Count(u8),
    FreeFormat,
}

/// What stands before each object, and the range field, of every qualifier octet that the standard knows.
static QUALIFIERS: [Option<(Prefix, RangeField)>; 256] = {
    let mut table = [None; 256];
    let mut slots: &mut [Option<(Prefix, RangeField)>] = &mut table;
    let mut octet = 0_u8;
    while let Some((slot, behind)) = slots.split_first_mut() {
        *slot = qualifier_meaning(octet);
        slots = behind;
        octet = octet.wrapping_add(1);
    }
    table
};

const fn qualifier_meaning(qualifier: u8) -> Option<(Prefix, RangeField)> {
    let prefix = match qualifier >> 4 {
        0 => Prefix::None,
        1 => Prefix::Index(1),
        2 => Prefix::Index(2),
        3 => Prefix::Index(4),
        4 => Prefix::Size(1),
        5 => Prefix::Size(2),
        6 => Prefix::Size(4),
        _ => return None,
    };
    // 3 to 5 were virtual addresses once.
    let field = match (qualifier & 0x0F, prefix) {
        (0, Prefix::None) => RangeField::StartStop(1),
        (1, Prefix::None) => RangeField::StartStop(2),
        (2, Prefix::None) => RangeField::StartStop(4),
        (6, Prefix::None) => RangeField::None,
        (7, Prefix::None | Prefix::Index(_)) => RangeField::Count(1),
        (8, Prefix::None | Prefix::Index(_)) => RangeField::Count(2),
        (9, Prefix::None | Prefix::Index(_)) => RangeField::Count(4),
        (0x0B, Prefix::Size(_)) => RangeField::FreeFormat,
        _ => return None,
    };
    Some((prefix, field))
}

/// What is wrong with a qualifier octet that is not in [`QUALIFIERS`]: two codes that do not go together, or one that the
/// standard does not know.
#[cold]
fn qualifier_breach(qualifier: u8) -> ErrorKind {
    if qualifier >> 4 <= 6 && matches!(qualifier & 0x0F, 0..=2 | 6..=9 | 0x0B) {
        ErrorKind::Forbidden { got: u64::from(qualifier) }
    } else {
        ErrorKind::Unsupported { code: u32::from(qualifier) }
    }
}

/// One object header with its objects.
#[derive(Debug, Clone, Copy)]
pub struct ObjectHeader<'a> {
    /// The object group.
    pub group: u8,
    /// The variation.
    pub variation: u8,
    /// The qualifier octet.
    pub qualifier: u8,
    /// The range field.
    pub range: ObjectRange,
    /// The whole objects with their prefixes; index prefixes alone in a request to read; empty where nothing follows.
    pub octets: &'a [u8],
    /// Octets of the fragment before the header.
    pub offset: u32,
    prefix: Prefix,
    /// What one object takes here: nothing where a request only names it.
    size: Size,
    kind: Option<&'static ObjectType>,
    /// Objects that are named or, where they follow, whole.
    count: u32,
}

/// One object without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// The point index, where the qualifier gives one.
    pub index: Option<u32>,
    /// Its octets.
    pub octets: &'a [u8],
}

/// The objects of one header, in their order; none of packed bits.
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    rest: &'a [u8],
    prefix: Prefix,
    size: Size,
    left: u32,
    index: Option<u32>,
}

/// A number of 1, 2 or 4 octets, and what follows it.
#[inline]
fn sized_number(octets: &[u8], width: u8) -> Option<(u32, &[u8])> {
    match width {
        1 => octets.split_first().map(|(number, rest)| (u32::from(*number), rest)),
        2 => octets.split_first_chunk().map(|(number, rest)| (u32::from(u16::from_le_bytes(*number)), rest)),
        _ => octets.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest)),
    }
}

/// Octets of the object at the start of `octets`; `None` where they do not tell.
#[inline]
fn object_length(size: Size, octets: &[u8]) -> Option<usize> {
    match size {
        Size::Nothing => Some(0),
        Size::Octets(length) => Some(usize::from(length)),
        Size::Counted { head, at, item } => {
            let count = octets.get(usize::from(at)..)?.first_chunk()?;
            let items = usize::from(u16::from_le_bytes(*count)).saturating_mul(usize::from(item));
            Some(usize::from(head).saturating_add(items))
        }
        Size::Attribute => {
            let [data_type, length] = *octets.first_chunk()?;
            let more = if data_type == attribute_type::U8BS8EXLIST { 258 } else { 2 };
            Some(usize::from(length).saturating_add(more))
        }
        Size::Bits(_) | Size::Variation | Size::Prefixed => None,
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Object<'a>;

    #[inline]
    fn next(&mut self) -> Option<Object<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (index, length, rest) = match self.prefix {
            Prefix::None => (self.index, object_length(self.size, self.rest)?, self.rest),
            Prefix::Index(width) => {
                let (index, rest) = sized_number(self.rest, width)?;
                (Some(index), object_length(self.size, rest)?, rest)
            }
            Prefix::Size(width) => {
                let (length, rest) = sized_number(self.rest, width)?;
                (None, usize::try_from(length).ok()?, rest)
            }
        };
        let (octets, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        self.index = self.index.map(|index| index.wrapping_add(1));
        Some(Object { index, octets })
    }
}

/// A device attribute (g0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The set of attributes; 0 is the standard's own.
    pub set: u32,
    /// Which attribute of the set.
    pub variation: u8,
    /// The data type code, see [`attribute_type`].
    pub data_type: u8,
    /// The value's octets.
    pub octets: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value by its data type; the octets as they are where it does not fit.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        let octets = self.octets;
        let bits = u32::try_from(octets.len()).unwrap_or(u32::MAX).saturating_mul(8);
        let known = match self.data_type {
            attribute_type::VSTR => Some(Value::Text(octets)),
            attribute_type::UINT => elements::unsigned(octets).map(Value::Unsigned),
            attribute_type::INT => elements::signed(octets).map(Value::Signed),
            attribute_type::FLT => elements::real(octets).map(Value::Real),
            attribute_type::BSTR => Some(Value::Bits(octets, bits)),
            attribute_type::DNP3TIME => elements::absolute_time(octets).map(Value::Unsigned),
            _ => None,
        };
        known.unwrap_or(Value::Octets(octets))
    }
}

impl<'a> ObjectHeader<'a> {
    /// How many objects it names; where objects follow, those that are whole; 0 where it names all.
    #[inline]
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The data space of its points: events share that of their static objects.
    #[inline]
    #[must_use]
    pub fn space(&self) -> &'static str {
        elements::space(self.group)
    }

    /// The standard's name of the object.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        object_name(self.group, self.variation)
    }

    /// The objects that follow, without their prefixes. Packed bits are told by [`points`](Self::points) alone.
    #[inline]
    #[must_use]
    pub fn objects(&self) -> Objects<'a> {
        let index = match self.range {
            ObjectRange::StartStop { start, .. } => Some(start),
            _ => None,
        };
        // Without octets there is nothing to walk, however many are named.
        let left = if self.octets.is_empty() { 0 } else { self.count };
        Objects { rest: self.octets, prefix: self.prefix, size: self.size, left, index }
    }

    /// The index of the first object, where the qualifier gives one.
    #[must_use]
    pub fn first_index(&self) -> Option<u32> {
        match self.range {
            ObjectRange::StartStop { start, .. } => (self.count > 0).then_some(start),
            ObjectRange::Indexed(_) => self.objects().next().and_then(|object| object.index),
            _ => None,
        }
    }

    /// The indices in the order of the objects, [`POINTS_MAX`] of them at most.
    pub fn indices(&self) -> impl Iterator<Item = u32> + use<'a> {
        let range = match self.range {
            ObjectRange::StartStop { start, .. } => start..start.saturating_add(self.count.min(POINTS_MAX)),
            _ => 0..0,
        };
        let objects = match self.range {
            ObjectRange::Indexed(_) => Some(self.objects()),
            _ => None,
        };
        range.chain(objects.into_iter().flatten().filter_map(|object| object.index))
    }

    /// Runs of indices, first and count, in the order of the objects; an index told again in its run is in it once.
    pub fn runs(&self, visit: &mut impl FnMut(u32, u32)) {
        match self.range {
            ObjectRange::StartStop { start, .. } if self.count > 0 => visit(start, self.count),
            ObjectRange::Indexed(_) => {
                let mut run: Option<(u32, u32)> = None;
                for index in self.objects().filter_map(|object| object.index) {
                    match run {
                        Some((first, count)) if index.wrapping_sub(first) < count => {}
                        Some((first, count)) if first.checked_add(count) == Some(index) => {
                            run = Some((first, count.saturating_add(1)));
                        }
                        _ => {
                            if let Some((first, count)) = run.replace((index, 1)) {
                                visit(first, count);
                            }
                        }
                    }
                }
                if let Some((first, count)) = run {
                    visit(first, count);
                }
            }
            _ => {}
        }
    }

    /// The values that follow, each with its quality and time. A common time of occurrence (g51) is put into `cto_ms`,
    /// and the relative times of later headers count from it.
    ///
    /// None for what has no index or no number: octet strings, files, pattern masks, obsolete differences.
    // Inlined into the walk over the headers, of which nothing has to go through memory then.
    #[inline(always)]
    pub fn points(&self, cto_ms: &mut Option<u64>, visit: &mut dyn FnMut(Point)) {
        if self.group == 51 {
            *cto_ms = self.absolute_time_ms();
            return;
        }
        let Some(kind) = self.kind else { return };
        if let Size::Bits(width) = self.size {
            if let ObjectRange::StartStop { start, .. } = self.range {
                packed_points(kind.number, (width, self.count, self.octets), self.space(), start, visit);
            }
            return;
        }
        if self.size == Size::Nothing || matches!(kind.number, Number::Other(_)) {
            return;
        }
        // The numbers that large stations report by the hundred have a loop of their own.
        let common = *cto_ms;
        match kind.number {
            Number::State => self.values(kind, Number::State, common, visit),
            Number::Unsigned32 => self.values(kind, Number::Unsigned32, common, visit),
            Number::Signed16 => self.values(kind, Number::Signed16, common, visit),
            Number::Signed32 => self.values(kind, Number::Signed32, common, visit),
            Number::Real32 => self.values(kind, Number::Real32, common, visit),
            number => self.values(kind, number, common, visit),
        }
    }

    // Inlined where `number` is known, so that each object is read without asking what it is.
    #[inline(always)]
    fn values(&self, kind: &ObjectType, number: Number, common: Option<u64>, visit: &mut dyn FnMut(Point)) {
        let Size::Octets(length) = self.size else { return };
        let (width, mut next) = match (self.prefix, self.range) {
            (Prefix::None, ObjectRange::StartStop { start, .. }) => (0, start),
            (Prefix::Index(width), _) => (width, 0),
            _ => return,
        };
        let stride = usize::from(width).saturating_add(usize::from(length));
        let space = self.space();
        let qualities = kind.flags.qualities();
        let before = usize::from(kind.flags.octets_before());
        let time_at = before.saturating_add(usize::from(number.octets()));
        let mut rest = self.octets;
        while let Some((octets, behind)) = rest.split_at_checked(stride)
            && !octets.is_empty()
        {
            rest = behind;
            let Some((address, octets)) = (match width {
                0 => Some((next, octets)),
                _ => sized_number(octets, width),
            }) else {
                return;
            };
            next = next.wrapping_add(1);
            let flags = octets.first().copied().unwrap_or(0);
            let Some((value, quality)) = octets.get(before..).and_then(|octets| number.read(flags, octets)) else {
                return;
            };
            let quality = qualities.get(usize::from(flags)).map_or(quality, |known| known.and(quality));
            let time = match kind.time {
                Time::Absent => None,
                Time::Absolute => octets.get(time_at..).and_then(elements::absolute_time),
                Time::Relative => octets.get(time_at..).and_then(|behind| behind.first_chunk()).and_then(|elapsed| {
                    common.map(|common| common.saturating_add(u64::from(u16::from_le_bytes(*elapsed))))
                }),
            };
            visit(Point { space, address, value, quality, time });
        }
    }

    /// The command status code, 0 to 127, of each object of g12v1, g12v2 and g41, in their order.
    pub fn command_statuses(&self, visit: &mut impl FnMut(u8)) {
        if self.is_command_block() {
            for object in self.objects() {
                if let Some(status) = object.octets.last() {
                    visit(status & 0x7F);
                }
            }
        }
    }

    /// Whether its objects are commands that end with a status code: g12v1, g12v2 and g41.
    #[must_use]
    pub fn is_command_block(&self) -> bool {
        self.kind.is_some_and(|kind| kind.number == Number::ControlCode || kind.flags == Flags::StatusBehind)
            && self.size != Size::Nothing
    }

    /// The absolute time of the first object of g50 or g51, in ms since 1970-01-01T00:00:00.
    #[inline]
    #[must_use]
    pub fn absolute_time_ms(&self) -> Option<u64> {
        if !matches!(self.group, 50 | 51) {
            return None;
        }
        self.objects().next().and_then(|object| elements::absolute_time(object.octets))
    }

    /// The device attributes that follow (g0).
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let objects = if self.group == 0 && self.size == Size::Attribute { Some(self.objects()) } else { None };
        let variation = self.variation;
        objects.into_iter().flatten().filter_map(move |object| {
            let [data_type, _length] = *object.octets.first_chunk()?;
            let octets = object.octets.get(2..)?;
            Some(Attribute { set: object.index?, variation, data_type, octets })
        })
    }

    /// The header's fields, then the elements of the first [`OBJECTS_TOLD`] objects that are no point's value alone.
    pub fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        visit("group", Value::Unsigned(u64::from(self.group)));
        visit("variation", Value::Unsigned(u64::from(self.variation)));
        visit("object", name_or_null(self.name()));
        visit("qualifier", Value::Unsigned(u64::from(self.qualifier)));
        match self.range {
            ObjectRange::None => {}
            ObjectRange::StartStop { start, stop } => {
                visit("start", Value::Unsigned(u64::from(start)));
                visit("stop", Value::Unsigned(u64::from(stop)));
            }
            ObjectRange::Count(count) | ObjectRange::Indexed(count) => {
                visit("count", Value::Unsigned(u64::from(count)));
            }
            ObjectRange::FreeFormat(count) => visit("count", Value::Unsigned(u64::from(count))),
        }
        if self.size == Size::Nothing {
            for index in self.objects().take(OBJECTS_TOLD).filter_map(|object| object.index) {
                visit("index", Value::Unsigned(u64::from(index)));
            }
            return;
        }
        if self.group == 0 {
            for attribute in self.attributes().take(OBJECTS_TOLD) {
                visit("attribute_set", Value::Unsigned(u64::from(attribute.set)));
                visit("attribute_type", name_or_null(elements::attribute_type_name(attribute.data_type)));
                visit("attribute_value", attribute.value());
            }
            return;
        }
        for object in self.objects().take(OBJECTS_TOLD) {
            // An object cut short by its own size prefix tells what it has.
            let _short = self.object_fields(object, visit);
        }
    }

    fn object_fields(
        &self,
        object: Object<'_>,
        visit: &mut dyn FnMut(&'static str, Value<'_>),
    ) -> Result<(), ParseError> {
        let mut reader = Reader::new(object.octets);
        match (self.group, self.variation) {
            (12, 1 | 2) => {
                visit_index(object.index, visit);
                command_fields(&mut reader, visit)
            }
            (13, _) | (43, _) => {
                visit_index(object.index, visit);
                status_fields(reader.u8("status")?, visit);
                Ok(())
            }
            (41, 1..=4) => {
                visit_index(object.index, visit);
                if let Some((value, _)) = self.kind.and_then(|kind| kind.number.read(0, object.octets)) {
                    visit("value", value_of(value));
                }
                if let Some(status) = object.octets.last() {
                    status_fields(*status, visit);
                }
                Ok(())
            }
            (50 | 51, _) => {
                visit("time", Value::Unsigned(time(&mut reader, "time")?));
                if self.group == 50 && matches!(self.variation, 2 | 4) {
                    visit("interval", Value::Unsigned(u64::from(reader.u32_le("interval")?)));
                }
                if self.group == 50 && self.variation == 4 {
                    visit("interval_units", Value::Unsigned(u64::from(reader.u8("interval_units")?)));
                }
                Ok(())
            }
            (52, variation) => {
                let name = if variation == 1 { "delay_s" } else { "delay_ms" };
                visit(name, Value::Unsigned(u64::from(reader.u16_le(name)?)));
                Ok(())
            }
            (70, variation) => file_fields(variation, &mut reader, visit),
            (81, 1) => {
                let fill = reader.u8("fill_percentage")?;
                visit("fill_percentage", Value::Unsigned(u64::from(fill & 0x7F)));
                visit("overflow", Value::Bool(fill & 0x80 != 0));
                visit("stored_group", Value::Unsigned(u64::from(reader.u8("stored_group")?)));
                visit("stored_variation", Value::Unsigned(u64::from(reader.u8("stored_variation")?)));
                Ok(())
            }
            (90, 1) => {
                visit("application_identifier", Value::Text(object.octets));
                Ok(())
            }
            (110 | 111, _) => {
                visit_index(object.index, visit);
                visit("octet_string", Value::Text(object.octets));
                Ok(())
            }
            (112 | 113, _) => {
                visit_index(object.index, visit);
                visit("virtual_terminal_data", Value::Text(object.octets));
                Ok(())
            }
            (120, variation) => authentication_fields(variation, &mut reader, visit),
            (121 | 122, _) => {
                visit_index(object.index, visit);
                reader.u8("flags")?;
                visit("association", Value::Unsigned(u64::from(reader.u16_le("association")?)));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// The values of `count` packed objects of `width` bits each, whose first has the index `address`.
fn packed_points(
    number: Number,
    (width, count, octets): (u8, u32, &[u8]),
    space: &'static str,
    mut address: u32,
    visit: &mut dyn FnMut(Point),
) {
    if matches!(number, Number::Other(_)) {
        return;
    }
    let mut left = count;
    for octet in octets {
        let mut bits = *octet;
        for _ in 0..8_u8.checked_div(width).unwrap_or(0) {
            if left == 0 {
                return;
            }
            let value = match number {
                Number::DoubleBit => PointValue::Unsigned(u64::from(bits & 3)),
                _ => PointValue::Bit(bits & 1 != 0),
            };
            visit(Point::bare(space, address, value));
            bits = bits.wrapping_shr(u32::from(width));
            address = address.wrapping_add(1);
            left = left.saturating_sub(1);
        }
    }
}

fn name_or_null(name: Option<&'static str>) -> Value<'static> {
    name.map_or(Value::Null, Value::Name)
}

fn value_of(value: PointValue) -> Value<'static> {
    match value {
        PointValue::Bit(bit) => Value::Bool(bit),
        PointValue::Unsigned(number) => Value::Unsigned(number),
        PointValue::Signed(number) => Value::Signed(number),
        PointValue::Real(number) => Value::Real(number),
    }
}

fn visit_index(index: Option<u32>, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    if let Some(index) = index {
        visit("index", Value::Unsigned(u64::from(index)));
    }
}

fn time(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, ParseError> {
    Ok(elements::absolute_time(reader.take(6, field)?).unwrap_or(0))
}

/// The codes of a status octet; its highest bit is reserved.
fn status_fields(status: u8, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    visit("status", Value::Unsigned(u64::from(status & 0x7F)));
    visit("status_name", name_or_null(elements::command_status_name(status & 0x7F)));
}

/// Control relay output block and pattern control block (g12v1, g12v2).
fn command_fields(reader: &mut Reader<'_>, visit: &mut dyn FnMut(&'static str, Value<'_>)) -> Result<(), ParseError> {
    let code = reader.u8("control_code")?;
    visit("control_code", Value::Unsigned(u64::from(code)));
    visit("operation_type", name_or_null(elements::operation_type_name(code)));
    visit("trip_close_code", name_or_null(elements::trip_close_name(code)));
    visit("clear", Value::Bool(code & elements::CONTROL_CODE_CLEAR != 0));
    visit("queue", Value::Bool(code & elements::CONTROL_CODE_QUEUE != 0));
    visit("operation_count", Value::Unsigned(u64::from(reader.u8("operation_count")?)));
    visit("on_time_ms", Value::Unsigned(u64::from(reader.u32_le("on_time_ms")?)));
    visit("off_time_ms", Value::Unsigned(u64::from(reader.u32_le("off_time_ms")?)));
    status_fields(reader.u8("status")?, visit);
    Ok(())
}

/// File control objects (g70). A password is never told.
fn file_fields(
    variation: u8,
    reader: &mut Reader<'_>,
    visit: &mut dyn FnMut(&'static str, Value<'_>),
) -> Result<(), ParseError> {
    match variation {
        1 => {
            let name_size = usize::from(reader.u16_le("file_name_size")?);
            visit("file_type", Value::Unsigned(u64::from(reader.u8("file_type")?)));
            reader.take(5, "attribute_and_records")?;
            visit("file_size", Value::Unsigned(u64::from(reader.u32_le("file_size")?)));
            visit("created", Value::Unsigned(time(reader, "created")?));
            visit("permissions", Value::Unsigned(u64::from(reader.u16_le("permissions")?)));
            reader.take(12, "file_owner_and_group")?;
            visit("file_function", Value::Unsigned(u64::from(reader.u8("file_function")?)));
            file_status_fields(reader, visit)?;
            visit("file_name", Value::Text(reader.take(name_size, "file_name")?));
        }
        2 => {
            reader.take(2, "user_name_offset")?;
            let name_size = usize::from(reader.u16_le("user_name_size")?);
            reader.take(2, "password_offset")?;
            visit("password_size", Value::Unsigned(u64::from(reader.u16_le("password_size")?)));
            visit("authentication_key", Value::Unsigned(u64::from(reader.u32_le("authentication_key")?)));
            visit("user_name", Value::Text(reader.take(name_size, "user_name")?));
        }
        3 => {
            reader.take(2, "file_name_offset")?;
            let name_size = usize::from(reader.u16_le("file_name_size")?);
            visit("created", Value::Unsigned(time(reader, "created")?));
            visit("permissions", Value::Unsigned(u64::from(reader.u16_le("permissions")?)));
            visit("authentication_key", Value::Unsigned(u64::from(reader.u32_le("authentication_key")?)));
            visit("file_size", Value::Unsigned(u64::from(reader.u32_le("file_size")?)));
            visit("file_mode", name_or_null(elements::file_mode_name(reader.u16_le("file_mode")?)));
            visit("maximum_block_size", Value::Unsigned(u64::from(reader.u16_le("maximum_block_size")?)));
            visit("request_identifier", Value::Unsigned(u64::from(reader.u16_le("request_identifier")?)));
            visit("file_name", Value::Text(reader.take(name_size, "file_name")?));
        }
        4 => {
            visit("file_handle", Value::Unsigned(u64::from(reader.u32_le("file_handle")?)));
            visit("file_size", Value::Unsigned(u64::from(reader.u32_le("file_size")?)));
            visit("maximum_block_size", Value::Unsigned(u64::from(reader.u16_le("maximum_block_size")?)));
            visit("request_identifier", Value::Unsigned(u64::from(reader.u16_le("request_identifier")?)));
            file_status_fields(reader, visit)?;
            file_text_field(reader, visit);
        }
        5 | 6 => {
            visit("file_handle", Value::Unsigned(u64::from(reader.u32_le("file_handle")?)));
            let block = reader.u32_le("block_number")?;
            visit("block_number", Value::Unsigned(u64::from(block & 0x7FFF_FFFF)));
            visit("last_block", Value::Bool(block & 0x8000_0000 != 0));
            if variation == 5 {
                let octets = u64::try_from(reader.remaining()).unwrap_or(u64::MAX);
                visit("block_octets", Value::Unsigned(octets));
            } else {
                file_status_fields(reader, visit)?;
                file_text_field(reader, visit);
            }
        }
        7 => {
            reader.take(2, "file_name_offset")?;
            let name_size = usize::from(reader.u16_le("file_name_size")?);
            visit("file_type", name_or_null(elements::file_type_name(reader.u16_le("file_type")?)));
            visit("file_size", Value::Unsigned(u64::from(reader.u32_le("file_size")?)));
            visit("created", Value::Unsigned(time(reader, "created")?));
            visit("permissions", Value::Unsigned(u64::from(reader.u16_le("permissions")?)));
            visit("request_identifier", Value::Unsigned(u64::from(reader.u16_le("request_identifier")?)));
            visit("file_name", Value::Text(reader.take(name_size, "file_name")?));
        }
        8 => visit("file_specification", Value::Text(reader.rest())),
        _ => {}
    }
    Ok(())
}

fn file_status_fields(
    reader: &mut Reader<'_>,
    visit: &mut dyn FnMut(&'static str, Value<'_>),
) -> Result<(), ParseError> {
    let status = reader.u8("file_status")?;
    visit("file_status", Value::Unsigned(u64::from(status)));
    visit("file_status_name", name_or_null(elements::file_status_name(status)));
    Ok(())
}

fn file_text_field(reader: &mut Reader<'_>, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    if reader.remaining() > 0 {
        visit("file_text", Value::Text(reader.rest()));
    }
}

/// Secure authentication objects (g120): who, which number, which algorithms; no keys, no codes.
fn authentication_fields(
    variation: u8,
    reader: &mut Reader<'_>,
    visit: &mut dyn FnMut(&'static str, Value<'_>),
) -> Result<(), ParseError> {
    match variation {
        1 | 2 | 3 | 5 | 6 | 7 | 12 | 13 => {
            visit("sequence", Value::Unsigned(u64::from(reader.u32_le("sequence")?)));
            visit("user", Value::Unsigned(u64::from(reader.u16_le("user")?)));
        }
        4 => visit("user", Value::Unsigned(u64::from(reader.u16_le("user")?))),
        8 | 10 | 11 => visit("key_change_method", Value::Unsigned(u64::from(reader.u8("key_change_method")?))),
        _ => {}
    }
    match variation {
        1 => {
            algorithm_field(reader, visit)?;
            visit("challenge_reason", name_or_null(elements::challenge_reason_name(reader.u8("challenge_reason")?)));
        }
        5 => {
            let wrap = reader.u8("key_wrap_algorithm")?;
            visit("key_wrap_algorithm", name_or_null(elements::key_wrap_algorithm_name(wrap)));
            visit("key_status", name_or_null(elements::key_status_name(reader.u8("key_status")?)));
            algorithm_field(reader, visit)?;
        }
        7 => {
            visit("association", Value::Unsigned(u64::from(reader.u16_le("association")?)));
            let code = reader.u8("error_code")?;
            visit("error_code", Value::Unsigned(u64::from(code)));
            visit("error_name", name_or_null(elements::authentication_error_name(code)));
            visit("error_time", Value::Unsigned(time(reader, "error_time")?));
            if reader.remaining() > 0 {
                visit("error_text", Value::Text(reader.rest()));
            }
        }
        8 => visit("certificate_type", Value::Unsigned(u64::from(reader.u8("certificate_type")?))),
        10 => {
            visit("user_operation", Value::Unsigned(u64::from(reader.u8("user_operation")?)));
            visit("status_change_sequence", Value::Unsigned(u64::from(reader.u32_le("status_change_sequence")?)));
            visit("user_role", Value::Unsigned(u64::from(reader.u16_le("user_role")?)));
            visit("user_role_expiry_interval", Value::Unsigned(u64::from(reader.u16_le("user_role_expiry_interval")?)));
            let name_size = usize::from(reader.u16_le("user_name_size")?);
            reader.take(4, "key_and_certification_sizes")?;
            visit("user_name", Value::Text(reader.take(name_size, "user_name")?));
        }
        11 => {
            let name_size = usize::from(reader.u16_le("user_name_size")?);
            reader.take(2, "challenge_data_size")?;
            visit("user_name", Value::Text(reader.take(name_size, "user_name")?));
        }
        _ => {}
    }
    Ok(())
}

fn algorithm_field(reader: &mut Reader<'_>, visit: &mut dyn FnMut(&'static str, Value<'_>)) -> Result<(), ParseError> {
    let code = reader.u8("message_authentication_algorithm")?;
    let name = elements::message_authentication_algorithm_name(code);
    visit("message_authentication_algorithm", name_or_null(name));
    Ok(())
}

/// The object headers of a fragment, in their order.
///
/// The walk ends with the first breach. Objects that are cut short come as a header with those that are whole, then the
/// error. At most [`HEADERS_MAX`] headers and [`POINTS_MAX`] objects are read.
#[derive(Debug, Clone)]
pub struct ObjectHeaders<'a> {
    /// What is still to be read; nothing behind a breach.
    rest: &'a [u8],
    /// Octets of the fragment up to the end of `rest`.
    end: u32,
    with_data: bool,
    headers: u32,
    points: u32,
    /// What ended the walk, until it is told.
    breach: Option<ParseError>,
}

impl<'a> ObjectHeaders<'a> {
    /// The headers in `octets`, which start at octet `offset` of the fragment.
    ///
    /// Without data (requests that only name objects: read, freeze, assign class) nothing follows a header but index
    /// prefixes, sized objects, authentication objects (g120) and the time of a freeze (g50v2).
    #[inline]
    #[must_use]
    pub fn new(octets: &'a [u8], offset: u32, with_data: bool) -> Self {
        let end = offset.saturating_add(small(octets.len()));
        Self { rest: octets, end, with_data, headers: 0, points: 0, breach: None }
    }

    /// What broke the standard, once [`next_whole`](Self::next_whole) has come to its end.
    #[inline]
    pub(super) fn breach(&self) -> Option<ParseError> {
        self.breach
    }

    /// The next header; none at the end, and none behind a breach, which is kept and not handed through: almost every
    /// walk ends without one.
    #[inline(always)]
    pub(super) fn next_whole(&mut self) -> Option<ObjectHeader<'a>> {
        if self.rest.is_empty() { None } else { self.header() }
    }

    #[inline(always)]
    fn header(&mut self) -> Option<ObjectHeader<'a>> {
        let at_header = self.rest;
        self.headers = self.headers.saturating_add(1);
        if self.headers > HEADERS_MAX {
            return self.end(at_header, ErrorKind::TooMany { limit: HEADERS_MAX }, "object_header", Clause(""));
        }
        let Some(([group, variation, qualifier], at_range)) = at_header.split_first_chunk::<3>() else {
            let field = if at_header.len() == 1 { "object_variation" } else { "qualifier" };
            return self.cut(&[], 1, field, Clause(""));
        };
        let (group, variation, qualifier) = (*group, *variation, *qualifier);
        let Some(Some((prefix, field))) = QUALIFIERS.get(usize::from(qualifier)).copied() else {
            let at_qualifier = at_header.get(2..).unwrap_or(&[]);
            return self.end(at_qualifier, qualifier_breach(qualifier), "qualifier", HEADER);
        };
        let (range, named, at_objects) = match field {
            RangeField::None => (ObjectRange::None, 0, at_range),
            RangeField::StartStop(width) => {
                let Some((start, at_stop)) = sized_number(at_range, width) else {
                    return self.cut(at_range, width.into(), "start", Clause(""));
                };
                let Some((stop, behind)) = sized_number(at_stop, width) else {
                    return self.cut(at_stop, width.into(), "stop", Clause(""));
                };
                let Some(more) = stop.checked_sub(start) else {
                    return self.end(at_range, ErrorKind::Forbidden { got: u64::from(start) }, "start", HEADER);
                };
                (ObjectRange::StartStop { start, stop }, more.saturating_add(1), behind)
            }
            RangeField::Count(width) => {
                let Some((count, behind)) = sized_number(at_range, width) else {
                    return self.cut(at_range, width.into(), "count", Clause(""));
                };
                let is_bare = prefix == Prefix::None;
                (if is_bare { ObjectRange::Count(count) } else { ObjectRange::Indexed(count) }, count, behind)
            }
            RangeField::FreeFormat => {
                let Some((count, behind)) = at_range.split_first() else {
                    return self.cut(at_range, 1, "count", Clause(""));
                };
                (ObjectRange::FreeFormat(*count), u32::from(*count), behind)
            }
        };

        let kind = elements::object_type(group, variation);
        let is_sized = matches!(prefix, Prefix::Size(_));
        let carries = self.with_data || is_sized || group == 120 || (group, variation) == (50, 2);
        let size = match kind {
            _ if !carries => Size::Nothing,
            Some(ObjectType { size: Size::Variation, .. }) => Size::Octets(variation),
            Some(kind) => kind.size,
            None => Size::Prefixed,
        };
        // Objects of one length that are all there, as almost always.
        let stride = match (prefix, size) {
            (Prefix::None, Size::Octets(octets)) => u32::from(octets),
            (Prefix::Index(width), Size::Octets(octets)) => u32::from(width).saturating_add(u32::from(octets)),
            (Prefix::Index(width), Size::Nothing) if !carries => u32::from(width),
            _ => 0,
        };
        let length = usize::try_from(u64::from(named).saturating_mul(u64::from(stride))).unwrap_or(usize::MAX);
        let (octets, rest, count) = match at_objects.split_at_checked(length) {
            Some((octets, rest)) if stride > 0 => (octets, rest, named),
            _ if named == 0 || (!carries && prefix == Prefix::None) => (NOTHING, at_objects, named),
            _ => self.other_objects(at_header, at_objects, (prefix, size, stride), named)?,
        };
        if !octets.is_empty() {
            self.points = self.points.saturating_add(count);
            if self.points > POINTS_MAX {
                return self.end(at_objects, ErrorKind::TooMany { limit: POINTS_MAX }, "object", Clause(""));
            }
        }
        let offset = self.end.saturating_sub(small(at_header.len()));
        self.rest = rest;
        Some(ObjectHeader { group, variation, qualifier, range, octets, offset, prefix, size, kind, count })
    }

    /// The octets of the whole objects of `named`, what follows them, and how many they are: where some are missing, which
    /// ends the walk, or where they are not of one length in octets, so that `stride` is 0.
    fn other_objects(
        &mut self,
        at_header: &'a [u8],
        at_objects: &'a [u8],
        (prefix, size, stride): (Prefix, Size, u32),
        named: u32,
    ) -> Option<(&'a [u8], &'a [u8], u32)> {
        if stride == 0 && !matches!(prefix, Prefix::Size(_)) {
            let [group, variation, qualifier] = at_header.first_chunk().copied().unwrap_or_default();
            let forbidden = ErrorKind::Forbidden { got: u64::from(qualifier) };
            let at_qualifier = at_header.get(2..).unwrap_or(&[]);
            match size {
                Size::Prefixed => {
                    let code = u32::from(u16::from_be_bytes([group, variation]));
                    return self.end(at_header, ErrorKind::Unsupported { code }, "object_group", OBJECT);
                }
                // Objects without octets are only named: any number of them would follow.
                Size::Nothing => return self.end(at_qualifier, forbidden, "qualifier", HEADER),
                // Packed objects have no place for an index.
                Size::Bits(_) if prefix != Prefix::None => {
                    return self.end(at_qualifier, forbidden, "qualifier", HEADER);
                }
                _ => {}
            }
        }
        let (length, count, need) = measure(at_objects, (prefix, size, stride), named);
        let (octets, mut rest) = at_objects.split_at_checked(length)?;
        if count < named {
            let _ended: Option<()> = self.cut(rest, need, "object", OBJECT);
            rest = &[];
        }
        Some((octets, rest, count))
    }

    /// Ends the walk with a breach at the octet that `at` begins with; `at` goes to the end of the octets.
    #[cold]
    fn end<T>(&mut self, at: &[u8], kind: ErrorKind, field: &'static str, clause: Clause) -> Option<T> {
        let offset = self.end.saturating_sub(small(at.len()));
        self.breach = Some(ParseError { kind, field, offset, clause });
        self.rest = &[];
        None
    }

    /// As above, where `need` octets are wanted.
    #[cold]
    fn cut<T>(&mut self, at: &[u8], need: u32, field: &'static str, clause: Clause) -> Option<T> {
        self.end(at, ErrorKind::Truncated { need, have: small(at.len()) }, field, clause)
    }
}

/// A length as the error type holds it.
#[inline]
fn small(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// How far the whole ones of `named` objects go, how many they are, and how many octets the next one needs at least.
fn measure(octets: &[u8], (prefix, size, stride): (Prefix, Size, u32), named: u32) -> (usize, u32, u32) {
    let have = u64::try_from(octets.len()).unwrap_or(u64::MAX);
    if let (Prefix::None, Size::Bits(width)) = (prefix, size) {
        let bits = u64::from(width);
        let length = u64::from(named).saturating_mul(bits).div_ceil(8);
        let whole = have.saturating_mul(8).checked_div(bits).unwrap_or(0).min(u64::from(named));
        return (
            usize::try_from(length.min(have)).unwrap_or(usize::MAX),
            u32::try_from(whole).unwrap_or(u32::MAX),
            u32::try_from(length.saturating_sub(have)).unwrap_or(u32::MAX),
        );
    }
    if let Some(fit) = have.checked_div(u64::from(stride)) {
        let whole = fit.min(u64::from(named));
        return (
            usize::try_from(whole.saturating_mul(u64::from(stride))).unwrap_or(usize::MAX),
            u32::try_from(whole).unwrap_or(u32::MAX),
            stride,
        );
    }
    let mut objects = Objects { rest: octets, prefix, size, left: named, index: None };
    let mut whole = 0_u32;
    while objects.next().is_some() {
        whole = whole.saturating_add(1);
    }
    let left = objects.rest.len();
    let need = u32::try_from(left).unwrap_or(u32::MAX).saturating_add(1);
    (octets.len().saturating_sub(left), whole, need)
}

impl<'a> Iterator for ObjectHeaders<'a> {
    type Item = Result<ObjectHeader<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_whole() {
            Some(header) => Some(Ok(header)),
            None => self.breach.take().map(Err),
        }
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
