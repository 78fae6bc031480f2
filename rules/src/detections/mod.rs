//! The list of detections: `CATALOG`.
//!
//! A detection is one file: its line of the catalogue, its card, its sentences, its rule and its tests. To add one,
//! write the file, and give it a `mod` line and a line in [`CATALOG`] here.

use crate::rule::Registration;

mod catalogue;
mod dialects;
mod document;
mod holding;
#[cfg(test)]
pub(crate) mod testing;
mod waiting;
mod wording;

pub mod arp_spoofing;
pub mod asset_address_conflict;
pub mod asset_new;
pub mod capture_limit;
pub mod capture_loss;
pub mod capture_silent;
pub mod clock_far;
pub mod clock_set;
pub mod clock_step;
pub mod command_sequence;
pub mod conduit_breach;
pub mod connection_flood;
pub mod controller_dangerous;
pub mod conversation_new;
pub mod device_lost;
pub mod device_trouble;
pub mod exception_burst;
pub mod fragment_conflict;
pub mod icmp_flood;
pub mod interrogation_repeated;
pub mod mirror_suspect;
pub mod operation_new;
pub mod point_new;
pub mod point_stale;
pub mod protocol_malformed;
pub mod protocol_unexpected_port;
pub mod quality_bad;
pub mod reporting_disabled;
pub mod request_flood;
pub mod scan_sweep;
pub mod sensor_fault;
pub mod sensor_transmits;
pub mod session_irregular;
pub mod stream_conflict;
pub mod unsolicited_storm;
pub mod value_out_of_range;
pub mod write_unusual;

pub use document::detections_markdown;

