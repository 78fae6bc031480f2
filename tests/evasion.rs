//! The promise: a command is told however it is delivered, or it is said that somebody hides something.
//!
//! A matrix of tricks, senders and commands for each protocol. Each case is a write, a command or a restart that the
//! baseline does not know; its twin is a read that the baseline knows, delivered with the same trick. What is ambiguous
//! (two hosts would read different octets) must be alerted or flagged; what is not must be alerted. The twin must raise
//! nothing that it does not raise when it is delivered plainly, but for what the trick is known to show.
//!
//! | file | what |
//! | --- | --- |
//! | `evasion/talk.rs` | a conversation, octet by octet |
//! | `evasion/tricks.rs` | what can be done to packets, fragments and segments |
//! | `evasion/modbus.rs`, `dnp3.rs`, `iec104.rs` | commands, usual work and tricks of each protocol |

#[path = "evasion/dnp3.rs"]
mod dnp3;
#[path = "evasion/iec104.rs"]
mod iec104;
#[path = "evasion/modbus.rs"]
mod modbus;
#[path = "evasion/talk.rs"]
mod talk;
#[path = "evasion/tricks.rs"]
mod tricks;

use fixtures::story::{Capture, Host, TimedFrame};
use fixtures::wire::dnp3::function;
use fixtures::wire::{ip, modbus as wire, tcp};
use std::collections::{BTreeMap, BTreeSet};
use talk::{Deed, Language, Sent, Talk};
use tests::{CONFESSIONS, Headed, Run, head, learn, map, policy, run_heads};
use tricks::{Expect, Trick, Tricks};
use yagura_core::analyzer::Setup;
use yagura_rules::alert::Alert;
use yagura_rules::facts::event::EventKind;

const HMI: Host = Host::new("HMI-1", [0x00, 0x14, 0x22, 0x0a, 0x11, 0x05], [10, 20, 0, 5]);
const PLC: Host = Host::new("PLC-1", [0x00, 0x80, 0xf4, 0x1a, 0x01, 0x09], [10, 20, 1, 9]);
const INTRUDER: Host = Host::new("raspberrypi", [0xb8, 0x27, 0xeb, 0x66, 0x66, 0x66], [10, 20, 0, 66]);

/// Where all stories begin.
const START_NS: u64 = 1_767_607_200_000_000_000;
/// The address that nobody writes usually.
const PLANTED: u16 = 90;
/// Index of the client's and of the server's part of things.
const CLIENT: usize = 0;
const SERVER: usize = 1;
/// A payload with acknowledgement.
const DATA: u8 = tcp::PSH | tcp::ACK;

/// Detections that say: something was hidden, lost or not what it seems.
const FLAGS: [&str; 6] = [
    "stream_conflict",
    "fragment_conflict",
    "capture_limit",
    "protocol_malformed",
    "protocol_unexpected_port",
    "session_irregular",
];

/// Who delivers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// The panel, over the conversation that it always has.
    Panel,
    /// The panel, over a new conversation.
    PanelAnew,
    /// Somebody who never asked anything before.
    Stranger,
}

/// How the conversation goes on after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    /// It is answered, and more is asked.
    GoesOn,
    /// As above, and the mirror shows the client's frames only.
    GoesOnUnheard,
    /// As above, and the mirror shows each frame twice.
    GoesOnTwice,
    /// The capture ends.
    Ends,
}

impl After {
    const ALL: [Self; 4] = [Self::GoesOn, Self::GoesOnUnheard, Self::GoesOnTwice, Self::Ends];
}

