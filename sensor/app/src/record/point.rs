//! Points of the process, each with the frames that carry it.

use super::alert::{fitting, quality_names};
use super::text::Names;
use super::wire::{Cuts, Room, Shape, point_value, sentence_cut};
use super::write::{device_time, line, time};
use super::{FrameShape, SCHEMA};
use serde::Serialize;
use std::net::IpAddr;
use yagura_core::points::{PointRecord as Known, Writer};
use yagura_parsers::packet::Scope;
use yagura_rules::facts::asset::AssetKey;

/// Whose point it is.
#[derive(Debug, Clone, Serialize)]
pub struct ServerShape {
    /// IP address.
    pub address: IpAddr,
    /// Its name: the site file's, or the first that it told.
    pub name: Option<String>,
}

/// The least and the greatest value.
#[derive(Debug, Clone, Serialize)]
pub struct RangeShape {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// Who asked for a point to be written.
#[derive(Debug, Clone, Serialize)]
pub struct WriterShape {
    /// IP address.
    pub address: IpAddr,
    /// Its name: the site file's, or the first that it told.
    pub name: Option<String>,
    /// How often it wrote.
    pub writes: u64,
    /// When last.
    pub last: String,
    /// The value that it wrote last.
    pub value: Shape,
    /// The frame in which it did.
    pub at: FrameShape,
}

/// A point of the process.
#[derive(Debug, Clone, Serialize)]
pub struct PointRecord {
    /// `point`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Whose it is.
    pub server: ServerShape,
    /// VLAN identifiers of its broadcast domain, outermost first.
    pub vlans: Vec<u16>,
    /// Network identifier of the tunnel that it is behind.
    pub network: Option<u32>,
    /// The protocol that tells it.
    pub protocol: &'static str,
    /// The address behind the server.
    pub unit: u16,
    /// The data space by the standard's name.
    pub space: &'static str,
    /// The address in it.
    pub address: u32,
    /// The value that was told last; `null` where it was only written, or is no finite number.
    pub value: Shape,
    /// What the device said of its worth then; empty where it is good.
    pub quality: Vec<&'static str>,
    /// When it was so by the device's clock.
    pub device_time: Option<String>,
    /// The first frame that told it, or wrote it.
    pub first_at: FrameShape,
    /// The last frame that told it, or wrote it.
    pub last_at: FrameShape,
    /// When it was told last; `null` where it was only written.
    pub last: Option<String>,
    /// The least and the greatest value that was told.
    pub range: Option<RangeShape>,
    /// How often it was told.
    pub updates: u64,
    /// How often its value was another than before.
    pub changes: u64,
    /// How often it is told, in ns.
    pub period_ns: Option<u64>,
    /// Who wrote it, at most four, by address.
    pub writers: Vec<WriterShape>,
    /// What was shortened for want of room.
    pub cut: Vec<&'static str>,
}

impl PointRecord {
    /// Shapes a point, with so much room.
    pub fn new(point: &Known, names: &Names<'_>, room: Room) -> Self {
        let mut cuts = Cuts::default();
        let at = |frame| FrameShape::new(frame, names.captures);
        let scope = point.key.scope;
        let mut name = |address| name_of(names, scope, address).map(|name| sentence_cut(name, room, "name", &mut cuts));
        let server = ServerShape { address: point.key.server, name: name(point.key.server) };
        let writer = |writer: &Writer| WriterShape {
            address: writer.address,
            name: name(writer.address),
            writes: writer.writes,
            last: time(writer.last),
            value: point_value(writer.value),
            at: at(writer.frame),
        };
        let writers = point.writers.iter().map(writer).collect();
        Self {
            kind: "point",
            schema: SCHEMA,
            server,
            vlans: scope.tags.into_iter().filter(|tag| *tag != 0).collect(),
            network: scope.network.checked_sub(1),
            protocol: point.key.protocol.name(),
            unit: point.key.unit,
            space: point.key.space,
            address: point.address,
            value: point.value.map_or(Shape::Null, point_value),
            quality: quality_names(point.quality),
            device_time: point.device_time.and_then(device_time),
            first_at: at(point.first),
            last_at: at(point.latest),
            last: point.last.map(time),
            range: point.range.map(|(min, max)| RangeShape { min, max }),
            updates: point.updates,
            changes: point.changes,
            period_ns: point.period_ns,
            writers,
            cut: cuts.0,
        }
    }

