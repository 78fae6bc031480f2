//! Alert on a device that answered, and answers no more.

use super::holding::Holding;
use super::waiting::{Attempts, Waiting};
use super::wording::{client, ends, finding, seconds, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{CaptureState, Event, EventKind, Stage};
use crate::facts::flow::Flow;
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(DeviceLost::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0037",
    name: "device_lost",
    severity: Severity::Medium,
    attack: &[Technique { id: "T0814", old: None, name: "Denial of Service" }],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "A device that answered a client leaves its requests, or its calls for a connection, unanswered. That it \
             answers again is told too. One severity lower while frames are lost or the mirror is suspicious: the answers \
             may only be unheard.",
        ja: "クライアントに応答していた機器が、要求または接続要求に応答しなくなりました。応答の再開も通知します。フレームの\
             損失中やミラーに疑いがある間は、応答が受信できていないだけの可能性があるため重要度を一段下げます。",
    },
    why: Text {
        en: "Its values on the display are old, and no command reaches it. It may have been stopped, flooded, or taken off \
             the network.",
        ja: "画面の値は古いままで、指令も届きません。機器の停止、過負荷攻撃、ネットワークからの切り離しのおそれがあります。",
    },
    benign: Text {
        en: "A device that was switched off or is restarting, maintenance, a broken cable or switch.",
        ja: "機器の電源断や再起動、保守作業、ケーブルやスイッチの故障などが考えられます。",
    },
    response: Text {
        en: "Ask whether somebody works at the device. If not, look at what was sent to it last, and whether it answers \
             others.",
        ja: "機器で作業している者がいるか確認してください。いなければ、最後に送られた通信と、他への応答の有無を調べてくだ\
             さい。",
    },
    settings: &[
        Setting {
            name: "requests",
            what: "so many requests in a row, or calls for a connection, without an answer; requests are noticed at 4 and \
                   each doubling of it",
            default: 8,
            min: 4,
            max: 10_000,
        },
        Setting { name: "least_s", what: "for at least so many seconds", default: 10, min: 1, max: 3_600 },
        Setting {
            name: "within_s",
            what: "calls for a connection count together within so many seconds",
            default: 300,
            min: 10,
            max: 86_400,
        },
    ],
};

