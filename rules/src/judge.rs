//! `Judge`: every rule over every event, in the list's order.

use crate::alert::{Alert, AlertId};
use crate::detections::CATALOG;
use crate::facts::event::{Event, EventKind};
use crate::policy::JudgePolicy;
use crate::rule::{Card, Cited, Finding, Interest, Registration, Rule, Scene, Settings, Severity};
use crate::suppress::{Repeats, Suppressions};
use std::collections::BTreeMap;

/// Repeats are counted for so long where the site file does not say, in ns: 10 minutes.
const REPEAT_WINDOW_NS: u64 = 600_000_000_000;

/// Every rule of the catalogue at work.
///
/// Every finding is told at once, counted as a repeat, or suppressed: `told` and `repeats` and `suppressed` add up to
/// all findings.
pub struct Judge {
    /// Alerts told, by severity; closing alerts, which only tell a count, are not among them.
    pub told: BTreeMap<&'static str, u64>,
    /// Repeats that were counted instead of told at once.
    pub repeats: u64,
    /// Closing alerts: each tells how many repeats there were of an alert.
    pub closings: u64,
    /// Findings that a suppression kept silent.
    pub suppressed: u64,
    /// Things that were counted instead of alerted because no file says what is usual, by the detection's name. Brought
    /// up to date by every tick and by [`Judge::finish`].
    pub unjudged: BTreeMap<&'static str, u64>,
    /// Subjects that were forgotten for want of room, by the detection's name; `repeats` are those whose count was told
    /// early for it. Brought up to date as `unjudged` is.
    pub forgotten: BTreeMap<&'static str, u64>,
    rules: Vec<Seat>,
    suppressions: Suppressions,
    windows: Repeats,
    interest: Interest,
    found: Vec<Finding>,
    closed: Vec<Alert>,
}

/// A rule in the judge's row.
struct Seat {
    card: &'static Card,
    severity: Option<Severity>,
    interest: Interest,
    settings: Settings,
    rule: Box<dyn Rule>,
}

impl Seat {
    /// A rule that has seen nothing.
    fn new(registration: &Registration, policy: &JudgePolicy, memory_max: usize) -> Self {
        let settings = policy.settings.get(registration.card.name).cloned().unwrap_or_default();
        let rule = (registration.build)(&settings, memory_max.max(1));
        let severity = policy.severities.get(registration.card.name).copied();
        Self { card: registration.card, severity, interest: rule.interest(), settings, rule }
    }
}

impl Judge {
    /// Rules with their settings; each remembers at most `memory_max` subjects.
    pub fn new(policy: &JudgePolicy, memory_max: usize) -> Self {
        Self::with_catalog(CATALOG, policy, memory_max)
    }

