//! Every format over every alert of the fixtures, and over what attackers would write into them (R-60).

use super::*;
use crate::record::Severity;
use serde_json::Value;
use std::path::Path;

fn wrapped(sequence: u64, class: &str, record: &str) -> Entry {
    Entry::parse(&format!(
        "{{\"sequence\":{sequence},\"id\":\"pump-4/01HX/{sequence}\",\"written\":\"2026-01-05T10:11:13.000000001Z\",\
         \"class\":\"{class}\",\"previous\":\"00\",\"record\":{record}}}"
    ))
    .unwrap()
}

/// Every alert of every scenario, in an order that does not change.
fn fixtures() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let Ok(text) = std::fs::read_to_string(path.join("expected/alerts.jsonl")) else { continue };
        for line in text.lines().filter(|line| line.starts_with("{\"type\":\"alert\"")) {
            all.push(wrapped(u64::try_from(all.len()).unwrap() + 1, "alert", line));
        }
    }
    assert!(all.len() > 200);
    all
}

const HOSTILE: &[&str] = &[
    "\u{0}\u{1}\u{1b}[2J\u{7f}",
    "a\nb\rc\td",
    "\u{9b}31m\u{85}\u{202e}gnp.exe\u{2066}\u{2028}\u{2029}\u{feff}\u{e0041}",
    "</script><script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x/a}",
    "'; DROP TABLE alerts; --",
    "a|b\\|c=d\\=e ]\"}{[%s%n",
    "CEF:0|a|b|c|d|e|10|msg=forged",
    "\n<134>1 2026-01-05T10:11:12Z forged - - - - ",
    "変電所 é 🏭",
];

fn hostile_alert(text: &str) -> Entry {
    static FIRST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let first = FIRST.get_or_init(|| fixtures()[0].record.clone());
    let mut record: Value = serde_json::from_str(first).unwrap();
    for key in ["summary", "summary_ja", "subject", "sensor", "site"] {
        record[key] = text.into();
    }
    record["params"] = serde_json::json!({"name": text, "other.name": 3, "none": null});
    record["assets"][0]["name"] = text.into();
    record["evidence"][0]["capture"] = text.into();
    record["evidence"][0]["fields"] = serde_json::json!({"station": text});
    wrapped(9, "alert", &json::line(&record).unwrap())
}

const FORMATS: [Format; 4] = [Format::Native, Format::Eve, Format::Ecs, Format::Cef];

fn is_json(format: Format) -> bool {
    format != Format::Cef
}

#[test]
fn every_alert_has_a_line_in_every_format_and_room() {
    for entry in fixtures() {
        for format in FORMATS {
            for octets in [LINE_OCTETS_MIN, 4_096, 8_192, LINE_OCTETS_MAX + ENVELOPE_OCTETS_MAX] {
                let line = format.line(&entry, octets).unwrap();
                assert!(line.len() <= octets, "{format:?} {octets}: {line}");
                assert!(!line.chars().any(json::is_hostile), "{line}");
                assert!(!line.contains("has no room here"), "{format:?} {octets}: {line}");
                if is_json(format) {
                    let read: Value = serde_json::from_str(&line).unwrap();
                    assert!(line.contains(&entry.id), "{read}");
                }
            }
        }
    }
}

#[test]
fn hostile_text_stays_inside_its_line_and_comes_back() {
    let long: Vec<String> = HOSTILE.iter().step_by(4).map(|text| text.repeat(65_536 / text.len())).collect();
    for text in HOSTILE.iter().copied().chain(long.iter().map(String::as_str)) {
        let entry = hostile_alert(text);
        for format in FORMATS {
            for octets in [LINE_OCTETS_MIN, LINE_OCTETS_MAX] {
                let line = format.line(&entry, octets).unwrap();
                assert!(line.len() <= octets, "{format:?}: {} octets", line.len());
                assert!(!line.chars().any(json::is_hostile), "{format:?}: {line}");
                let header =
                    Header { facility: syslog::Facility::LOCAL0, host: text.to_owned(), application: text.to_owned() };
                let message = Writing { format, octets, header: Some(header) }.text(&entry).unwrap();
                assert!(message.len() <= octets && !message.chars().any(json::is_hostile), "{message}");
                if !is_json(format) {
                    continue;
                }
                let read: Value = serde_json::from_str(&line).unwrap();
                let within: Value = serde_json::from_str(message.split_once("] ").unwrap().1).unwrap();
                assert_eq!(within["host"].is_null(), read["host"].is_null());
                let summary = match format {
                    Format::Native => &read["record"]["summary"],
                    Format::Eve => &read["alert"]["context"]["yagura"]["summary"],
                    _ => &read["message"],
                };
                if octets == LINE_OCTETS_MAX && text.len() < 1_000 {
                    assert_eq!(summary, text, "{format:?}");
                }
            }
        }
    }
}