/// Every detection, in the order in which the judge asks them.
pub const CATALOG: &[Registration] = &[
    asset_new::RULE,
    asset_address_conflict::RULE,
    conversation_new::RULE,
    conduit_breach::RULE,
    operation_new::RULE,
    value_out_of_range::RULE,
    write_unusual::RULE,
    controller_dangerous::RULE,
    scan_sweep::RULE,
    exception_burst::RULE,
    protocol_malformed::RULE,
    protocol_unexpected_port::RULE,
    stream_conflict::RULE,
    fragment_conflict::RULE,
    capture_limit::RULE,
    command_sequence::RULE,
    session_irregular::RULE,
    device_trouble::RULE,
    clock_set::RULE,
    interrogation_repeated::RULE,
    reporting_disabled::RULE,
    unsolicited_storm::RULE,
    clock_far::RULE,
    quality_bad::RULE,
    point_new::RULE,
    point_stale::RULE,
    request_flood::RULE,
    connection_flood::RULE,
    icmp_flood::RULE,
    arp_spoofing::RULE,
    capture_loss::RULE,
    capture_silent::RULE,
    mirror_suspect::RULE,
    clock_step::RULE,
    sensor_transmits::RULE,
    sensor_fault::RULE,
    device_lost::RULE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Settings, Text};
    use std::collections::BTreeSet;
    use testing::placeholders;

    /// What befalls the sensor itself.
    const OF_THE_SENSOR: &[&str] =
        &["capture_loss", "capture_silent", "mirror_suspect", "clock_step", "sensor_transmits", "sensor_fault"];

    /// The sentences of every detection.
    const TEXTS: &[&[&Text]] = &[
        asset_new::TEXTS,
        asset_address_conflict::TEXTS,
        conversation_new::TEXTS,
        conduit_breach::TEXTS,
        operation_new::TEXTS,
        value_out_of_range::TEXTS,
        write_unusual::TEXTS,
        controller_dangerous::TEXTS,
        scan_sweep::TEXTS,
        exception_burst::TEXTS,
        protocol_malformed::TEXTS,
        protocol_unexpected_port::TEXTS,
        stream_conflict::TEXTS,
        fragment_conflict::TEXTS,
        capture_limit::TEXTS,
        command_sequence::TEXTS,
        session_irregular::TEXTS,
        device_trouble::TEXTS,
        clock_set::TEXTS,
        interrogation_repeated::TEXTS,
        reporting_disabled::TEXTS,
        unsolicited_storm::TEXTS,
        clock_far::TEXTS,
        quality_bad::TEXTS,
        point_new::TEXTS,
        point_stale::TEXTS,
        request_flood::TEXTS,
        connection_flood::TEXTS,
        icmp_flood::TEXTS,
        arp_spoofing::TEXTS,
        capture_loss::TEXTS,
        capture_silent::TEXTS,
        mirror_suspect::TEXTS,
        clock_step::TEXTS,
        sensor_transmits::TEXTS,
        sensor_fault::TEXTS,
        device_lost::TEXTS,
    ];

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
    }

    #[test]
    fn ids_are_in_order_and_names_are_unique() {
        let names: BTreeSet<&str> = CATALOG.iter().map(|one| one.card.name).collect();
        assert_eq!(names.len(), CATALOG.len());
        for (index, one) in CATALOG.iter().enumerate() {
            assert_eq!(one.card.id, format!("OT-{:04}", index + 1));
            assert!(one.card.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", one.card.name);
        }
    }

    #[test]
    fn cards_are_complete_in_both_languages() {
        for card in CATALOG.iter().map(|one| one.card) {
            for text in [card.what, card.why, card.benign, card.response] {
                assert!(text.en.len() > 40 && text.en.ends_with('.'), "{}: {}", card.name, text.en);
                assert!(text.en.is_ascii() && !text.en.contains("  "), "{}: {}", card.name, text.en);
                assert!(is_japanese(text.ja) && text.ja.ends_with('。'), "{}: {}", card.name, text.ja);
                assert!(!text.ja.contains("  "), "{}: {}", card.name, text.ja);
                assert!(placeholders(text.en).is_empty() && placeholders(text.ja).is_empty());
            }
            // What befalls the sensor is evidence of no technique.
            let is_own = OF_THE_SENSOR.contains(&card.name);
            assert!(!card.serves.is_empty() && card.attack.is_empty() == is_own, "{}", card.name);
            for clause in card.serves {
                let (document, place) = clause.split_once(' ').unwrap_or((clause, ""));
                assert!(["000", "001", "002", "CSF", "CPG", "62443-3-3"].contains(&document), "{clause}");
                assert!(document == "000" || !place.is_empty(), "{clause}");
            }
        }
    }

    #[test]
    fn techniques_are_of_version_19_and_never_claim_what_is_silent() {
        /// Ids that version 19 revoked, and what they became.
        const REVOKED: &[(&str, &str)] = &[
            ("T0803", "T1691.001"),
            ("T0804", "T1691.002"),
            ("T0805", "T1695.001"),
            ("T0812", "T1694.001"),
            ("T0839", "T1693.002"),
            ("T0855", "T1692.001"),
            ("T0856", "T1692.002"),
            ("T0857", "T1693.001"),
            ("T0891", "T1694.002"),
        ];
        let mut names = std::collections::BTreeMap::new();
        for technique in CATALOG.iter().flat_map(|one| one.card.attack) {
            let (base, sub) = technique.id.split_once('.').unwrap_or((technique.id, "001"));
            assert!(base.len() == 5 && base.starts_with('T') && base[1..].bytes().all(|c| c.is_ascii_digit()));
            assert!(sub.len() == 3 && sub.bytes().all(|c| c.is_ascii_digit()), "{}", technique.id);
            assert!(REVOKED.iter().all(|(old, _)| *old != technique.id), "{}", technique.id);
            let old = REVOKED.iter().find(|(_, new)| *new == technique.id).map(|(old, _)| *old);
            assert_eq!(technique.old, old, "{}", technique.id);
            assert_ne!(technique.id, "T0842");
            assert_eq!(*names.entry(technique.id).or_insert(technique.name), technique.name);
        }
    }

    #[test]
    fn settings_have_a_default_within_their_bounds() {
        for card in CATALOG.iter().map(|one| one.card) {
            let names: BTreeSet<&str> = card.settings.iter().map(|setting| setting.name).collect();
            assert_eq!(names.len(), card.settings.len());
            for setting in card.settings {
                assert!(setting.min <= setting.default && setting.default <= setting.max, "{}", setting.name);
                assert!(!setting.what.is_empty());
                assert_eq!(Settings::default().value(card, setting.name), setting.default);
            }
        }
    }

    #[test]
    fn sentences_name_the_same_parameters_in_both_languages() {
        assert_eq!(TEXTS.len(), CATALOG.len());
        for text in TEXTS.iter().flat_map(|texts| texts.iter()) {
            assert_eq!(placeholders(text.en), placeholders(text.ja), "{}", text.en);
            assert!(text.en.is_ascii() && is_japanese(text.ja));
            assert!(!text.en.ends_with('.') && !text.ja.ends_with('。'), "the basis completes it: {}", text.en);
        }
    }

    #[test]
    fn every_rule_can_be_built_with_the_smallest_memory_and_wants_something() {
        for one in CATALOG {
            let rule = (one.build)(&Settings::default(), 1);
            assert!(rule.interest().0 != 0);
            assert_eq!((rule.unjudged(), rule.forgotten()), (0, 0));
        }
    }
}
