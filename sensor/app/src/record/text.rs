//! Sentences in English and Japanese: templates with their parameters, and what a judgement rests on.

use super::Language;
use super::wire::text as wire_text;
use super::write::visible;
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_parsers::packet::link::MacAddr;
use yagura_rules::facts::asset::{Asset, AssetKey};
use yagura_rules::facts::event::{Event, EventKind, Stage};
use yagura_rules::facts::flow::Flow;
use yagura_rules::norm::{Basis, Norm, Verdict};
use yagura_rules::rule::{Finding, Param, Text};

/// The longest name from the wire that is put into a sentence, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// A language that a sentence can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tongue {
    /// English.
    English,
    /// Japanese.
    Japanese,
}

impl Tongue {
    /// The text in this language.
    pub fn of(self, text: &Text) -> &'static str {
        match self {
            Self::English => text.en,
            Self::Japanese => text.ja,
        }
    }
}

impl Language {
    /// The language of the main texts.
    pub fn first(self) -> Tongue {
        if self == Self::Japanese { Tongue::Japanese } else { Tongue::English }
    }

    /// The language beside it.
    pub fn second(self) -> Option<Tongue> {
        (self == Self::Both).then_some(Tongue::Japanese)
    }
}

/// By what names things are called.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The site file's names, and the names of the files.
    pub norm: &'a Norm,
    /// What devices said of themselves, where it is known: at the end of a run.
    pub assets: Option<&'a BTreeMap<AssetKey, Asset>>,
    /// The captures' paths as they were given, in the order of the arguments.
    pub captures: &'a [String],
}

impl Names<'_> {
    /// The name of an asset: the site file's, or else the first that the asset told of itself.
    pub fn of(&self, key: &AssetKey, mac: Option<MacAddr>) -> Option<String> {
        let (address, own_mac) = match key {
            AssetKey::Ip(_, address) => (Some(*address), None),
            AssetKey::Mac(_, mac) => (None, Some(*mac)),
        };
        if let Some(name) = self.norm.name_of(address, own_mac.or(mac)) {
            return Some(name.to_owned());
        }
        let asset = self.assets?.get(key)?;
        let told = asset.claims.keys().find(|(claim, octets)| *claim == "name" && !octets.is_empty());
        told.map(|(_, octets)| wire_text(octets))
    }

    /// An asset as a sentence has it: `HMI-1 (10.20.0.5)`, or the address alone.
    pub fn shown(&self, key: &AssetKey) -> String {
        let address = address_of(key);
        match self.of(key, None) {
            Some(name) => format!("{} ({address})", shortened(&name)),
            None => address,
        }
    }
}

/// The address of an asset: IP, or MAC for one that speaks no IP.
pub fn address_of(key: &AssetKey) -> String {
    match key {
        AssetKey::Ip(_, address) => address.to_string(),
        AssetKey::Mac(_, mac) => mac.to_string(),
    }
}

/// The MAC address that an asset had in a flow.
pub fn mac_in(flow: Option<&Flow>, key: &AssetKey) -> Option<MacAddr> {
    match (key, flow) {
        (AssetKey::Mac(_, mac), _) => Some(*mac),
        (AssetKey::Ip(_, address), Some(flow)) if *address == flow.client.address => flow.client_mac,
        (AssetKey::Ip(_, address), Some(flow)) if *address == flow.server.address => flow.server_mac,
        _ => None,
    }
}

/// The IP address of an asset.
pub fn ip_of(key: &AssetKey) -> Option<IpAddr> {
    match key {
        AssetKey::Ip(_, address) => Some(*address),
        AssetKey::Mac(..) => None,
    }
}

/// A finding as a sentence: its template with its parameters, and what it rests on.
pub fn sentence(finding: &Finding, event: &Event, tongue: Tongue, names: &Names<'_>) -> String {
    let mut text = filled(tongue.of(finding.text), &finding.params, names);
    if let Some(ground) = ground(finding.basis, event, tongue, names.norm) {
        text.push_str(match tongue {
            Tongue::English => "; ",
            Tongue::Japanese => "。",
        });
        text.push_str(&ground);
    }
    text
}