fn play(work: &Talk, who: Who, trick: &Trick, deed: &Deed, after: After) -> Vec<Headed> {
    let mut talk = work.clone();
    talk.wait_ms(1_000);
    match who {
        Who::Panel => {}
        Who::PanelAnew | Who::Stranger => {
            let client = if who == Who::Stranger { INTRUDER } else { HMI };
            let sent = talk.sent;
            let server = PLC.port(talk.language.home());
            talk = Talk { sent, ..Talk::new(talk.language, client.port(50_111), server, talk.now_ns) };
            if !trick.opens_itself {
                talk.opens();
            }
        }
    }
    (trick.deliver)(&mut talk, deed);
    if after != After::Ends {
        talk.answers(deed);
        // That nobody seems to answer is told of any delivery: so much is asked that it is told of the plain one too.
        talk.polls(if after == After::GoesOnUnheard { 16 } else { 4 });
        talk.wait_ms(1_500);
        talk.polls(2);
    }
    let shown = talk.sent.into_iter().enumerate().flat_map(|(at, sent)| {
        let is_shown = after != After::GoesOnUnheard || at < work.sent.len() || sent.side == CLIENT;
        let times = if after == After::GoesOnTwice { 2 } else { usize::from(is_shown) };
        (0..times as u64).map(move |n| Sent { time_ns: sent.time_ns + n * 1_000, ..sent.clone() })
    });
    shown
        .zip(1..)
        .map(|(sent, number)| {
            let mut head = head(number, sent.time_ns, 1, &sent.octets);
            if let Some(wire_octets) = sent.wire_octets {
                head.wire_octets = wire_octets as u32;
            }
            (head, sent.octets)
        })
        .collect()
}

/// Whether an alert tells of the planted command. The response to Modbus function code 23 does not say what was
/// written.
fn tells_of(alert: &Alert, deed: &Deed) -> bool {
    let EventKind::Operation(fact) = &alert.event.kind else {
        return deed.code == u16::from(function::DISABLE_UNSOLICITED) && alert.card.name == "reporting_disabled";
    };
    let operation = &fact.operation;
    if operation.code != deed.code {
        return operation.verb.changes_process() && deed.is_placed && is_planted(alert);
    }
    !deed.is_placed || is_planted(alert) || deed.code == 23
}

fn is_of_code(alert: &Alert, code: u16) -> bool {
    matches!(&alert.event.kind, EventKind::Operation(fact) if fact.operation.code == code)
}

fn is_planted(alert: &Alert) -> bool {
    let EventKind::Operation(fact) = &alert.event.kind else { return false };
    fact.operation.target.is_some_and(|target| (target.first..=target.last()).contains(&u32::from(PLANTED)))
}

fn outcome(run: &Run, deed: &Deed, trick: &Trick) -> Result<(), String> {
    let expect = trick.expect;
    // Of a stranger of whom only that response was read, it is told that he speaks at all.
    let by_answer = deed.code == 23
        && deed.name == "read_write_multiple_registers"
        && (expect == Expect::Told || trick.needs_answer);
    let alerted = run.alerts.iter().any(|alert| tells_of(alert, deed))
        || (by_answer && run.alerts.iter().any(|alert| alert.card.name == "conversation_new"));
    // An address that is read from octets of another length is not the planted one.
    let alerted = alerted
        || (expect == Expect::Told && deed.is_placed && run.alerts.iter().any(|alert| is_of_code(alert, deed.code)));
    let flagged = run.alerts.iter().any(|alert| FLAGS.contains(&alert.card.name));
    if alerted || (flagged && expect == Expect::Told) { Ok(()) } else { Err(format!("heard only {:?}", run.kinds())) }
}

struct Matrix {
    work: Talk,
    setup: Setup,
    tricks: Vec<Trick>,
    deeds: Vec<Deed>,
}

impl Matrix {
    fn new(language: Language) -> Self {
        let mut work = Talk::new(language, HMI.port(49_152), PLC.port(language.home()), START_NS);
        let mut tricks = Tricks(Vec::new(), language);
        tricks::of_the_network(&mut tricks);
        tricks::strangers(&mut tricks);
        work.opens();
        let deeds = match language {
            Language::Modbus => {
                modbus::usual_work(&mut work);
                tricks::datagrams(&mut tricks);
                modbus::serial(&mut tricks);
                modbus::meanings(&mut tricks);
                modbus::writes()
            }
            Language::Dnp3 => {
                dnp3::usual_work(&mut work);
                tricks::datagrams(&mut tricks);
                dnp3::tricks(&mut tricks);
                dnp3::commands()
            }
            Language::Iec104 => {
                iec104::usual_work(&mut work);
                iec104::tricks(&mut tricks);
                iec104::commands()
            }
        };
        let frames = work.sent.iter().map(|sent| TimedFrame { time_ns: sent.time_ns, octets: sent.octets.clone() });
        let capture = Capture { frames: frames.collect(), link_type: 1 };
        let baseline = learn(&capture, None);
        let setup = Setup { policy: policy(None, Some(&baseline)), seed: 1, ..Setup::default() };
        Self { work, setup, tricks: tricks.0, deeds }
    }