    /// A point as one line.
    pub fn line(point: &Known, names: &Names<'_>) -> String {
        fitting(|room| line(&Self::new(point, names, room)))
    }
}

/// The name of the station with an address: the site file's by address or MAC address, or the first that it told.
fn name_of(names: &Names<'_>, scope: Scope, address: IpAddr) -> Option<String> {
    let key = AssetKey::Ip(scope, address);
    let mac = names.assets.and_then(|assets| assets.get(&key)?.macs.keys().next().copied());
    names.of(&key, mac)
}

/// The columns of [`cells`].
pub const COLUMNS: [&str; 12] = [
    "server", "protocol", "unit", "space", "address", "value", "quality", "range", "updates", "changes", "period",
    "writers",
];

/// A point as the cells of a table for people; what comes more than once is joined by `; `.
pub fn cells(point: &PointRecord) -> [String; 12] {
    let called = |address: IpAddr, name: &Option<String>| match name {
        Some(name) => format!("{name} ({address})"),
        None => address.to_string(),
    };
    let wrote = |writer: &WriterShape| {
        let times = if writer.writes == 1 { "once".to_owned() } else { format!("{} times", writer.writes) };
        format!("{} {times}, last {}", called(writer.address, &writer.name), value(&writer.value))
    };
    [
        called(point.server.address, &point.server.name),
        point.protocol.to_owned(),
        point.unit.to_string(),
        point.space.to_owned(),
        point.address.to_string(),
        if point.last.is_some() { value(&point.value) } else { String::new() },
        // A good value has none, so that the others are seen at a glance.
        point.quality.join("; "),
        point.range.as_ref().map_or_else(String::new, range),
        point.updates.to_string(),
        point.changes.to_string(),
        point.period_ns.map_or_else(String::new, period),
        point.writers.iter().map(wrote).collect::<Vec<_>>().join("; "),
    ]
}

/// A value for people.
fn value(value: &Shape) -> String {
    match value {
        Shape::Bool(bit) => u8::from(*bit).to_string(),
        Shape::Real(number) => real(*number),
        other => line(other),
    }
}

/// A number for people: as few digits as tell it from its neighbours, those of a 32-bit number where it is one.
fn real(number: f64) -> String {
    let single = number as f32;
    let is_single = f64::from(single) == number;
    let is_plain = number == 0.0 || (1e-5..1e15).contains(&number.abs()) || !number.is_finite();
    match (is_plain, is_single) {
        (true, true) => single.to_string(),
        (true, false) => number.to_string(),
        (false, true) => format!("{single:e}"),
        (false, false) => format!("{number:e}"),
    }
}

/// A range for people; one number where it is no wider.
fn range(range: &RangeShape) -> String {
    if range.min == range.max {
        return real(range.min);
    }
    format!("{} to {}", real(range.min), real(range.max))
}

/// A duration for people.
fn period(nanoseconds: u64) -> String {
    let rounded = |unit: u64| nanoseconds.saturating_add(unit / 2) / unit;
    match nanoseconds {
        0..999_500_000 => format!("{} ms", rounded(1_000_000)),
        999_500_000..99_950_000_000 => format!("{}.{} s", rounded(100_000_000) / 10, rounded(100_000_000) % 10),
        _ => format!("{} s", rounded(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::examples;
    use crate::record::schema::tests::assert_valid;
    use crate::record::write::LINE_OCTETS_MAX;
    use std::collections::BTreeMap;
    use yagura_parsers::message::{PointValue, Quality};
    use yagura_rules::norm::Norm;

    #[test]
    fn a_point_has_its_shape() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &["a.pcap".to_owned()] };
        let text = PointRecord::line(&examples::point(), &names);
        assert_valid("point", &text);
        assert_eq!(
            text,
            concat!(
                r#"{"type":"point","schema":1,"server":{"address":"10.20.1.9","name":null},"vlans":[20],"network":null,"#,
                r#""protocol":"modbus","unit":1,"space":"measured_value","address":7,"value":-1.5,"#,
                r#""quality":["invalid","comm_lost"],"device_time":"2026-01-05T10:11:12.123","#,
                r#""first_at":{"capture":"a.pcap","frame":6},"last_at":{"capture":"a.pcap","frame":1042},"#,
                r#""last":"2026-01-05T10:11:13.000000000Z","range":{"min":-1.5,"max":40.0},"updates":12,"changes":4,"#,
                r#""period_ns":2000000000,"writers":[{"address":"10.20.0.5","name":null,"writes":3,"#,
                r#""last":"2026-01-05T10:11:12.500000000Z","value":17,"at":{"capture":"a.pcap","frame":1042}},"#,
                r#"{"address":"10.20.0.66","name":null,"writes":3,"last":"2026-01-05T10:11:12.500000000Z","#,
                r#""value":null,"at":{"capture":"a.pcap","frame":1042}}],"cut":[]}"#
            )
        );
    }

    #[test]
    fn what_was_only_written_has_no_value() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let mut point = examples::point();
        (point.value, point.last, point.range, point.period_ns, point.device_time) = (None, None, None, None, None);
        (point.updates, point.quality) = (0, Quality::default());
        let text = PointRecord::line(&point, &names);
        assert_valid("point", &text);
        assert!(text.contains(r#""value":null,"quality":[],"device_time":null"#), "{text}");
        let cells = cells(&PointRecord::new(&point, &names, Room::LEVELS[0]));
        assert_eq!(&cells[5..8], ["", "", ""]);
        point.value = Some(PointValue::Real(f64::NEG_INFINITY));
        let text = PointRecord::line(&point, &names);
        assert_valid("point", &text);
        assert!(text.contains(r#""value":null"#), "what is no number of JSON is none: {text}");
    }

    #[test]
    fn stations_have_their_names_and_long_ones_are_cut() {
        let norm = Norm::default();
        let mut asset = examples::asset();
        let claim = asset.claims.values().next().unwrap().clone();
        asset.claims.clear();
        asset.claims.insert(("name", vec![1; 65_536].into()), claim);
        let assets = BTreeMap::from([(asset.key, asset)]);
        let names = Names { norm: &norm, assets: Some(&assets), captures: &[] };
        let text = PointRecord::line(&examples::point(), &names);
        assert_valid("point", &text);
        assert!(text.len() <= LINE_OCTETS_MAX && text.contains(r#""cut":["name"]"#), "{text}");
        let short = BTreeMap::from([(examples::asset().key, examples::asset())]);
        let names = Names { norm: &norm, assets: Some(&short), captures: &[] };
        let record = PointRecord::new(&examples::point(), &names, Room::LEVELS[0]);
        assert_eq!(record.server.name.as_deref(), Some("PLC\u{1b}-1"));
        assert_eq!(record.writers[0].name, None);
    }

    #[test]
    fn cells_are_for_people() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let cells = cells(&PointRecord::new(&examples::point(), &names, Room::LEVELS[0]));
        assert_eq!(
            cells,
            [
                "10.20.1.9",
                "modbus",
                "1",
                "measured_value",
                "7",
                "-1.5",
                "invalid; comm_lost",
                "-1.5 to 40",
                "12",
                "4",
                "2.0 s",
                "10.20.0.5 3 times, last 17; 10.20.0.66 3 times, last NaN",
            ]
        );
        for (number, text) in [
            (f64::from(0.1_f32), "0.1"),
            (0.1, "0.1"),
            (0.0, "0"),
            (65_535.0, "65535"),
            (f64::from(f32::MAX), "3.4028235e38"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(real(number), text);
        }
        for (nanoseconds, text) in [
            (0, "0 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1.0 s"),
            (3_999_999_999, "4.0 s"),
            (99_949_999_999, "99.9 s"),
            (99_950_000_000, "100 s"),
            (u64::MAX, "18446744073 s"),
        ] {
            assert_eq!(period(nanoseconds), text);
        }
        assert_eq!(range(&RangeShape { min: 1.0, max: 1.0 }), "1");
    }
}
