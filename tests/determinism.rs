//! The promise: same frames, policy and baseline, same bytes; whatever the threads, batches, seeds and caches.

use std::collections::BTreeMap;
use tests::{
    Case, Given, Headed, Run, cases, for_each, heads, push, run_given, run_given_pipeline, run_heads, run_pipeline,
    scenarios, tiny_limits,
};
use yagura::pipeline::Pace;
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::limits::Limits;
use yagura_rules::facts::event::{EventKind, LossFact};
use yagura_rules::facts::time::Timestamp;

/// A second, in ns.
const SECOND: u64 = 1_000_000_000;

/// Numbers of threads: fewer and more than there are cores, one that divides the shards and one that does not.
const THREADS: [usize; 4] = [1, 2, 3, 8];

/// Numbers of frames in a batch.
const BATCHES: [usize; 3] = [1, 7, 256];

/// Fails with the first line that differs.
fn assert_same(expected: &str, other: &str, what: &str) {
    if expected == other {
        return;
    }
    let (mut left, mut right) = (expected.lines(), other.lines());
    loop {
        match (left.next(), right.next()) {
            (Some(left), Some(right)) if left == right => {}
            (left, right) => panic!("{what}:\nexpected {left:?}\ngot      {right:?}"),
        }
    }
}

fn threads_and_batches(setup: impl Fn() -> Setup, frames: &[Headed], what: &str) -> Run {
    let expected = run_heads(setup(), frames, 256);
    let text = expected.text();
    for batch_frames in BATCHES {
        for threads in THREADS {
            let run = run_pipeline(setup(), frames, Pace { threads, batch_frames, ..Pace::default() });
            assert_same(&text, &run.text(), &format!("{what}: {threads} threads, batches of {batch_frames}"));
        }
    }
    expected
}

#[test]
fn threads_and_batches_change_no_byte() {
    for_each(&cases(), |case| {
        let run = threads_and_batches(|| case.setup(), &heads(&case.capture), &case.name);
        assert_eq!(usize::try_from(run.report.counters.frames), Ok(case.capture.frames.len()), "{}", case.name);
    });
    let heard = scenarios().iter().filter(|case| !tests::run(case.setup(), &case.capture).alerts.is_empty()).count();
    assert!(heard > 10, "a comparison of silence with silence proves nothing: {heard} scenarios are heard");
}

#[test]
fn threads_and_batches_change_no_byte_of_what_is_learnt() {
    for_each(&cases(), |case| {
        let frames = heads(&case.capture);
        let setup = || Setup { learn: true, ..case.setup() };
        let learnt = |run: Run| run.report.learnt.expect("it was asked for").to_toml();
        let expected = learnt(run_heads(setup(), &frames, 256));
        for threads in THREADS {
            let run = run_pipeline(setup(), &frames, Pace { threads, batch_frames: 7, ..Pace::default() });
            assert_same(&expected, &learnt(run), &format!("{}: {threads} threads", case.name));
        }
    });
}

#[test]
fn a_second_run_and_another_seed_change_no_byte() {
    for_each(&cases(), |case| {
        let frames = heads(&case.capture);
        let expected = run_heads(case.setup(), &frames, 256).text();
        for seed in [1, 2, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            let run = run_heads(Setup { seed, ..case.setup() }, &frames, 256);
            assert_same(&expected, &run.text(), &format!("{}: seed {seed}", case.name));
        }
    });
}

#[test]
fn what_is_remembered_to_save_work_changes_no_byte() {
    let saved = tests::map(&cases(), |case| {
        let frames = heads(&case.capture);
        let run = run_heads(case.setup(), &frames, 256);
        let expected = run.text_but_savings();
        for settled_max in [0, 1, 16] {
            let limits = Limits { settled_max, ..Limits::default() };
            let other = run_heads(Setup { limits, ..case.setup() }, &frames, 256);
            assert_same(&expected, &other.text_but_savings(), &format!("{}: settled_max {settled_max}", case.name));
            assert!(settled_max > 0 || other.report.counters.settled == 0, "{}", case.name);
        }
        run.report.counters.settled
    });
    assert!(saved.iter().sum::<u64>() > 1_000, "nothing was saved, so nothing was compared: {saved:?}");
}