    /// As [`Judge::new`], with a list of detections other than [`CATALOG`].
    pub fn with_catalog(catalog: &[Registration], policy: &JudgePolicy, memory_max: usize) -> Self {
        let seat = |registration| Seat::new(registration, policy, memory_max);
        let rules: Vec<Seat> = enabled(catalog, policy).map(seat).collect();
        Self {
            told: BTreeMap::new(),
            repeats: 0,
            closings: 0,
            suppressed: 0,
            unjudged: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            interest: interest(&rules),
            rules,
            suppressions: Suppressions::new(&policy.suppressions),
            windows: Repeats::new(window(policy), memory_max),
            found: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Goes by another policy from now on. A rule whose settings are the same keeps what it knows, and repeats are counted
    /// on, so that nothing is told again because a file was read again.
    pub fn adopt(&mut self, catalog: &[Registration], policy: &JudgePolicy, memory_max: usize) {
        let mut before = std::mem::take(&mut self.rules);
        for registration in enabled(catalog, policy) {
            let new = Seat::new(registration, policy, memory_max);
            let same = |seat: &Seat| seat.card.id == new.card.id && seat.settings == new.settings;
            let kept = before.iter().position(same).map(|place| before.swap_remove(place));
            self.rules.push(match kept {
                Some(kept) => Seat { severity: new.severity, ..kept },
                None => new,
            });
        }
        self.interest = interest(&self.rules);
        self.suppressions = Suppressions::new(&policy.suppressions);
        self.windows.set_window(window(policy));
    }

    /// The kinds of events that any rule wants. Ticks are always among them: they end the windows of repeats.
    pub fn interest(&self) -> Interest {
        self.interest
    }

    /// Looks at one event.
    pub fn observe(&mut self, event: &Event, scene: Scene<'_>, out: &mut Vec<Alert>) {
        if matches!(event.kind, EventKind::Tick) {
            self.windows.expire(event.time, &mut self.closed);
            self.tell_closed(out);
            self.count();
        }
        let kind = Interest::of(event);
        let mut found = std::mem::take(&mut self.found);
        let mut rules = std::mem::take(&mut self.rules);
        for seat in &mut rules {
            if seat.interest.0 & kind.0 == 0 {
                continue;
            }
            seat.rule.observe(event, scene, &mut found);
            if found.is_empty() {
                continue;
            }
            let mut index = 0_u32;
            for finding in found.drain(..) {
                self.decide(seat.card, seat.severity, index, finding, event, scene, out);
                index = index.saturating_add(1);
            }
        }
        self.rules = rules;
        self.found = found;
    }

    /// Tells what is still counted.
    pub fn finish(&mut self, _scene: Scene<'_>, out: &mut Vec<Alert>) {
        self.windows.finish(&mut self.closed);
        self.tell_closed(out);
        self.count();
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one alert, which only meet here")]
    fn decide(
        &mut self,
        card: &'static Card,
        site: Option<Severity>,
        index: u32,
        mut finding: Finding,
        event: &Event,
        scene: Scene<'_>,
        out: &mut Vec<Alert>,
    ) {
        if self.suppressions.silence(card.name, &finding, event.time, scene) {
            self.suppressed = self.suppressed.saturating_add(1);
            return;
        }
        finding.earlier.truncate(Cited::MAX);
        let alert = Alert {
            card,
            id: AlertId { detection: card.id, event: event.id, finding: index },
            time: event.time,
            origin: event.origin,
            severity: site.or(finding.severity).unwrap_or(card.severity),
            finding,
            event: event.clone(),
            repeats: 0,
            closes: None,
        };
        let admitted = self.windows.admit(alert, &mut self.closed);
        self.tell_closed(out);
        match admitted {
            Some(alert) => {
                let told = self.told.entry(alert.severity.name()).or_default();
                *told = told.saturating_add(1);
                out.push(alert);
            }
            None => self.repeats = self.repeats.saturating_add(1),
        }
    }

    fn tell_closed(&mut self, out: &mut Vec<Alert>) {
        self.closings = self.closings.saturating_add(u64::try_from(self.closed.len()).unwrap_or(u64::MAX));
        out.append(&mut self.closed);
    }

    fn count(&mut self) {
        for seat in &self.rules {
            let (unjudged, forgotten) = (seat.rule.unjudged(), seat.rule.forgotten());
            if unjudged > 0 {
                self.unjudged.insert(seat.card.name, unjudged);
            }
            if forgotten > 0 {
                self.forgotten.insert(seat.card.name, forgotten);
            }
        }
        if self.windows.evicted() > 0 {
            self.forgotten.insert("repeats", self.windows.evicted());
        }
    }
}

/// The detections that a policy has at work, in the list's order.
fn enabled<'a>(catalog: &'a [Registration], policy: &'a JudgePolicy) -> impl Iterator<Item = &'a Registration> {
    catalog.iter().filter(|registration| !policy.disabled.iter().any(|name| name == registration.card.name))
}

/// What any of the rules wants to hear, and ticks.
fn interest(rules: &[Seat]) -> Interest {
    rules.iter().fold(Interest::TICK, |all, seat| all.and(seat.interest))
}

fn window(policy: &JudgePolicy) -> u64 {
    if policy.repeat_window_ns == 0 { REPEAT_WINDOW_NS } else { policy.repeat_window_ns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, card_for_tests, finding_for_tests};
    use crate::facts::time::Timestamp;
    use crate::norm::Line;
    use crate::policy::Suppression;

    /// Finds as many things at each limit event as its name is long, severity by its first letter.
    struct Chatty(u64);

    impl Rule for Chatty {
        fn interest(&self) -> Interest {
            Interest::LIMIT
        }
        fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
            self.0 += 1;
            if let EventKind::LimitReached(name) = event.kind {
                for letter in name.chars() {
                    let mut finding = finding_for_tests(&letter.to_ascii_lowercase().to_string());
                    finding.severity = letter.is_ascii_uppercase().then_some(Severity::Critical);
                    found.push(finding);
                }
            }
        }
        fn unjudged(&self) -> u64 {
            self.0
        }
    }

    const CHATTY: &[Registration] = &[Registration { card: card_for_tests(), build: |_, _| Box::new(Chatty(0)) }];

    fn run(policy: &JudgePolicy, memory: usize, script: &[(u64, &'static str)]) -> (Judge, Vec<Alert>) {
        let bench = Bench::new();
        let mut judge = Judge::with_catalog(CHATTY, policy, memory);
        let mut out = Vec::new();
        for (second, name) in script {
            let kind = if name.is_empty() { EventKind::Tick } else { EventKind::LimitReached(name) };
            let mut event = bench.event(*second, None, kind);
            event.id.frame = out.len() as u64 + 1_000 * second;
            judge.observe(&event, bench.scene(), &mut out);
        }
        judge.finish(bench.scene(), &mut out);
        (judge, out)
    }

    #[test]
    fn findings_are_told_counted_or_suppressed_and_none_is_lost() {
        let script: Vec<(u64, &'static str)> =
            (0..3_000_u64).map(|i| (i, ["abc", "a", "", "bBd", "xyz", "aaaa", "", "q"][(i % 8) as usize])).collect();
        let findings: u64 = script.iter().map(|(_, name)| name.len() as u64).sum();
        for memory in [1, 3, 100] {
            let policy = JudgePolicy {
                suppressions: vec![Suppression {
                    detection: None,
                    subject: Some("q".to_owned()),
                    until: Some(Timestamp(1_767_608_200_000_000_000)),
                    reason: "test".to_owned(),
                    line: Line { file: 0, line: 1 },
                }],
                ..JudgePolicy::default()
            };
            let (judge, out) = run(&policy, memory, &script);
            let told: u64 = judge.told.values().sum();
            assert_eq!(told + judge.repeats + judge.suppressed, findings, "memory {memory}");
            assert_eq!(out.iter().filter(|alert| alert.closes.is_none()).count() as u64, told);
            assert_eq!(out.iter().map(|alert| alert.repeats).sum::<u64>(), judge.repeats);
            assert_eq!(out.iter().filter(|alert| alert.closes.is_some()).count() as u64, judge.closings);
            assert!(judge.suppressed > 0 && judge.repeats > 0);
            assert_eq!(judge.forgotten.contains_key("repeats"), memory < 100);
        }
    }

    #[test]
    fn ids_name_detection_frame_ordinal_and_finding_and_are_never_used_twice() {
        let (_, out) = run(&JudgePolicy::default(), 100, &[(1, "abca"), (2, "ab"), (700, ""), (701, "a")]);
        let ids: Vec<String> = out.iter().map(|alert| alert.id.to_string()).collect();
        assert_eq!(ids[..3], ["OT-9999-1000-0", "OT-9999-1000-0.1", "OT-9999-1000-0.2"]);
        let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        let closing: Vec<(u64, &str)> =
            out.iter().filter(|a| a.closes.is_some()).map(|a| (a.repeats, a.finding.subject.as_str())).collect();
        assert_eq!(closing, [(2, "a"), (1, "b")]);
    }

    #[test]
    fn a_storm_gives_two_lines_a_window() {
        let script: Vec<(u64, &'static str)> =
            (0..1_200).flat_map(|second| [(second, ""), (second, "a"), (second, "a")]).collect();
        let (judge, out) = run(&JudgePolicy::default(), 100, &script);
        assert_eq!(out.len(), 4);
        assert_eq!((judge.told["medium"], judge.repeats, judge.closings), (2, 2_398, 2));
    }

    #[test]
    fn the_site_file_sets_severity_window_and_silence() {
        let policy = JudgePolicy {
            severities: [("told_in_tests".to_owned(), Severity::Low)].into(),
            repeat_window_ns: 10_000_000_000,
            ..JudgePolicy::default()
        };
        let (_, out) = run(&policy, 100, &[(0, "aA"), (10, ""), (10, "a")]);
        assert_eq!(out.iter().map(|alert| alert.severity).collect::<Vec<_>>(), [Severity::Low; 3]);
        assert_eq!(out.iter().map(|alert| alert.repeats).collect::<Vec<_>>(), [0, 1, 0]);
        let policy = JudgePolicy { disabled: vec!["told_in_tests".to_owned()], ..JudgePolicy::default() };
        let (judge, out) = run(&policy, 100, &[(0, "abc")]);
        assert!(out.is_empty());
        assert_eq!(judge.interest(), Interest::TICK);
    }

    #[test]
    fn a_finding_may_be_worse_than_its_card_and_breaks_through_the_count() {
        let (judge, out) = run(&JudgePolicy::default(), 100, &[(0, "aaA")]);
        let seen: Vec<(Severity, u64)> = out.iter().map(|alert| (alert.severity, alert.repeats)).collect();
        assert_eq!(seen, [(Severity::Medium, 0), (Severity::Critical, 0), (Severity::Medium, 1)]);
        assert_eq!(judge.unjudged["told_in_tests"], 1);
    }

    #[test]
    fn rules_hear_only_what_they_want() {
        let (judge, _) = run(&JudgePolicy::default(), 100, &[(0, ""), (1, ""), (2, "a")]);
        assert_eq!(judge.unjudged["told_in_tests"], 1);
        assert_eq!(judge.interest(), Interest::LIMIT.and(Interest::TICK));
    }

    #[test]
    fn equal_events_give_equal_alerts() {
        let script: Vec<(u64, &'static str)> =
            (0..500).map(|i| (i * 7, ["zab", "", "bz", "Q", "qa"][(i % 5) as usize])).collect();
        let tell = || run(&JudgePolicy::default(), 2, &script).1;
        assert_eq!(format!("{:?}", tell()), format!("{:?}", tell()));
    }
}
