//! Detections and protocols as JSON, for those who ask what the sensor knows.

use super::alert::{CardShape, TechniqueShape};
use super::text::Tongue;
use super::write::indented;
use serde::Serialize;
use yagura_parsers::protocols::{ProtocolId, dnp3, iec104};
use yagura_rules::rule::Card;

/// A setting of a detection.
#[derive(Debug, Clone, Serialize)]
struct SettingShape {
    name: &'static str,
    what: &'static str,
    default: u64,
    min: u64,
    max: u64,
}

/// A detection.
#[derive(Debug, Clone, Serialize)]
struct DetectionCard {
    id: &'static str,
    name: &'static str,
    severity: &'static str,
    attack: Vec<TechniqueShape>,
    serves: &'static [&'static str],
    en: CardShape,
    ja: CardShape,
    settings: Vec<SettingShape>,
}

/// A protocol.
#[derive(Debug, Clone, Serialize)]
struct ProtocolCard {
    name: &'static str,
    standard: &'static str,
    ports: &'static [u16],
    tables: &'static [&'static str],
    operations: Vec<OperationCard>,
}

/// An operation of a protocol.
#[derive(Debug, Clone, Serialize)]
struct OperationCard {
    code: u8,
    sub: Option<u16>,
    name: &'static str,
    verb: &'static str,
    clause: &'static str,
}

/// Cards as JSON.
pub fn detections<'a>(cards: impl Iterator<Item = &'a Card>) -> String {
    let shapes: Vec<_> = cards
        .map(|card| DetectionCard {
            id: card.id,
            name: card.name,
            severity: card.severity.name(),
            attack: TechniqueShape::all(card.attack),
            serves: card.serves,
            en: CardShape::new(card, Tongue::English),
            ja: CardShape::new(card, Tongue::Japanese),
            settings: card
                .settings
                .iter()
                .map(|setting| SettingShape {
                    name: setting.name,
                    what: setting.what,
                    default: setting.default,
                    min: setting.min,
                    max: setting.max,
                })
                .collect(),
        })
        .collect();
    indented(&shapes)
}

/// Protocols as JSON.
pub fn protocols(protocols: &[ProtocolId]) -> String {
    let shapes: Vec<_> = protocols
        .iter()
        .map(|protocol| ProtocolCard {
            name: protocol.name(),
            standard: protocol.standard(),
            ports: protocol.ports(),
            tables: protocol.tables(),
            operations: match protocol {
                ProtocolId::Modbus => yagura_parsers::protocols::modbus::FUNCTIONS
                    .iter()
                    .map(|function| OperationCard {
                        code: function.code,
                        sub: function.sub,
                        name: function.name,
                        verb: function.verb.name(),
                        clause: function.clause.0,
                    })
                    .collect(),
                ProtocolId::Dnp3 => dnp3::FUNCTIONS
                    .iter()
                    .map(|function| OperationCard {
                        code: function.code,
                        sub: None,
                        name: function.name,
                        verb: function.verb.name(),
                        clause: function.clause.0,
                    })
                    .collect(),
                ProtocolId::Iec104 => iec104::TYPES
                    .iter()
                    .map(|row| OperationCard {
                        code: row.code,
                        sub: None,
                        name: row.name,
                        verb: row.verb.name(),
                        clause: iec104::message::clause(iec104::TypeId(row.code)).0,
                    })
                    .collect(),
            },
        })
        .collect();
    indented(&shapes)
}