    fn run(&self, who: Who, trick: &Trick, deed: &Deed, after: After) -> Run {
        run_heads(self.setup.clone(), &play(&self.work, who, trick, deed, after), 64)
    }

    /// Every trick with who can play it, and how the conversation goes on after it.
    fn cases(&self) -> Vec<(Who, &Trick, After)> {
        let mut cases = Vec::new();
        for trick in &self.tricks {
            for who in [Who::Panel, Who::PanelAnew, Who::Stranger] {
                for after in After::ALL {
                    let is_answered = matches!(after, After::GoesOn | After::GoesOnTwice);
                    if (who != Who::Panel || !trick.opens_itself) && (is_answered || !trick.needs_answer) {
                        cases.push((who, trick, after));
                    }
                }
            }
        }
        cases
    }

    /// Plays every case with every command; answers how many that are.
    fn commands_are_told(&self) -> usize {
        let cases: Vec<_> = self
            .cases()
            .into_iter()
            .flat_map(|(who, trick, after)| self.deeds.iter().map(move |deed| (who, trick, after, deed)))
            .collect();
        let outcomes = map(&cases, |(who, trick, after, deed)| {
            outcome(&self.run(*who, trick, deed, *after), deed, trick)
                .err()
                .map(|heard| (trick.name.clone(), format!("{who:?} {after:?} {}: {heard}", deed.name)))
        });
        told(outcomes.into_iter().flatten().collect(), cases.len());
        println!("{:?}: {} tricks, {} cases", self.work.language, self.tricks.len(), cases.len());
        cases.len()
    }

    /// Plays every case with a usual read.
    fn reads_raise_nothing(&self) {
        let read = self.work.language.usual_read();
        let plain = self.tricks.iter().find(|trick| trick.name == "plain").expect("the trick is there");
        let mut usual: BTreeMap<(Who, After), BTreeSet<&str>> = BTreeMap::new();
        for who in [Who::Panel, Who::PanelAnew, Who::Stranger] {
            for after in After::ALL {
                let heard = self.run(who, plain, &read, after).kinds();
                if who == Who::Stranger {
                    assert!(heard.contains("conversation_new"), "{after:?}: {heard:?}");
                } else if after != After::GoesOnUnheard {
                    assert!(heard.is_empty(), "{who:?} {after:?}: {heard:?}");
                }
                usual.insert((who, after), heard);
            }
        }
        let cases = self.cases();
        let outcomes = map(&cases, |(who, trick, after)| {
            let run = self.run(*who, trick, &read, *after);
            let mut new: BTreeSet<&str> = run.kinds().difference(&usual[&(*who, *after)]).copied().collect();
            // Without an exact reason even a confession would be noise.
            new.retain(|kind| !trick.shows.contains(kind));
            let first = run.alerts.iter().find(|alert| new.contains(alert.card.name));
            first.map(|alert| {
                let what =
                    format!("{who:?} {after:?}: {new:?}, at frame {} ({})", alert.origin.frame, alert.finding.subject);
                (trick.name.clone(), what)
            })
        });
        told(outcomes.into_iter().flatten().collect(), cases.len());
    }
}

/// What is known to get by, where only the client's frames are seen: an octet that comes twice with two values looks like
/// the octet of a keep-alive, since no acknowledgement tells that it was not; and what begins with an exception is taken
/// for a server's.
const KNOWN: [&str; 2] = ["each 1 octets after those of a decoy", "behind the exception bit, in one segment"];
const UNHEARD: &str = "Unheard";

/// Failures by trick, so that a page shows them all.
fn told(failures: Vec<(String, String)>, cases: usize) {
    let mut by_trick: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trick, what) in
        failures.into_iter().filter(|(trick, what)| !KNOWN.contains(&trick.as_str()) || !what.contains(UNHEARD))
    {
        by_trick.entry(trick).or_default().push(what);
    }
    let count: usize = by_trick.values().map(Vec::len).sum();
    let lines: Vec<String> = by_trick
        .iter()
        .map(|(trick, what)| format!("  {trick}: {} cases, the first {}", what.len(), what[0]))
        .collect();
    assert!(count == 0, "{count} of {cases} cases fail:\n{}", lines.join("\n"));
}

