//! The promise: a fault in the program at one packet costs the flow that met it, and is told; all else goes on.

use fixtures::story::{Host, Story};
use fixtures::wire::modbus as wire;
use std::sync::Arc;
use tests::{Headed, Run, heads, run_heads, run_pipeline, scenarios};
use yagura::pipeline::Pace;
use yagura_core::analyzer::Setup;
use yagura_rules::facts::event::{EventKind, SensorFault};
use yagura_rules::rule::Severity;

/// Runs frames with a reading that fails at these octets, on one hand and on many, with the same bytes.
fn tripping(setup: impl Fn() -> Setup, frames: &[Headed], octets: &[u8]) -> Run {
    let setup = || Setup { trip: Some(Arc::from(octets)), ..setup() };
    let run = run_heads(setup(), frames, 256);
    for (threads, batch_frames) in [(1, 7), (2, 1), (3, 256), (8, 7)] {
        let other = run_pipeline(setup(), frames, Pace { threads, batch_frames, ..Pace::default() });
        assert_eq!(run.text(), other.text(), "{threads} threads, batches of {batch_frames}");
        assert_eq!(run.report.kept, other.report.kept);
    }
    run
}

/// The alerts that are of no flow between these two, with all that they say but their place among a frame's events.
fn of_others(run: &Run, port: u16) -> Vec<String> {
    let is_other = |flow: &yagura_rules::facts::flow::Flow| flow.client.port != port;
    let alerts = run.alerts.iter().filter(|alert| alert.closes.is_none() && alert.card.name != "sensor_fault");
    let alerts = alerts.filter(|alert| alert.finding.flow.as_ref().is_some_and(|flow| is_other(flow)));
    alerts.map(|alert| format!("{} {} {:?}", alert.card.id, alert.origin.frame, alert.finding.subject)).collect()
}

#[test]
fn a_panic_costs_the_flow_that_met_it_and_no_other() {
    let case = scenarios().into_iter().find(|case| case.name == "demo").expect("the scenario is there");
    let frames = heads(&case.capture);
    let whole = run_heads(case.setup(), &frames, 256);
    assert_eq!((whole.report.counters.internal, whole.report.kept.len()), (0, 0));
    let write = whole.alerts.iter().find(|alert| alert.card.name == "write_unusual").expect("it is heard");
    let port = write.finding.flow.as_ref().expect("a write has a flow").client.port;
    let octets = &frames[write.origin.frame as usize - 1].1;
    let run = tripping(|| case.setup(), &frames, &octets[octets.len() - 12..]);
    assert_eq!(run.report.counters.internal, 1);
    assert!(run.report.counters.anomalies["flow_set_aside"] > 0, "what comes after it is counted");
    let told: Vec<_> = run.alerts.iter().filter(|alert| alert.card.name == "sensor_fault").collect();
    assert_eq!((told.len(), told[0].origin, told[0].severity), (1, write.origin, Severity::Medium));
    assert_eq!(told[0].finding.flow.as_ref().map(|flow| flow.client.port), Some(port));
    assert_eq!((run.report.kept.len(), run.report.kept[0].origin), (1, write.origin));
    assert_eq!(*run.report.kept[0].octets, **octets);
    assert!(!run.alerts.iter().any(|alert| alert.id == write.id), "the packet was not read");
    let others = of_others(&run, port);
    assert!(!others.is_empty());
    assert_eq!(others, of_others(&whole, port));
}

const CLIENT: Host = Host::new("HMI-1", [2, 0, 0, 0, 0, 5], [10, 20, 0, 5]);
const SERVER: Host = Host::new("PLC-1", [2, 0, 0, 0, 0, 9], [10, 20, 1, 9]);
const OTHER: Host = Host::new("PLC-2", [2, 0, 0, 0, 0, 10], [10, 20, 1, 10]);

/// So many connections, `wait_ms` apart, of which each reads twice; beside them one that is read all the time.
fn connections(count: usize, wait_ms: u64) -> Vec<Headed> {
    let mut story = Story::new();
    let other = story.tcp(CLIENT, OTHER.port(502));
    for _ in 0..count {
        let one = story.tcp(CLIENT, SERVER.port(502));
        for first in [40, 0x4141] {
            story.modbus(one, 1, &wire::read(3, first, 10), &wire::registers(3, &[5; 10])).wait_ms(wait_ms / 2);
        }
        story.modbus(other, 1, &wire::read(3, 7, 1), &wire::registers(3, &[5]));
    }
    heads(&story.end())
}

/// The faults that were met, in their order, as events of alerts and their repeats tell them.
fn messages(run: &Run) -> u64 {
    run.report.counters.protocols.values().map(|protocol| protocol.messages).sum()
}

#[test]
fn ten_faults_of_one_protocol_within_a_minute_turn_its_reader_off() {
    let frames = connections(14, 1_000);
    let run = tripping(Setup::default, &frames, b"\x03\x41\x41");
    assert_eq!((run.report.counters.internal, run.report.kept.len()), (10, 10), "the others were not read");
    let fault = |alert: &yagura_rules::alert::Alert| match &alert.event.kind {
        EventKind::SensorFault(fact) => Some(fact.fault),
        _ => None,
    };
    let disabled = run.alerts.iter().find(|alert| fault(alert) == Some(SensorFault::Disabled)).expect("it is told");
    assert_eq!((disabled.severity, disabled.finding.subject.as_str()), (Severity::High, "disabled/modbus"));
    // Two messages of each of ten connections, and all of the one that is in another share of the flows.
    assert_eq!(messages(&run), 2 * 10 + 2 * 14);
}

#[test]
fn faults_that_are_far_apart_turn_nothing_off() {
    let run = tripping(Setup::default, &connections(24, 7_000), b"\x03\x41\x41");
    assert_eq!((run.report.counters.internal, run.report.kept.len()), (24, 16), "the first packets are kept");
    assert!(!run.alerts.iter().any(|alert| alert.finding.subject.starts_with("disabled")));
}

#[test]
fn what_is_held_when_a_flow_ends_may_fail_too() {
    // The second segment is lost: the third waits, and is read when the flow is closed at the end.
    let mut story = Story::new();
    let one = story.tcp(CLIENT, SERVER.port(502));
    story.modbus(one, 1, &wire::read(3, 40, 10), &wire::registers(3, &[5; 10])).wait_ms(10);
    story.modbus(one, 1, &wire::read(3, 41, 10), &wire::registers(3, &[5; 10])).wait_ms(10);
    let lost = story.next_frame() as usize;
    story.modbus_unanswered(one, 1, &wire::read(3, 42, 10));
    story.modbus_unanswered(one, 1, &wire::read(3, 0x4141, 10));
    let run = tripping(Setup::default, &heads(&story.end().lose(lost)), b"\x03\x41\x41");
    assert_eq!((run.report.counters.internal, run.report.kept.len()), (1, 0), "its octets are of more than one packet");
    assert_eq!(run.alerts.iter().filter(|alert| alert.card.name == "sensor_fault").count(), 1);
}