#[test]
fn bounds_bite_in_the_same_place_on_any_number_of_threads() {
    let bitten = tests::map(&cases(), |case| {
        let setup = || Setup { limits: tiny_limits(), ..case.setup() };
        let run = threads_and_batches(setup, &heads(&case.capture), &case.name);
        let other = run_heads(Setup { seed: 77, ..setup() }, &heads(&case.capture), 256);
        assert_same(&run.text(), &other.text(), &format!("{}: another seed", case.name));
        run.report.counters.limits
    });
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, times) in bitten.into_iter().flatten() {
        *all.entry(name).or_default() += times;
    }
    for name in ["flows_max", "assets_max", "fragments_octets_max"] {
        assert!(all.contains_key(name), "no scenario makes {name} bite: {all:?}");
    }
}

#[test]
fn a_capture_cut_in_two_changes_no_byte() {
    for_each(&cases(), |case| {
        let frames = heads(&case.capture);
        let expected = run_heads(case.setup(), &frames, 256).text();
        for part in 1..8 {
            let cut = frames.len() * part / 8;
            let mut analyzer = Analyzer::new(case.setup());
            let mut alerts = Vec::new();
            push(&mut analyzer, &frames[..cut], 256, &mut alerts);
            let early = alerts.len();
            push(&mut analyzer, &frames[cut..], 256, &mut alerts);
            analyzer.finish(&mut alerts);
            assert!(early <= alerts.len());
            let run = Run { alerts, report: analyzer.into_report(), policy: case.policy() };
            assert_same(&expected, &run.text(), &format!("{}: cut after frame {cut}", case.name));
        }
    });
}

/// The frames of a capture as a live sensor gets them: a heartbeat for each silent second, for a minute after the last one,
/// and after every fiftieth frame something that the app tells.
fn as_live(case: &Case) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::new();
    let mut clock = 0;
    for (n, (head, octets)) in heads(&case.capture).into_iter().enumerate() {
        while clock != 0 && head.time.0 > clock + SECOND && given.len() < 5_000 {
            clock += SECOND;
            given.push(Given::Heartbeat(Timestamp(clock)));
        }
        clock = clock.max(head.time.0);
        match given.last_mut() {
            Some(Given::Frames(frames)) => frames.push((head, octets)),
            _ => given.push(Given::Frames(vec![(head, octets)])),
        }
        if n % 50 == 49 {
            let loss = LossFact { kernel: n as u64, seen: 50, ..LossFact::default() };
            given.push(Given::Fact(EventKind::CaptureLoss(Box::new(loss))));
        }
    }
    given.extend((1..=60).map(|second| Given::Heartbeat(Timestamp(clock + second * SECOND))));
    given.push(Given::Fact(EventKind::Transmitted { capture: 0, frames: 1 }));
    given
}

#[test]
fn heartbeats_and_facts_have_their_place_whatever_the_threads_and_the_fast_path() {
    for_each(&cases(), |case| {
        let given = as_live(case);
        let run = run_given(case.setup(), &given);
        assert!(run.kinds().contains("sensor_transmits"), "{}", case.name);
        let text = run.text();
        for (threads, batch_frames) in [(1, 7), (2, 1), (3, 256), (8, 7)] {
            let other = run_given_pipeline(case.setup(), &given, Pace { threads, batch_frames, ..Pace::default() });
            assert_same(&text, &other.text(), &format!("{}: {threads} threads, {batch_frames}", case.name));
        }
        let limits = Limits { settled_max: 0, ..Limits::default() };
        let slow = run_given(Setup { limits, ..case.setup() }, &given);
        assert_same(&run.text_but_savings(), &slow.text_but_savings(), &format!("{}: settled_max 0", case.name));
    });
}

