//! Text and octets from the wire, fields of messages, and how they are cut to fit a line.

use super::write::hex;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;
use yagura_parsers::message::PointValue;
use yagura_rules::facts::event::FieldValue;

/// A value of JSON whose objects keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Unknown, or not there.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A floating-point number; one that is not finite is written as `null`.
    Real(f64),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<Self>),
    /// Named values, in order.
    Object(Vec<(String, Self)>),
}

impl Shape {
    /// The value of a key, where this is an object that has it.
    pub fn member(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, where this is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A text of JSON as a value; `None` where it is none.
pub fn read(text: &str) -> Option<Shape> {
    serde_json::from_str(text).ok()
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => values.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
                Ok(Shape::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
                Ok(Shape::Unsigned(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
                Ok(Shape::Signed(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Shape, E> {
                Ok(Shape::Real(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
                Ok(Shape::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = sequence.next_element()? {
                    values.push(value);
                }
                Ok(Shape::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Shape::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// How much of what the wire says there is room for. A record is shaped with the first that makes its line fit.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Octets of a text or of raw octets.
    pub octets: usize,
    /// Items of a list: words, points, units, claims.
    pub items: usize,
    /// Bits of a list of bits.
    pub bits: usize,
    /// Fields of one message.
    pub fields: usize,
    /// Characters of a sentence or subject.
    pub characters: usize,
}

impl Room {
    /// From plenty to what fits whatever the wire says.
    pub const LEVELS: [Self; 3] = [
        Self { octets: 1_024, items: 256, bits: 2_048, fields: 256, characters: 2_048 },
        Self { octets: 128, items: 48, bits: 128, fields: 48, characters: 512 },
        Self { octets: 32, items: 8, bits: 32, fields: 12, characters: 128 },
    ];
}

/// What was shortened or left out for want of room, by name; a name stands once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cuts(pub Vec<&'static str>);

impl Cuts {
    /// Notes a name.
    pub fn note(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }
}

/// What opens a text that stands for octets.
const HEX_MARK: &str = "hex:";

/// Text from the wire: itself where it is UTF-8, else `hex:` and its octets. A text that itself opens with `hex:` is
/// written as octets too, so that the octets can always be told from what is written.
pub fn text(octets: &[u8]) -> String {
    match str::from_utf8(octets) {
        Ok(text) if !text.starts_with(HEX_MARK) => text.to_owned(),
        _ => format!("{HEX_MARK}{}", hex(octets)),
    }
}

/// Text from the wire, as far as there is room: cut before a character that would not fit.
pub fn text_cut(octets: &[u8], room: Room, name: &'static str, cuts: &mut Cuts) -> String {
    if octets.len() <= room.octets {
        return text(octets);
    }
    cuts.note(name);
    match str::from_utf8(octets) {
        Ok(whole) => text(whole.get(..whole.floor_char_boundary(room.octets)).unwrap_or_default().as_bytes()),
        Err(_) => format!("{HEX_MARK}{}", hex(octets.get(..room.octets).unwrap_or_default())),
    }
}

/// A sentence of ours, as far as there is room.
pub fn sentence_cut(sentence: String, room: Room, name: &'static str, cuts: &mut Cuts) -> String {
    match sentence.char_indices().nth(room.characters) {
        None => sentence,
        Some((at, _)) => {
            cuts.note(name);
            let mut short = sentence.get(..at).unwrap_or_default().to_owned();
            short.push('…');
            short
        }
    }
}

/// The first items of a list, as many as there is room for.
pub fn items_cut<'a, T>(items: &'a [T], limit: usize, name: &'static str, cuts: &mut Cuts) -> &'a [T] {
    items
        .get(..limit)
        .inspect(|kept| {
            if kept.len() < items.len() {
                cuts.note(name)
            }
        })
        .unwrap_or(items)
}

/// Fields of a message by name. A name that comes more than once has a list of its values, in their order.
pub fn fields(fields: &[(&'static str, FieldValue)], room: Room, cuts: &mut Cuts) -> Shape {
    let mut members: Vec<(String, Shape)> = Vec::new();
    let mut repeated: Vec<&'static str> = Vec::new();
    for (name, value) in items_cut(fields, room.fields, "fields", cuts) {
        let value = field(value, room, name, cuts);
        match members.iter_mut().find(|(known, _)| known == name) {
            None => members.push(((*name).to_owned(), value)),
            Some((_, Shape::List(values))) if repeated.contains(name) => values.push(value),
            Some((_, first)) => {
                repeated.push(name);
                let before = std::mem::replace(first, Shape::Null);
                *first = Shape::List(vec![before, value]);
            }
        }
    }
    Shape::Object(members)
}

/// The value of a field. Bits are a text of `0` and `1`, the lowest address first; octets are hexadecimal digits.
pub fn field(value: &FieldValue, room: Room, name: &'static str, cuts: &mut Cuts) -> Shape {
    match value {
        FieldValue::Bool(value) => Shape::Bool(*value),
        FieldValue::Unsigned(value) => Shape::Unsigned(*value),
        FieldValue::Signed(value) => Shape::Signed(*value),
        FieldValue::Real(value) => Shape::Real(*value),
        FieldValue::Name(value) => Shape::Text((*value).to_owned()),
        FieldValue::Null => Shape::Null,
        FieldValue::Text(octets) => Shape::Text(text_cut(octets, room, name, cuts)),
        FieldValue::Octets(octets) => Shape::Text(hex(items_cut(octets, room.octets, name, cuts))),
        FieldValue::Words(words) => Shape::List(
            items_cut(words, room.items, name, cuts).iter().map(|word| Shape::Unsigned(u64::from(*word))).collect(),
        ),
        FieldValue::Bits(bits) => {
            Shape::Text(items_cut(bits, room.bits, name, cuts).iter().map(|bit| if *bit { '1' } else { '0' }).collect())
        }
    }
}

/// The value of a point.
pub fn point_value(value: PointValue) -> Shape {
    match value {
        PointValue::Bit(bit) => Shape::Bool(bit),
        PointValue::Unsigned(number) => Shape::Unsigned(number),
        PointValue::Signed(number) => Shape::Signed(number),
        PointValue::Real(real) => Shape::Real(real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Room = Room::LEVELS[0];

    /// What a reader does to get the octets back.
    fn octets(text: &str) -> Vec<u8> {
        match text.strip_prefix(HEX_MARK) {
            None => text.as_bytes().to_vec(),
            Some(digits) => {
                (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
            }
        }
    }

    #[test]
    fn text_from_the_wire_can_be_turned_back() {
        for sample in [&b"PLC-1"[..], b"", b"\xff\xfeA", b"hex:00", "変電所\u{1b}[0m".as_bytes(), b"\xc3", &[0; 9]] {
            assert_eq!(octets(&text(sample)), sample);
        }
        assert_eq!(text(b"hex:00"), "hex:6865783a3030");
    }

    #[test]
    fn what_is_cut_is_named() {
        let tight = Room { octets: 4, items: 2, bits: 3, fields: 2, characters: 5 };
        let mut cuts = Cuts::default();
        assert_eq!(text_cut("あい".as_bytes(), tight, "a", &mut cuts), "あ", "never within a character");
        assert_eq!(text_cut(&[0xff; 9], tight, "b", &mut cuts), "hex:ffffffff");
        assert_eq!(text_cut(b"abcd", tight, "c", &mut cuts), "abcd");
        assert_eq!(sentence_cut("1234567".to_owned(), tight, "d", &mut cuts), "12345…");
        assert_eq!(field(&FieldValue::Words(Box::new([1, 2])), tight, "e", &mut cuts), shape("[1,2]"));
        assert_eq!(
            field(&FieldValue::Bits(Box::new([true, false, true, true])), tight, "f", &mut cuts),
            shape("\"101\"")
        );
        assert_eq!(cuts.0, ["a", "b", "d", "f"]);
    }

    #[test]
    fn a_repeated_name_is_a_list() {
        let sample = [
            ("reference_type", FieldValue::Unsigned(6)),
            ("file_number", FieldValue::Unsigned(1)),
            ("data", FieldValue::Words(Box::new([1]))),
            ("file_number", FieldValue::Unsigned(2)),
            ("data", FieldValue::Words(Box::new([2]))),
            ("file_number", FieldValue::Unsigned(3)),
        ];
        let mut cuts = Cuts::default();
        let got = fields(&sample, PLENTY, &mut cuts);
        assert_eq!(got, shape(r#"{"reference_type":6,"file_number":[1,2,3],"data":[[1],[2]]}"#));
        assert!(cuts.0.is_empty());
    }

    #[test]
    fn numbers_that_are_none_are_null() {
        let line =
            super::super::write::line(&Shape::List(vec![Shape::Real(f64::NAN), Shape::Real(1.5), Shape::Signed(-1)]));
        assert_eq!(line, "[null,1.5,-1]");
    }

    #[test]
    fn objects_keep_their_order() {
        let text = r#"{"z":1,"a":{"y":[null,true,-2,0.5,"x"]},"b":[]}"#;
        assert_eq!(super::super::write::line(&shape(text)), text);
    }

    fn shape(json: &str) -> Shape {
        serde_json::from_str(json).unwrap()
    }
}