static LOST: Text = Text {
    en: "unit {unit} at {server} no longer answers {client}: {requests} requests in a row without an answer for {seconds} s",
    ja: "{server} のユニット {unit} が {client} に応答しなくなりました（{seconds} 秒間に連続 {requests} 件の要求が無応答）",
};
static BACK: Text = Text {
    en: "unit {unit} at {server} answers {client} again after {seconds} s",
    ja: "{server} のユニット {unit} が {seconds} 秒ぶりに {client} へ応答しました",
};
static CALLS: Text = Text {
    en: "{server} no longer answers {client}: {calls} calls for a connection without an answer for {seconds} s",
    ja: "{server} が {client} に応答しなくなりました（{seconds} 秒間に接続要求 {calls} 件が無応答）",
};
static TAKES: Text = Text {
    en: "{server} takes connections of {client} again after {seconds} s",
    ja: "{server} が {seconds} 秒ぶりに {client} の接続を受け入れました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&LOST, &BACK, &CALLS, &TAKES];

/// Frames that were lost so long ago are no excuse any more, in ns.
const LOSS_NS: u64 = 60_000_000_000;

/// Client, server, the server's port, and the unit behind it; none for calls for a connection.
type Course = (AssetKey, AssetKey, u16, Option<u16>);

/// What a server leaves unanswered.
#[derive(Default)]
struct Silence {
    requests: u64,
    calls: u64,
    since: Timestamp,
    told: bool,
}

/// Who waits until the silence has lasted long enough.
struct Held {
    flow: Arc<Flow>,
    cited: Cited,
}

/// Why an answer may only be unheard.
#[derive(Default)]
struct Doubt {
    lost: Option<Timestamp>,
    suspect: BTreeSet<(u16, &'static str)>,
}

impl Doubt {
    fn observe(&mut self, event: &Event) {
        match &event.kind {
            EventKind::CaptureLoss(fact) if fact.lost() > 0 => self.lost = Some(event.time),
            EventKind::CaptureState(fact) => match fact.state {
                // Three flaws a capture, of which there are few.
                CaptureState::Suspect(fault) => {
                    self.suspect.insert((fact.capture, fault.flaw.name()));
                }
                CaptureState::Plausible(flaw) => {
                    self.suspect.remove(&(fact.capture, flaw.name()));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// The word in records.
    fn word(&self, now: Timestamp) -> &'static str {
        if self.lost.is_some_and(|lost| now.0.abs_diff(lost.0) < LOSS_NS) {
            "frames_lost"
        } else if self.suspect.is_empty() {
            "full"
        } else {
            "mirror_suspect"
        }
    }
}

struct DeviceLost {
    requests: u64,
    least_ns: u64,
    within_ns: u64,
    attempts: Attempts,
    /// Servers that have answered, and what they leave unanswered.
    courses: Bounded<Course, Silence>,
    held: Holding<Course, Held>,
    doubt: Doubt,
}

fn course(flow: &Flow, unit: Option<u16>) -> Course {
    (client(flow), server(flow), flow.server.port, unit)
}

fn subject(flow: &Flow, unit: Option<u16>) -> String {
    let of_unit = unit.map(|unit| format!("/{unit}")).unwrap_or_default();
    format!("{}/{}{of_unit}", ends(flow), flow.server.port)
}

impl DeviceLost {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self {
            requests: settings.value(&CARD, "requests"),
            least_ns: settings.seconds(&CARD, "least_s"),
            within_ns: settings.seconds(&CARD, "within_s"),
            attempts: Attempts::new(memory),
            courses: Bounded::new(memory),
            held: Holding::new(memory),
            doubt: Doubt::default(),
        }
    }

    /// More is unanswered.
    fn silent(
        &mut self,
        flow: &Arc<Flow>,
        unit: Option<u16>,
        event: &Event,
        cited: Cited,
        change: impl Fn(&mut Silence),
    ) {
        let (course, within) = (course(flow, unit), self.within_ns);
        if unit.is_some() {
            self.courses.or_insert_with(course, Silence::default);
        }
        let Some(silence) = self.courses.touch(&course) else { return };
        let is_new = silence.requests == 0 && silence.calls == 0;
        if is_new || (!silence.told && silence.requests == 0 && event.time.0.abs_diff(silence.since.0) > within) {
            *silence = Silence { since: event.time, ..Silence::default() };
        }
        change(silence);
        if !silence.told && silence.requests.saturating_add(silence.calls) >= self.requests {
            let due = silence.since.0.saturating_add(self.least_ns);
            self.held.hold(course, due, Held { flow: Arc::clone(flow), cited });
        }
    }

    /// The server answers.
    fn answers(&mut self, flow: &Arc<Flow>, unit: Option<u16>, now: Timestamp) -> Option<Finding> {
        let course = course(flow, unit);
        self.held.let_go(&course);
        let Silence { told, since, .. } = std::mem::take(self.courses.touch(&course)?);
        told.then(|| {
            let subject = format!("{}/back", subject(flow, unit));
            let mut params = vec![("seconds", seconds(now.since(since)))];
            params.extend(unit.map(|unit| ("unit", Param::Number(unit.into()))));
            let text = if unit.is_some() { &BACK } else { &TAKES };
            let mut finding = finding(text, flow, subject, Basis::None, params);
            finding.severity = Some(Severity::Info);
            finding
        })
    }

    fn due(&mut self, now: Timestamp, found: &mut Vec<Finding>) {
        for (course, Held { flow, cited }) in self.held.due(now.0) {
            let Some(silence) = self.courses.touch(&course) else { continue };
            silence.told = true;
            let confidence = self.doubt.word(now);
            let (_, _, _, unit) = course;
            let (text, number) = match unit {
                Some(_) => (&LOST, ("requests", Param::Number(silence.requests))),
                None => (&CALLS, ("calls", Param::Number(silence.calls))),
            };
            let mut params = vec![
                number,
                ("seconds", seconds(now.since(silence.since))),
                ("protocol", Param::Text(spoken(&flow))),
                ("confidence", Param::Word(confidence)),
            ];
            params.extend(unit.map(|unit| ("unit", Param::Number(unit.into()))));
            let mut finding = finding(text, &flow, subject(&flow, unit), Basis::None, params);
            finding.severity = Some(if confidence == "full" { Severity::Medium } else { Severity::Low });
            finding.assets.reverse(); // It is about the server.
            finding.earlier.push(cited);
            found.push(finding);
        }
    }
}

impl Rule for DeviceLost {
    fn interest(&self) -> Interest {
        Attempts::INTEREST.and(Interest::CADENCE).and(Interest::SENSOR)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        self.doubt.observe(event);
        let mut failed = Vec::new();
        self.attempts.observe(event, &mut failed);
        // Who refuses is there.
        if !matches!(event.kind, EventKind::FlowRefused) {
            for Waiting { flow, cited, .. } in &failed {
                self.silent(flow, None, event, *cited, |silence| silence.calls = silence.calls.saturating_add(1));
            }
        }
        match (&event.kind, &event.flow) {
            (EventKind::Unanswered(fact), Some(flow)) if fact.requests > 0 => {
                let fact = *fact;
                self.silent(flow, Some(fact.unit), event, Cited::event(event), |silence| {
                    silence.requests = fact.requests;
                    silence.since = silence.since.min(fact.since);
                });
            }
            (EventKind::Unanswered(fact), Some(flow)) => {
                found.extend(self.answers(flow, Some(fact.unit), event.time));
            }
            (EventKind::FlowRefused | EventKind::FlowAnswered, Some(flow)) => {
                found.extend(self.answers(flow, None, event.time));
            }
            (EventKind::Operation(fact), Some(flow)) if fact.stage == Stage::Answered => {
                found.extend(self.answers(flow, Some(fact.operation.unit), event.time));
                // Whoever has answered anything is a device of this client's: its connections are to be answered.
                self.courses.or_insert_with(course(flow, None), Silence::default);
            }
            (EventKind::Tick, _) => self.due(event.time, found),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.courses.evicted().saturating_add(self.held.forgotten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, flow, kind, number, read, unidentified, usual};
    use crate::facts::event::{LossFact, OperationFact, UnansweredFact};

    /// What is found, with ticks each second; the device has answered first.
    fn told(steps: &[(u64, u64)], before: Option<EventKind>) -> Vec<(u64, Finding)> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = flow("10.20.0.5", "10.20.1.9", 502);
        if let Some(kind) = before {
            bench.show(&mut *rule, &bench.event(0, None, kind));
        }
        let mut found = Vec::new();
        for second in 0..100 {
            for (_, requests) in steps.iter().filter(|(at, _)| *at == second) {
                let mut event = bench.event(second, Some(&flow), EventKind::Tick);
                event.kind = EventKind::Unanswered(UnansweredFact { unit: 1, requests: *requests, since: event.time });
                found.extend(bench.show(&mut *rule, &event).into_iter().map(|finding| (second, finding)));
            }
            let ticked = bench.show(&mut *rule, &bench.event(second, None, EventKind::Tick));
            found.extend(ticked.into_iter().map(|finding| (second, finding)));
        }
        found
    }

    #[test]
    fn requests_in_a_row_without_an_answer_are_told_and_the_next_answer_too() {
        let found = told(&[(10, 4), (12, 8), (30, 16), (50, 0)], None);
        assert_eq!(
            found.iter().map(|(second, finding)| (*second, finding.text)).collect::<Vec<_>>(),
            [(20, &LOST), (50, &BACK)]
        );
        assert_eq!((number(&found[0].1, "requests"), number(&found[1].1, "seconds")), (8, 40));
        assert_eq!(found[0].1.severity, Some(Severity::Medium));
    }

    #[test]
    fn a_short_silence_or_few_requests_are_none() {
        assert!(told(&[(10, 4), (12, 8), (19, 0)], None).is_empty());
        assert!(told(&[(10, 4)], None).is_empty());
    }

    #[test]
    fn what_may_only_be_unheard_weighs_less() {
        let loss = EventKind::CaptureLoss(Box::new(LossFact { kernel: 1, ..LossFact::default() }));
        let found = told(&[(10, 8)], Some(loss));
        assert_eq!(found[0].1.severity, Some(Severity::Low));
        assert!(found[0].1.params.contains(&("confidence", Param::Word("frames_lost"))));
    }

    /// Calls for a connection each five seconds, so many of them, at a device that has answered or not.
    fn calls(count: u16, has_answered: bool, refused: bool) -> usize {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        if has_answered {
            let fact = OperationFact { stage: Stage::Answered, ..asked(read(1, 0, 1), usual()) };
            bench.tell(&mut *rule, 0, &flow("10.20.0.5", "10.20.1.9", 502), kind(fact));
        }
        let mut found = 0;
        for n in 0..count {
            let second = 10 + u64::from(n) * 5;
            let mut call = Flow::clone(&unidentified("10.20.0.5", "10.20.1.9", 502));
            call.id.0 = u64::from(n);
            let call = Arc::new(call);
            found += bench.tell(&mut *rule, second, &call, EventKind::FlowOpened { attempt: true }).len();
            if refused {
                found += bench.tell(&mut *rule, second, &call, EventKind::FlowRefused).len();
            }
            found += bench.show(&mut *rule, &bench.event(second + 4, None, EventKind::Tick)).len();
        }
        found
    }

    #[test]
    fn calls_without_an_answer_count_where_the_device_has_answered() {
        assert_eq!((calls(8, true, false), calls(7, true, false)), (1, 0));
        assert_eq!(calls(20, false, false), 0, "it was never there");
        assert_eq!(calls(20, true, true), 0, "who refuses is there");
    }
}
