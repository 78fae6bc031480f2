//! Lines of the journal as they stand, and shortened where a transport has no room for them.

use super::json::{harmless, line};
use crate::record::Entry;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// What is left out of a record, in this order, until its line has room.
const LEFT_OUT: [&str; 8] = ["card_ja", "card", "evidence", "params", "assets", "flow", "summary_ja", "subject"];

/// A line of the journal in at most so many octets: whole (then its hash is the chain's), or with members of its record
/// emptied and named in the record's `cut`, or with no record but that list.
pub fn of_entry(entry: &Entry, octets: usize) -> Option<String> {
    let whole = harmless(&entry.line);
    if whole.len() <= octets {
        return Some(whole);
    }
    let mut envelope: Members<'_> = serde_json::from_str(&entry.line).ok()?;
    let mut record: Members<'_> = serde_json::from_str(&entry.record).ok()?;
    let null = RawValue::from_string("null".to_owned()).ok()?;
    let mut cut: Vec<String> =
        record.get("cut").and_then(|cut| serde_json::from_str(cut.get()).ok()).unwrap_or_default();
    for name in LEFT_OUT {
        if !record.set(name, &null) {
            continue;
        }
        cut.push(name.to_owned());
        if let Some(shorter) = with_record(&mut envelope, &mut record, &cut)
            && shorter.len() <= octets
        {
            return Some(shorter);
        }
    }
    let kept = ["type", "id", "time", "severity"];
    record.0.retain(|(name, value)| kept.contains(&name.as_str()) && value.get().len() <= 128);
    with_record(&mut envelope, &mut record, &["record".to_owned()])
}

fn with_record(envelope: &mut Members<'_>, record: &mut Members<'_>, cut: &[String]) -> Option<String> {
    let cut = serde_json::value::to_raw_value(cut).ok()?;
    let mut record = Members(record.0.clone());
    if !record.set("cut", &cut) {
        record.0.push(("cut".to_owned(), &cut));
    }
    let record = RawValue::from_string(line(&record)?).ok()?;
    let mut envelope = Members(envelope.0.clone());
    envelope.set("record", &record);
    line(&envelope)
}

/// The members of an object, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// Gives a member that is there another value; whether it was there.
    fn set(&mut self, key: &str, value: &'a RawValue) -> bool {
        let found = self.0.iter_mut().find(|(name, _)| name == key);
        found.map(|member| member.1 = value).is_some()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Any)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