#[test]
fn the_native_line_is_the_journals_own_and_says_what_it_leaves_out() {
    let entry = &fixtures()[0];
    assert_eq!(Format::Native.line(entry, LINE_OCTETS_MAX).unwrap(), entry.line);
    let short = Format::Native.line(entry, 2_048).unwrap();
    assert!(short.starts_with("{\"sequence\":1,\"id\":\"pump-4/01HX/1\""), "{short}");
    let read: Value = serde_json::from_str(&short).unwrap();
    assert_eq!(read["record"]["card"], Value::Null);
    assert!(read["record"]["cut"].as_array().unwrap().contains(&"card".into()), "{short}");
    assert_eq!(read["record"]["summary"], serde_json::from_str::<Value>(&entry.record).unwrap()["summary"]);
}

#[test]
fn eve_has_the_keys_that_its_readers_look_for() {
    let entries = fixtures();
    let entry = entries.iter().find(|entry| entry.record.contains("\"transport\":\"tcp\"")).unwrap();
    let record: Value = serde_json::from_str(&entry.record).unwrap();
    let eve: Value = serde_json::from_str(&Format::Eve.line(entry, LINE_OCTETS_MAX).unwrap()).unwrap();
    assert_eq!(eve["event_type"], "alert");
    assert!(eve["timestamp"].as_str().unwrap().ends_with("+0000"), "{eve}");
    assert_eq!(eve["src_ip"], record["flow"]["client"]["address"]);
    assert_eq!(eve["dest_port"], record["flow"]["server"]["port"]);
    assert_eq!(eve["proto"], "TCP");
    assert_eq!(eve["community_id"], record["flow"]["community_id"]);
    assert_eq!(eve["ether"]["src_mac"], record["flow"]["client"]["mac"]);
    assert_eq!(eve["pcap_cnt"], record["evidence"][0]["frame"]);
    assert!(eve["flow_id"].as_u64().unwrap() < 1 << 53);
    assert_eq!(eve["alert"]["action"], "allowed");
    assert_eq!(eve["alert"]["gid"], eve::GENERATOR_ID);
    assert_eq!(eve["alert"]["context"]["yagura"]["journal"], entry.id);
    assert_eq!(eve["alert"]["context"]["yagura"]["evidence"], record["evidence"]);
    assert_eq!(eve["alert"]["metadata"]["mitre_technique_id"][0], record["detection"]["attack"][0]["id"]);
    let values = eve["alert"]["metadata"].as_object().unwrap().values();
    assert!(values.into_iter().all(|value| value.as_array().unwrap().iter().all(Value::is_string)));
    let replayed: Value = serde_json::from_str(&eve::of_record(&entry.record, None, LINE_OCTETS_MAX).unwrap()).unwrap();
    assert_eq!(replayed["alert"]["context"]["yagura"]["journal"], Value::Null);
    let other_run = Entry { id: "pump-4/01HY/1".to_owned(), ..entry.clone() };
    let other: Value = serde_json::from_str(&Format::Eve.line(&other_run, LINE_OCTETS_MAX).unwrap()).unwrap();
    assert_ne!(eve["flow_id"], other["flow_id"]);
}

#[test]
fn ecs_has_its_fields_and_labels_are_texts() {
    for entry in fixtures() {
        let record: Value = serde_json::from_str(&entry.record).unwrap();
        let ecs: Value = serde_json::from_str(&Format::Ecs.line(&entry, LINE_OCTETS_MAX).unwrap()).unwrap();
        assert_eq!(ecs["@timestamp"], record["time"]);
        assert_eq!(ecs["event"]["id"], entry.id);
        assert_eq!(ecs["event"]["kind"], "alert");
        assert_eq!(ecs["rule"]["id"], record["detection"]["id"]);
        assert_eq!(ecs["observer"]["vendor"], "Yagura");
        assert!(ecs["labels"].as_object().unwrap().values().all(Value::is_string), "{ecs}");
        for mac in [&ecs["source"]["mac"], &ecs["destination"]["mac"]] {
            let capital = |mac: &str| mac.chars().all(|c| c == '-' || c.is_ascii_digit() || c.is_ascii_uppercase());
            assert!(mac.as_str().is_none_or(capital), "{mac}");
        }
        if let Some(flow) = record["flow"].as_object() {
            assert_eq!(ecs["source"]["ip"], flow["client"]["address"]);
            assert_eq!(ecs["destination"]["port"], flow["server"]["port"]);
            assert_eq!(ecs["network"]["community_id"], flow["community_id"]);
        }
        for technique in record["detection"]["attack"].as_array().unwrap() {
            let id = technique["id"].as_str().unwrap();
            let parents = ecs["threat"]["technique"]["id"].as_array().unwrap();
            assert!(parents.contains(&id.split('.').next().unwrap().into()));
            if id.contains('.') {
                assert!(ecs["threat"]["technique"]["subtechnique"]["id"].as_array().unwrap().contains(&id.into()));
            }
        }
        if let Some(original) = ecs["event"]["original"].as_str() {
            assert_eq!(original, entry.record);
        }
    }
}