#[test]
fn a_heartbeat_ends_what_waits_on_a_silent_wire() {
    // An attempt without an answer, and then nothing at all: it has failed after its time, not at the end.
    let case = scenarios().into_iter().find(|case| case.name == "icmp_flood").expect("the scenario is there");
    let frames = heads(&case.capture);
    let last = frames.last().expect("it has frames").0.time;
    let mut analyzer = Analyzer::new(case.setup());
    let mut alerts = Vec::new();
    push(&mut analyzer, &frames, 256, &mut alerts);
    let before = alerts.iter().filter(|alert| alert.closes.is_some()).count();
    for second in 1..=700 {
        analyzer.heartbeat(Timestamp(last.0 + second * SECOND), &mut alerts);
    }
    let after = alerts.iter().filter(|alert| alert.closes.is_some()).count();
    assert!(after > before, "the windows of repeats are over: {before}, {after}");
    assert!(alerts.iter().all(|alert| alert.origin.frame <= frames.len() as u64));
}

#[test]
fn one_frame_of_a_far_future_stops_no_timer() {
    let case = scenarios().into_iter().find(|case| case.name == "demo").expect("the scenario is there");
    let mut frames = heads(&case.capture);
    let future = frames[10].0.time.0 + 80 * 365 * 86_400 * SECOND;
    let mut late = frames[10].clone();
    late.0.time = Timestamp(future);
    frames.insert(11, late);
    let run = threads_and_batches(|| case.setup(), &frames, "a frame of a far future");
    let steps: Vec<_> = run.alerts.iter().filter(|alert| alert.card.name == "clock_step").collect();
    assert_eq!((steps.len(), steps[0].id.event.frame), (1, 12 + 1_000));
    let others = |run: &Run| -> Vec<(String, String)> {
        let mine = run.alerts.iter().filter(|alert| alert.card.name != "clock_step" && alert.closes.is_none());
        mine.map(|alert| (alert.card.name.to_owned(), alert.finding.subject.clone())).collect()
    };
    assert_eq!(others(&run), others(&run_heads(case.setup(), &heads(&case.capture), 256)));
}

/// Two captures as one timeline, ties in their order; the second one's frames are told apart by their capture's number.
fn merged(one: &Case, other: &Case) -> Vec<Headed> {
    let mut frames = heads(&one.capture);
    let start = |case: &Case| case.capture.frames.first().map_or(0, |frame| frame.time_ns);
    let (mine, its) = (start(one), start(other));
    for (mut head, octets) in heads(&other.capture) {
        head.origin.capture = 1;
        head.time.0 = mine + (head.time.0 - its);
        frames.push((head, octets));
    }
    frames.sort_by_key(|(head, _)| (head.time, head.origin.capture));
    frames
}

#[test]
fn two_captures_interleaved_change_no_byte_with_the_threads() {
    let all = cases();
    let pairs: Vec<(&Case, &Case)> = all.iter().zip(all.iter().cycle().skip(5)).collect();
    for_each(&pairs, |(one, other)| {
        let frames = merged(one, other);
        threads_and_batches(|| one.setup(), &frames, &format!("{} and {}", one.name, other.name));
    });
}

#[test]
fn captures_far_apart_in_addresses_do_not_disturb_each_other() {
    // What is said of flows that share no address does not depend on what else is in the timeline.
    let all = cases();
    let alone = all.iter().find(|case| case.name == "write_unusual").expect("the scenario is there");
    let expected = run_heads(alone.setup(), &heads(&alone.capture), 256);
    let mut other = alone.clone();
    for frame in &mut other.capture.frames {
        // 10.20/16 becomes 10.99/16, in IPv4 and ARP alike; MAC addresses change with it.
        for at in 0..frame.octets.len() - 1 {
            if frame.octets[at..at + 2] == [10, 20] {
                frame.octets[at + 1] = 99;
            }
        }
        frame.octets[3] ^= 0x55;
        frame.octets[9] ^= 0x55;
    }
    let together = run_heads(alone.setup(), &merged(alone, &other), 256);
    let judged = |run: &Run, capture: u16| -> Vec<(String, String, u64)> {
        let mine = run.alerts.iter().filter(|alert| alert.origin.capture == capture);
        mine.map(|alert| (alert.card.name.to_owned(), alert.finding.subject.clone(), alert.origin.frame)).collect()
    };
    assert!(!expected.alerts.is_empty());
    let mine: Vec<_> = judged(&together, 0).into_iter().filter(|alert| alert.0 != "capture_limit").collect();
    assert_eq!(judged(&expected, 0), mine);
}
