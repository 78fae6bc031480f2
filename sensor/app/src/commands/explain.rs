//! `yagura explain`: why an alert was raised, or what became of a frame.

use super::analysis::{Inputs, analyse, setup, source};
use super::show::card_text;
use super::{DONE, Failure, Outcome, print};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::alert::{EvidenceShape, FaultShape, evidence};
use crate::record::text::{Names, Tongue, sentence};
use crate::record::wire::{Cuts, Room, Shape, fields, read};
use crate::record::write::{line, time, visible};
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use yagura_core::analyzer::{Report, Setup};
use yagura_core::trace::{Note, Trace};
use yagura_parsers::message::Operation;
use yagura_parsers::packet::{Anomalies, Network, Packet, Transport};
use yagura_rules::alert::Alert;
use yagura_rules::norm::{Basis, Line, Verdict};
use yagura_rules::policy::Policy;

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Why this alert was raised.
    Alert(String),
    /// What became of this frame of the timeline.
    Frame(u64),
}

impl Question {
    /// The frame of the timeline that it is about; `None` for a text that is no alert's id.
    fn frame(&self) -> Option<u64> {
        match self {
            Self::Frame(frame) => Some(*frame),
            Self::Alert(id) => {
                let (rest, _) = id.rsplit_once('-')?;
                rest.rsplit_once('-')?.1.parse().ok()
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Arguments`] for a text that is no alert's id; [`Failure::World`] where there is no such alert or frame, or
/// a capture is damaged: after what can be said has been said.
pub fn run(question: &Question, inputs: &Inputs) -> Outcome {
    let Some(frame) = question.frame() else {
        let Question::Alert(id) = question else { return Ok(DONE) };
        let id = visible(id);
        return Err(Failure::Arguments(format!("'{id}' is no alert's id: they look like OT-0007-1042-0")));
    };
    let policy = inputs.policy()?;
    let captures = inputs.capture_names();
    let stop = AtomicBool::new(false);
    let mut raised: Vec<Alert> = Vec::new();
    let setup = Setup { watch: Some(frame), ..setup(&policy) };
    let analysis = analyse(inputs, setup, Pace::default(), &stop, &mut |alerts| {
        raised.extend(alerts.into_iter().filter(|alert| {
            let cites = || alert.finding.earlier.iter().any(|cited| cited.id.frame == frame);
            alert.event.id.frame == frame || cites()
        }));
    })?;
    let names = source(&policy, &captures, Language::Both, Some(&analysis.report.assets)).names;
    let error = analysis.error();
    let text = match question {
        Question::Alert(id) => match raised.iter().find(|alert| alert.id.to_string() == *id) {
            Some(alert) => why(alert, &policy, &names),
            None => {
                let last = analysis.report.counters.frames;
                let id = visible(id);
                let hint = "it needs the captures, site file and baseline of the run that raised it";
                let missing = format!("no alert {id} in {last} frames; {hint}");
                return Err(Failure::World(error.map_or(missing.clone(), |error| format!("{missing}; {error}"))));
            }
        },
        Question::Frame(frame) => {
            let last = analysis.report.counters.frames;
            if *frame == 0 || *frame > last {
                let missing = format!("there is no frame {frame}: the captures have {last}");
                return Err(Failure::World(error.map_or(missing.clone(), |error| format!("{missing}; {error}"))));
            }
            fate(*frame, &analysis.report, &raised, &names, &policy)
        }
    };
    print(&text)?;
    error.map_or(Ok(DONE), |error| Err(Failure::World(error)))
}

/// Why an alert was raised.
fn why(alert: &Alert, policy: &Policy, names: &Names<'_>) -> String {
    let (finding, event) = (&alert.finding, &alert.event);
    let mut text = format!("{}  {}  {}\n\n", alert.id, alert.severity.name(), time(alert.time));
    for tongue in [Tongue::English, Tongue::Japanese] {
        let _ = writeln!(text, "  {}", visible(&sentence(finding, event, tongue, names)));
    }
    if let Some(closed) = alert.closes {
        let _ = writeln!(text, "\n  It closes {closed}, which came {} more times.", alert.repeats);
    }
    text.push_str("\nWhat it rests on\n");
    text.push_str(&ground(finding.basis, policy));
    text.push_str("\nEvidence\n");
    text.push_str(&evidence_text(&evidence(event, Room::LEVELS[0], names)));
    for cited in &finding.earlier {
        let at = crate::record::FrameShape::new(cited.origin, names.captures);
        let capture = visible(at.capture.as_deref().unwrap_or("?"));
        let (frame, of) = (at.frame, cited.id.frame);
        let _ = writeln!(text, "  earlier: frame {frame} of {capture} (see --frame {of})");
    }
    if let Some(flow) = &finding.flow {
        let _ = writeln!(text, "\nFlow\n  {}", flow_words(flow));
    }
    if !finding.assets.is_empty() {
        text.push_str("\nWho is concerned\n");
    }
    for key in &finding.assets {
        let zone = match key {
            yagura_rules::facts::asset::AssetKey::Ip(_, address) => policy.norm.zone_of(*address),
            yagura_rules::facts::asset::AssetKey::Mac(..) => None,
        };
        let zone = zone.map(|zone| format!(", in zone {}", visible(zone))).unwrap_or_default();
        let vendor = names.assets.and_then(|assets| assets.get(key)?.vendor);
        let vendor = vendor.map(|vendor| format!(", {}", visible(vendor))).unwrap_or_default();
        let _ = writeln!(text, "  {}{vendor}{zone}", names.shown(key));
    }
    let _ = write!(text, "\nThe detection\n{}", indented(&card_text(alert.card)));
    text
}

fn indented(text: &str) -> String {
    let mut shifted = String::with_capacity(text.len());
    for line in text.lines() {
        let _ = writeln!(shifted, "  {line}");
    }
    shifted
}

/// The line that a judgement rests on, with its text.
fn ground(basis: Basis, policy: &Policy) -> String {
    let quote = |at: Line| {
        let text = policy.file_line_text(at).unwrap_or_default();
        format!("    {}:{}: {}\n", visible(policy.norm.file(at.file)), at.line, visible(text.trim()))
    };
    match basis {
        Basis::Line(at) => format!("  this line:\n{}", quote(at)),
        Basis::Nearest(at) => format!("  no line allows it; this one is the nearest:\n{}", quote(at)),
        Basis::File(file) => format!("  no line of {} comes near it\n", visible(policy.norm.file(file))),
        Basis::None => "  what was seen alone: no line of site file or baseline is about it\n".to_owned(),
    }
}

/// Evidence field by field.
fn evidence_text(shape: &EvidenceShape) -> String {
    let capture = visible(shape.capture.as_deref().unwrap_or("?"));
    let mut text = format!("  frame {} of {capture} (event {})\n", shape.frame, shape.event);
    // The record's own shape, key by key, is what there is to say: read as anybody would read it.
    let Some(Shape::Object(members)) = read(&line(shape)) else { return text };
    for (key, value) in &members {
        if ["event", "capture", "frame", "cut"].contains(&key.as_str()) {
            continue;
        }
        describe(&mut text, key, value, 4);
    }
    text
}

/// A value with its name, members of objects each on a line of their own. The depth is that of our own shapes.
fn describe(text: &mut String, name: &str, value: &Shape, indent: usize) {
    match value {
        Shape::Null => {}
        Shape::List(values) if values.is_empty() => {}
        Shape::Object(members) if members.is_empty() => {}
        Shape::Object(members) => {
            let _ = writeln!(text, "{:indent$}{}", "", visible(name));
            for (key, value) in members {
                describe(text, key, value, indent.saturating_add(2));
            }
        }
        Shape::Text(words) => {
            let _ = writeln!(text, "{:indent$}{:<24} {}", "", visible(name), visible(words));
        }
        other => {
            let _ = writeln!(text, "{:indent$}{:<24} {}", "", visible(name), line(other));
        }
    }
}

/// What became of a frame.
fn fate(frame: u64, report: &Report, raised: &[Alert], names: &Names<'_>, policy: &Policy) -> String {
    let mut text = format!("Frame {frame}\n\n");
    let nothing = Trace::default();
    let notes = &report.trace.as_ref().unwrap_or(&nothing).notes;
    for note in notes {
        for line in words(note, policy).lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if notes.is_empty() {
        text.push_str("  It went through without a note.\n");
    }
    text.push('\n');
    let own: Vec<&Alert> = raised.iter().filter(|alert| alert.event.id.frame == frame).collect();
    let cited: Vec<&Alert> = raised.iter().filter(|alert| alert.event.id.frame != frame).collect();
    for alert in &own {
        let said = sentence(&alert.finding, &alert.event, Tongue::English, names);
        let (id, name, severity) = (alert.id, alert.card.name, alert.severity.name());
        let closes = match alert.closes {
            Some(closed) => format!(" (repeats of {closed} were counted up to here)"),
            None => String::new(),
        };
        let _ = writeln!(text, "It raised {id} ({name}, {severity}): {}{closes}", visible(&said));
    }
    for alert in &cited {
        let _ = writeln!(text, "It is evidence of {} ({}).", alert.id, alert.card.name);
    }
    if own.is_empty() {
        let _ = writeln!(text, "It raised no alert of its own: {}.", reason(notes, policy));
    }
    text
}

/// Why a frame raised nothing, by the last note that decides it.
fn reason(notes: &[Note], policy: &Policy) -> String {
    let mut reason = "nothing in it is what a detection looks for".to_owned();
    for note in notes {
        match note {
            Note::Duplicate => return "it is a second copy, and the first was judged".to_owned(),
            Note::FragmentHeld => return "it is a part of a datagram, which is judged when it is whole".to_owned(),
            Note::NoPayload => reason = "it carries no payload".to_owned(),
            Note::Unidentified => reason = "what its flow speaks is not known".to_owned(),
            Note::Judged { verdict: Verdict::Usual(basis), .. } => {
                reason = match basis {
                    Basis::Line(at) | Basis::Nearest(at) => {
                        format!("line {} of {} allows it", at.line, visible(policy.norm.file(at.file)))
                    }
                    Basis::File(_) | Basis::None => "it is usual".to_owned(),
                };
            }
            Note::Judged { verdict: Verdict::Unknown, operation, .. } => {
                let verb = operation.verb.name();
                reason = if operation.verb.changes_process() || operation.verb.is_dangerous() {
                    format!("a {verb} like it was told before: repeats are counted, not told again")
                } else {
                    format!("there is no baseline to hold the {verb} against")
                };
            }
            Note::Event("notice" | "command" | "point" | "clock" | "rate") => {
                reason =
                    "what the judge was shown is no alert by itself, was told before (repeats are counted), or the \
                    site file keeps it silent"
                        .to_owned();
            }
            Note::Judged { verdict: Verdict::Unusual(..) | Verdict::Forbidden(_), .. } => {
                reason = "it was told before (repeats are counted), or the site file keeps it silent".to_owned();
            }
            _ => {}
        }
    }
    reason
}

/// One step of a frame's way, in words.
fn words(note: &Note, policy: &Policy) -> String {
    match note {
        Note::Headers(packet) => headers(packet),
        Note::Duplicate => "It is a mirror's second copy of a frame before it, and is not judged twice.".to_owned(),
        Note::FragmentHeld => "It is a fragment, and waits for the others of its datagram.".to_owned(),
        Note::Reassembled { octets } => {
            format!("It completes a datagram of {octets} octets, which is read in its place.")
        }
        Note::Flow(flow, to_server) => {
            let way = if *to_server { "from client to server" } else { "from server to client" };
            format!("It belongs to flow {}, {way}: {}", flow.id.0, flow_words(flow))
        }
        Note::NoPayload => "It carries no payload, or none that anyone reads.".to_owned(),
        Note::Stream(what) => format!("For the stream it is: {}.", what.replace('_', " ")),
        Note::Unidentified => {
            "Nothing that the sensor reads speaks like this: its octets are counted by port.".to_owned()
        }
        Note::Message { protocol, fields: told, fault } => {
            let mut text = format!("A {protocol} message was read:\n");
            if let Shape::Object(members) = fields(told, Room::LEVELS[0], &mut Cuts::default()) {
                for (name, value) in &members {
                    match value {
                        Shape::Null => drop(writeln!(text, "  {:<28} -", visible(name))),
                        value => describe(&mut text, name, value, 2),
                    }
                }
            }
            if let Some(fault) = fault {
                let _ = writeln!(text, "  It breaks its standard: {}", FaultShape::new(fault).text);
            }
            text
        }
        Note::Judged { operation, verdict, settled } => {
            let settled = if *settled { " It was settled without the judge." } else { "" };
            format!("It {}: {}.{settled}", done(operation), opinion(*verdict, policy))
        }
        Note::Event(name) => format!("The judge was shown: {}.", event_words(name)),
    }
}

/// An event in words.
fn event_words(name: &str) -> String {
    match name {
        "notice" => {
            "that the message shows something beside what it says (session, trouble, not for a device)".to_owned()
        }
        "command" => "that a command does not go the way of commands".to_owned(),
        "point" => "that a point turned bad or good, or is told no more or again".to_owned(),
        "clock" => "that a device's clock is set, or far from the capture's".to_owned(),
        "rate" => "that much goes through the flow".to_owned(),
        other => other.replace('_', " "),
    }
}

/// An operation in words.
fn done(operation: &Operation) -> String {
    let target = operation.target.map(|target| match target.count {
        1 => format!(" of {} {}", target.space, target.first),
        _ => format!(" of {} {} to {}", target.space, target.first, target.last()),
    });
    let sub = if operation.sub == 0 { String::new() } else { format!("/{}", operation.sub) };
    let (verb, code, unit, target) =
        (operation.verb.name(), operation.code, operation.unit, target.unwrap_or_default());
    format!("is a {verb}{target} (code {code}{sub}, unit {unit})")
}

/// What site file and baseline say, in words.
fn opinion(verdict: Verdict, policy: &Policy) -> String {
    let place = |basis: Basis| match basis {
        Basis::Line(at) => format!(" ({}:{})", visible(policy.norm.file(at.file)), at.line),
        Basis::Nearest(at) => format!(" (nearest: {}:{})", visible(policy.norm.file(at.file)), at.line),
        Basis::File(file) => format!(" (nothing near in {})", visible(policy.norm.file(file))),
        Basis::None => String::new(),
    };
    match verdict {
        Verdict::Unknown => "neither site file nor baseline says anything of it".to_owned(),
        Verdict::Usual(basis) => format!("it is allowed or usual{}", place(basis)),
        Verdict::Forbidden(basis) => format!("the site file's conduits forbid it{}", place(basis)),
        Verdict::Unusual(novelty, basis) => format!("it is not usual, the {} is new{}", novelty.name(), place(basis)),
    }
}

/// Headers in words.
fn headers(packet: &Packet) -> String {
    let mut text = String::from("Headers: ");
    if let (Some(from), Some(to)) = (packet.source_mac, packet.destination_mac) {
        let _ = write!(text, "{from} to {to}, ");
    }
    let tags: Vec<String> = packet.scope.tags.iter().filter(|tag| **tag != 0).map(u16::to_string).collect();
    if !tags.is_empty() {
        let _ = write!(text, "VLAN {}, ", tags.join(" in "));
    }
    if let Some(outer) = packet.outer {
        let _ = write!(text, "through a tunnel ({:?}) from {} to {}, ", outer.tunnel, outer.source, outer.destination);
    }
    match &packet.network {
        Network::Ip(ip, transport) => {
            let (source, destination) = (ip.source, ip.destination);
            let _ = match transport {
                Transport::Tcp { source: from, destination: to, .. } => {
                    write!(text, "TCP from {source} port {from} to {destination} port {to}")
                }
                Transport::Udp { source: from, destination: to } => {
                    write!(text, "UDP from {source} port {from} to {destination} port {to}")
                }
                Transport::Icmp { kind, code } => {
                    write!(text, "ICMP type {kind} code {code} from {source} to {destination}")
                }
                Transport::Other => write!(text, "IP protocol {} from {source} to {destination}", ip.protocol),
            };
        }
        Network::Arp(arp) => {
            let (sender, mac, target) = (arp.sender, arp.sender_mac, arp.target);
            let _ = match arp.operation {
                1 => write!(text, "ARP: {sender} ({mac}) asks for {target}"),
                2 => write!(text, "ARP: {sender} is at {mac}, told to {target}"),
                other => write!(text, "ARP operation {other}: {sender} ({mac}), {target}"),
            };
        }
        Network::Lldp => text.push_str("LLDP"),
        Network::Other(kind) => drop(write!(text, "EtherType {kind:#06x}, which is not read")),
        Network::Undecoded => text.push_str("a link that is not read"),
    }
    let _ = write!(text, "; {} octets of payload.", packet.payload_octets);
    let odd: Vec<&str> =
        Anomalies::NAMES.iter().filter(|(bit, _)| packet.anomalies.has(*bit)).map(|(_, name)| *name).collect();
    if !odd.is_empty() {
        let _ = write!(text, " Odd: {}.", odd.join(", "));
    }
    text
}

/// A flow in words.
fn flow_words(flow: &yagura_rules::facts::flow::Flow) -> String {
    let protocol = match (flow.protocol, flow.dialect) {
        (Some(protocol), "") => format!(", {}", protocol.name()),
        (Some(protocol), dialect) => format!(", {} ({dialect})", protocol.name()),
        (None, _) => ", protocol unknown".to_owned(),
    };
    format!(
        "{} from {} port {} to {} port {}{protocol}",
        flow.transport.name(),
        flow.client.address,
        flow.client.port,
        flow.server.address,
        flow.server.port
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_parsers::message::{Target, Verb};
    use yagura_rules::norm::Novelty;

    #[test]
    fn an_id_names_its_frame() {
        let frame = |id: &str| Question::Alert(id.to_owned()).frame();
        assert_eq!(frame("OT-0007-1042-0"), Some(1042));
        assert_eq!(frame("OT-0007-1042-0.1"), Some(1042));
        assert_eq!(frame("OT-0007"), None);
        assert_eq!(frame("nonsense"), None);
        assert_eq!(Question::Frame(7).frame(), Some(7));
        let wrong = run(&Question::Alert("x\u{1b}".to_owned()), &Inputs::default());
        assert!(matches!(wrong, Err(Failure::Arguments(text)) if text.contains("'x\\u{1b}' is no alert's id")));
    }

    #[test]
    fn notes_are_told_in_words() {
        let policy = Policy::load("site.toml", &mut |_| Ok("schema = 1\n".to_owned()), &[]).unwrap();
        let target = Some(Target { space: "coil", first: 3, count: 2 });
        let operation = Operation { verb: Verb::Write, code: 15, sub: 0, unit: 1, target };
        let say = |verdict| words(&Note::Judged { operation, verdict, settled: false }, &policy);
        assert_eq!(
            say(Verdict::Unusual(Novelty::Unit, Basis::Nearest(Line { file: 0, line: 4 }))),
            "It is a write of coil 3 to 4 (code 15, unit 1): it is not usual, the unit is new (nearest: site.toml:4)."
        );
        assert!(say(Verdict::Unknown).contains("neither site file nor baseline"));
        assert_eq!(
            words(&Note::Headers(Box::new(Packet { payload_octets: 3, ..Packet::EMPTY })), &policy),
            "Headers: a link that is not read; 3 octets of payload."
        );
        let told = words(
            &Note::Message {
                protocol: "modbus",
                fields: Box::new([(
                    "vendor",
                    yagura_rules::facts::event::FieldValue::Text(Box::from(&b"\x1b[2J"[..])),
                )]),
                fault: None,
            },
            &policy,
        );
        assert!(told.contains("vendor                   \\u{1b}[2J"), "{told}");
        assert!(reason(&[Note::NoPayload, Note::Duplicate], &policy).contains("second copy"));
        let clock = words(&Note::Event("clock"), &policy);
        assert_eq!(clock, "The judge was shown: that a device's clock is set, or far from the capture's.");
        assert_eq!(words(&Note::Event("flow_opened"), &policy), "The judge was shown: flow opened.");
        assert!(reason(&[Note::Event("clock")], &policy).contains("told before"));
        assert!(reason(&[Note::Event("operation")], &policy).contains("nothing in it"));
        let usual =
            Note::Judged { operation, verdict: Verdict::Usual(Basis::Line(Line { file: 0, line: 9 })), settled: true };
        assert_eq!(reason(&[usual], &policy), "line 9 of site.toml allows it");
    }
}