#[test]
fn a_modbus_write_is_told_however_it_is_delivered() {
    assert!(Matrix::new(Language::Modbus).commands_are_told() >= 30_000);
}

#[test]
fn a_dnp3_command_is_told_however_it_is_delivered() {
    assert!(Matrix::new(Language::Dnp3).commands_are_told() >= 30_000);
}

#[test]
fn an_iec_104_command_is_told_however_it_is_delivered() {
    assert!(Matrix::new(Language::Iec104).commands_are_told() >= 30_000);
}

#[test]
fn a_modbus_read_with_the_same_trick_raises_nothing_of_its_own() {
    Matrix::new(Language::Modbus).reads_raise_nothing();
}

#[test]
fn a_dnp3_read_with_the_same_trick_raises_nothing_of_its_own() {
    Matrix::new(Language::Dnp3).reads_raise_nothing();
}

#[test]
fn an_iec_104_read_with_the_same_trick_raises_nothing_of_its_own() {
    Matrix::new(Language::Iec104).reads_raise_nothing();
}

#[test]
fn what_is_no_part_of_the_packet_is_not_read() {
    // A write in the padding of a frame, behind the end of the IP packet, reaches no device.
    let matrix = Matrix::new(Language::Modbus);
    let mut tricks = Tricks(Vec::new(), Language::Modbus);
    tricks.stream("behind the packet", Expect::Told, |talk, octets| {
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let mut frame = talk.packet(CLIENT, ip::TCP, &segment);
        frame.extend(wire::tcp(1, 1, &wire::write_single_register(PLANTED, 6666)));
        talk.put(frame);
    });
    for after in After::ALL {
        let run = matrix.run(Who::Panel, &tricks.0[0], &modbus::usual_read(), after);
        assert!(run.alerts.is_empty(), "{:?}", run.kinds());
    }
}

#[test]
fn what_looks_like_the_octet_of_a_keep_alive_is_not_passed_over() {
    // To read ten registers from 40 on, and to write 10 to register 40, differ in one octet: the function code. It is
    // sent twice, first the one that no host gets.
    let matrix = Matrix::new(Language::Modbus);
    let write = wire::write_single_register(40, 10);
    assert_eq!(write[1..], modbus::usual_read().requests[0][1..]);
    let write = Deed::new("write", 6, vec![write.clone()], vec![write]);
    for acknowledged in [false, true] {
        let mut tricks = Tricks(Vec::new(), Language::Modbus);
        tricks.stream("function code as a keep-alive's octet", Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..7]);
            if acknowledged {
                // The host has all but the octet in question.
                talk.moves(CLIENT, 7);
                talk.bare(SERVER, tcp::ACK);
                talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(7);
            }
            talk.at(CLIENT, 7, &[3]);
            talk.at(CLIENT, 7, &octets[7..8]);
            talk.at(CLIENT, 8, &octets[8..]);
        });
        for who in [Who::Panel, Who::PanelAnew] {
            let run = matrix.run(who, &tricks.0[0], &write, After::Ends);
            let flagged = run.alerts.iter().any(|alert| FLAGS.contains(&alert.card.name));
            assert!(flagged, "{who:?}: heard only {:?}", run.kinds());
        }
    }
}

#[test]
fn the_matrix_would_see_a_miss() {
    for language in [Language::Modbus, Language::Dnp3, Language::Iec104] {
        let matrix = Matrix::new(language);
        let mut tricks = Tricks(Vec::new(), language);
        tricks.stream("never sent", Expect::Told, |_, _| {});
        tricks.add("not even asked", Expect::Told, |_, _| {});
        for deed in &matrix.deeds {
            for trick in &tricks.0 {
                let run = matrix.run(Who::Panel, trick, deed, After::Ends);
                assert!(outcome(&run, deed, trick).is_err(), "{language:?} {}", deed.name);
            }
        }
    }
    assert!(CONFESSIONS.iter().all(|flag| FLAGS.contains(flag)), "what confesses, flags");
}