#[test]
fn cef_escapes_what_its_readers_split_at() {
    let entry = hostile_alert("a|b\\c=d\ne");
    let cef = Format::Cef.line(&entry, LINE_OCTETS_MAX).unwrap();
    let record: Value = serde_json::from_str(&entry.record).unwrap();
    let head: Vec<_> = cef.split('|').take(7).collect();
    assert_eq!((head[0], head[1], head[4]), ("CEF:0", "Yagura", record["detection"]["id"].as_str().unwrap()));
    // In the extension: the bar as it is, the equals sign escaped, the backslash doubled by `visible` and again by CEF.
    assert!(cef.ends_with(r" msg=a|b\\\\c\=d\\u{a}e"), "{cef}");
    assert!(cef.contains(" cs1Label=journalId cs1=pump-4/01HX/9 "), "{cef}");
    assert!(cef.contains("|rt=1767"), "milliseconds: {cef}");
    let mut record = record;
    record["detection"]["name"] = r"x|y\z=".into();
    let cef = Format::Cef.line(&wrapped(1, "alert", &record.to_string()), LINE_OCTETS_MAX).unwrap();
    assert!(cef.contains(r"|x\|y\\\\z=|"), "an equals sign of the header stays: {cef}");
}

#[test]
fn other_classes_go_where_a_format_has_a_place_for_them() {
    let record = r#"{"type":"health","summary":"all is well","drops":0}"#;
    for (class, eve, cef, kind) in [
        ("health", false, false, "state"),
        ("checkpoint", false, false, "state"),
        ("audit", false, false, "event"),
        ("disposition", false, false, "event"),
        ("gap", true, true, "event"),
    ] {
        let entry = wrapped(4, class, record);
        assert_eq!(Format::Native.line(&entry, LINE_OCTETS_MAX).unwrap(), entry.line);
        assert_eq!(Format::Eve.line(&entry, LINE_OCTETS_MAX).is_some(), eve, "{class}");
        assert_eq!(Format::Cef.line(&entry, LINE_OCTETS_MAX).is_some(), cef, "{class}");
        let ecs: Value = serde_json::from_str(&Format::Ecs.line(&entry, LINE_OCTETS_MAX).unwrap()).unwrap();
        assert_eq!((ecs["event"]["kind"].as_str(), ecs["message"].as_str()), (Some(kind), Some("all is well")));
    }
    let gap = gap("siem", 5, 9, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(Entry::parse(&gap.line).unwrap(), gap);
    for format in FORMATS {
        let line = format.line(&gap, LINE_OCTETS_MIN).unwrap();
        assert!(line.contains("siem/gap/5-9"), "{line}");
    }
}

#[test]
fn a_record_of_an_unknown_shape_is_told_by_its_id() {
    let entry = wrapped(3, "alert", r#"{"type":"alert","severity":"high","later":true}"#);
    for format in FORMATS {
        let line = format.line(&entry, LINE_OCTETS_MIN).unwrap();
        assert!(line.contains("pump-4/01HX/3") || line.contains("cn1=3"), "{line}");
        assert!(line.len() <= LINE_OCTETS_MIN);
    }
}

#[test]
fn a_syslog_message_is_of_rfc_5424() {
    let header = Header {
        facility: syslog::Facility::try_from("local4".to_owned()).unwrap(),
        host: "pump 4".to_owned(),
        application: String::new(),
    };
    let mut entry = wrapped(7, "alert", r#"{"time":"2026-01-05T10:11:12.123456789Z","severity":"critical"}"#);
    entry.id = r#"a"b\c]d"#.to_owned();
    // 20 * 8 + 2; the host's space is none; six decimals; what section 6.3.3 wants escaped is.
    let expected =
        r#"<162>1 2026-01-05T10:11:12.123456Z pump_4 - - alert [yagura@32473 id="a\"b\\c\]d" sequence="7"] text"#;
    assert_eq!(header.message(&entry, "text", 2_048).unwrap(), expected);
    let prefix = expected.len() - 4;
    assert_eq!(header.prefix_octets(&entry), prefix);
    assert_eq!(header.message(&entry, "変電所", prefix + 4).unwrap(), expected.replace("text", "変"));
    assert_eq!(header.message(&entry, "text", prefix - 1), None);
    for (severity, level) in [
        (Some(Severity::High), 163),
        (Some(Severity::Medium), 164),
        (Some(Severity::Low), 165),
        (Some(Severity::Info), 166),
        (None, 166),
    ] {
        entry.severity = severity;
        assert!(header.message(&entry, "", 2_048).unwrap().starts_with(&format!("<{level}>1 ")));
    }
    assert!(syslog::Facility::try_from("moon".to_owned()).is_err());
}