/// A template with its parameters. A parameter that is not given stays as it stands in the template.
pub fn filled(template: &str, params: &[(&'static str, Param)], names: &Names<'_>) -> String {
    let mut text = String::with_capacity(template.len().saturating_mul(2));
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let known = after
            .split_once('}')
            .and_then(|(name, tail)| params.iter().find(|(known, _)| *known == name).map(|(_, param)| (param, tail)));
        match known {
            Some((param, tail)) => {
                text.push_str(&shown(param, names));
                rest = tail;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// A parameter as a sentence has it. Text from the wire is in quotes, with hostile characters made visible.
pub fn shown(param: &Param, names: &Names<'_>) -> String {
    match param {
        Param::Number(number) => number.to_string(),
        Param::Real(number) => number.to_string(),
        Param::Word(word) => (*word).to_owned(),
        Param::Text(text) => visible(text),
        Param::Capture(number) => match names.captures.get(usize::from(*number)) {
            Some(name) => visible(name),
            None => number.to_string(),
        },
        Param::Asset(key) => names.shown(key),
        Param::Wire(octets) => format!("\"{}\"", shortened(&wire_text(octets))),
    }
}

/// What a judgement rests on, in words; `None` where there is nothing to say.
fn ground(basis: Basis, event: &Event, tongue: Tongue, norm: &Norm) -> Option<String> {
    let english = tongue == Tongue::English;
    Some(match basis {
        Basis::Line(at) => {
            let (file, line) = (visible(norm.file(at.file)), at.line);
            if english {
                format!("against line {line} of {file}")
            } else {
                format!("{file} の {line} 行目に反する")
            }
        }
        Basis::Nearest(at) => {
            let (file, line) = (visible(norm.file(at.file)), at.line);
            if english {
                format!("nearest is line {line} of {file}")
            } else {
                format!("最も近いのは {file} の {line} 行目")
            }
        }
        Basis::File(file) => {
            let file = visible(norm.file(file));
            if english { format!("no line of {file} comes near it") } else { format!("{file} に近い行はない") }
        }
        Basis::None => match &event.kind {
            EventKind::Operation(fact)
                if fact.verdict == Verdict::Unknown && matches!(fact.stage, Stage::Requested | Stage::Unasked) =>
            {
                if english {
                    "no baseline says what is usual here"
                } else {
                    "通常の状態を示すベースラインがない"
                }
                .to_owned()
            }
            _ => return None,
        },
    })
}

/// A text from the wire, made visible and short enough for a sentence.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(NAME_CHARACTERS_MAX) {
        None => visible(text),
        Some((at, _)) => format!("{}…", visible(text.get(..at).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::examples;

    #[test]
    fn parameters_take_their_places() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let params = [
            ("client", Param::Asset(examples::key("10.0.0.1"))),
            ("n", Param::Number(3)),
            ("x", Param::Real(0.5)),
            ("w", Param::Wire(Box::from(&b"a\x1b\"{n}"[..]))),
            ("t", Param::Text("holding_register 40-41".to_owned())),
        ];
        assert_eq!(
            filled("{client} wrote {t}: {n}, {x}", &params, &names),
            "10.0.0.1 wrote holding_register 40-41: 3, 0.5"
        );
        assert_eq!(
            filled("said {w}", &params, &names),
            "said \"a\\u{1b}\"{n}\"",
            "what is put in is not looked at again"
        );
        assert_eq!(filled("{missing} {n} {", &params, &names), "{missing} 3 {");
        assert_eq!(filled("{クライアント} {n}", &params, &names), "{クライアント} 3");
    }

    #[test]
    fn a_long_name_from_the_wire_is_shortened() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let text = shown(&Param::Wire(vec![b'a'; 5_000].into()), &names);
        assert_eq!(text.chars().count(), NAME_CHARACTERS_MAX + 3);
        assert!(text.ends_with("…\""));
    }

    #[test]
    fn assets_are_called_by_the_name_they_told() {
        let norm = Norm::default();
        let asset = examples::asset();
        let key = asset.key;
        let assets = BTreeMap::from([(key, asset)]);
        let names = Names { norm: &norm, assets: Some(&assets), captures: &[] };
        assert_eq!(names.shown(&key), "PLC\\u{1b}-1 (10.20.1.9)");
        assert_eq!(names.shown(&examples::key("10.0.0.9")), "10.0.0.9");
    }

    #[test]
    fn the_ground_is_told_in_both_languages() {
        let norm = examples::norm();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let mut alert = examples::write_alert();
        let mut say = |basis, tongue| {
            alert.finding.basis = basis;
            sentence(&alert.finding, &alert.event, tongue, &names)
        };
        let line = yagura_rules::norm::Line { file: 1, line: 4 };
        assert!(say(Basis::Nearest(line), Tongue::English).ends_with("; nearest is line 4 of baseline.toml"));
        assert!(say(Basis::Line(line), Tongue::English).ends_with("; against line 4 of baseline.toml"));
        assert!(say(Basis::Line(line), Tongue::Japanese).ends_with("。baseline.toml の 4 行目に反する"));
        assert!(say(Basis::File(0), Tongue::English).ends_with("; no line of site.toml comes near it"));
        // The example's operation was judged by a baseline, so that its absence is no ground.
        assert!(say(Basis::None, Tongue::English).ends_with("= 17"));
        if let EventKind::Operation(fact) = &mut alert.event.kind {
            fact.verdict = Verdict::Unknown;
        }
        let text = sentence(&alert.finding, &alert.event, Tongue::English, &names);
        assert!(text.ends_with("; no baseline says what is usual here"), "{text}");
    }
}
