//! Flows of which it is not yet known what becomes: attempts without an answer, connections without a protocol.

use crate::facts::event::{Event, EventKind};
use crate::facts::flow::{Flow, FlowId, Oriented, Transport};
use crate::facts::time::Timestamp;
use crate::norm::Verdict;
use crate::rule::{Cited, Interest, Scene};
use std::collections::BTreeMap;
use std::sync::Arc;
use yagura_parsers::protocols::ProtocolId;

/// An attempt that has no answer for so long has failed, in ns: longer than the first retransmission of a SYN takes.
const ANSWER_NS: u64 = 3_000_000_000;
/// A connection that has told no protocol for so long is judged by its port, in ns.
const PROTOCOL_NS: u64 = 30_000_000_000;

/// A flow that waits, and the event that it waits since.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) flow: Arc<Flow>,
    pub(crate) since: Timestamp,
    pub(crate) cited: Cited,
}

/// Flows that wait, the oldest first. Where there is no room the oldest waits no longer.
struct Queue {
    flows: BTreeMap<FlowId, Waiting>,
    limit: usize,
}

impl Queue {
    fn new(limit: usize) -> Self {
        Self { flows: BTreeMap::new(), limit: limit.max(1) }
    }

    fn add(&mut self, event: &Event, flow: &Arc<Flow>, ended: &mut Vec<Waiting>) {
        let waiting = Waiting { flow: Arc::clone(flow), since: event.time, cited: Cited::event(event) };
        self.flows.entry(flow.id).or_insert(waiting);
        while self.flows.len() > self.limit {
            let Some((_, oldest)) = self.flows.pop_first() else { break };
            ended.push(oldest);
        }
    }

    /// Takes those out that have waited for so long. Numbers of flows grow with time, so only the head is looked at;
    /// where the clock went back, the head has waited long enough.
    fn due(&mut self, now: Timestamp, ns: u64, ended: &mut Vec<Waiting>) {
        while self.flows.first_key_value().is_some_and(|(_, first)| now.0.abs_diff(first.since.0) >= ns) {
            let Some((_, first)) = self.flows.pop_first() else { break };
            ended.push(first);
        }
    }
}

/// Connection attempts whose answer is awaited.
pub(crate) struct Attempts(Queue);

impl Attempts {
    /// What must be observed.
    pub(crate) const INTEREST: Interest =
        Interest::FLOW.and(Interest::PROTOCOL).and(Interest::OPERATION).and(Interest::TICK);

    pub(crate) fn new(limit: usize) -> Self {
        Self(Queue::new(limit))
    }

    /// Looks at an event, and tells the attempts that have failed by it: refused, closed without an answer, or without
    /// one for too long.
    pub(crate) fn observe(&mut self, event: &Event, failed: &mut Vec<Waiting>) {
        match (&event.kind, &event.flow) {
            (EventKind::FlowOpened { attempt: true }, Some(flow)) => self.0.add(event, flow, failed),
            // Who speaks a protocol has a connection, even where the mirror shows one side only.
            (EventKind::FlowAnswered | EventKind::Identified | EventKind::Operation(_), Some(flow)) => {
                self.0.flows.remove(&flow.id);
            }
            (EventKind::FlowRefused, Some(flow)) => failed.extend(self.0.flows.remove(&flow.id)),
            (EventKind::FlowClosed(summary), Some(flow)) => {
                if let Some(attempt) = self.0.flows.remove(&flow.id)
                    && summary.octets == [0, 0]
                {
                    failed.push(attempt);
                }
            }
            (EventKind::Tick, _) => self.0.due(event.time, ANSWER_NS, failed),
            _ => {}
        }
    }
}

/// Flows at the point where it can be said what conversation they are.
///
/// A flow that has told its protocol is judged by it. One that has not is judged by its port: at once where the
/// protocols of the list are out of the question, and otherwise once it is closed, speaks something else, or was silent
/// for too long. What nobody answered is no conversation, unless it goes on: telemetry and logs.
pub(crate) struct Conversations {
    /// Flows that may turn out to be in order, for so long.
    hopeful: Queue,
    /// Accepted connections to usual ports: identification, a stranger or the end will tell.
    quiet: Queue,
}

/// Unanswered packets that make a conversation: not a probe and its repeats. The same as in learning.
const PACKETS_MIN: u64 = 4;

/// A flow that can be judged, and the event that it was first seen at where that was earlier.
pub(crate) struct Settled {
    pub(crate) flow: Arc<Flow>,
    pub(crate) earlier: Option<Cited>,
}

impl Conversations {
    /// What must be observed.
    pub(crate) const INTEREST: Interest = Interest::FLOW.and(Interest::PROTOCOL).and(Interest::TICK);

    pub(crate) fn new(limit: usize) -> Self {
        Self { hopeful: Queue::new(limit), quiet: Queue::new(limit) }
    }

    /// Looks at an event, and tells the flows that can be judged at it. `hopeful` says whether a flow would be in order
    /// if it spoke the protocol that it carries.
    pub(crate) fn observe(&mut self, event: &Event, hopeful: impl Fn(&Flow) -> bool, settled: &mut Vec<Settled>) {
        if matches!(event.kind, EventKind::Tick) {
            let mut ended = Vec::new();
            self.hopeful.due(event.time, PROTOCOL_NS, &mut ended);
            settled.extend(ended.into_iter().map(|one| Settled { flow: one.flow, earlier: Some(one.cited) }));
            return;
        }
        let Some(flow) = &event.flow else { return };
        if matches!(event.kind, EventKind::FlowAnswered) {
            if flow.protocol.is_some() || flow.transport == Transport::Icmp || flow.is_to_group() {
                return; // It was told by its own event; of ICMP the end tells whether it was an exchange.
            }
            if is_usual_port(flow.server.port) {
                self.quiet.add(event, flow, &mut Vec::new());
            } else if could_speak(flow, hopeful) {
                let mut ended = Vec::new();
                self.hopeful.add(event, flow, &mut ended);
                settled.extend(ended.into_iter().map(|one| Settled { flow: one.flow, earlier: Some(one.cited) }));
            } else {
                settled.push(Settled { flow: Arc::clone(flow), earlier: None });
            }
            return;
        }
        if !matches!(event.kind, EventKind::Identified | EventKind::Stranger(_) | EventKind::FlowClosed(_)) {
            return;
        }
        let waited = self.hopeful.flows.remove(&flow.id).or(self.quiet.flows.remove(&flow.id));
        let earlier = waited.map(|one| one.cited);
        let is_told = match &event.kind {
            EventKind::FlowClosed(summary) => {
                let [to_server, to_client] = summary.frames;
                flow.protocol.is_none()
                    && !flow.is_to_group()
                    && match flow.transport {
                        // Data is sent only where the connection was accepted, if the answers are seen or not.
                        Transport::Tcp => earlier.is_some() || summary.octets != [0, 0],
                        Transport::Udp | Transport::Ip(_) => to_client > 0 || to_server >= PACKETS_MIN,
                        Transport::Icmp => to_client > 0 && to_server > 0,
                    }
            }
            _ => true,
        };
        if is_told {
            settled.push(Settled { flow: Arc::clone(flow), earlier });
        }
    }
}

/// Whether any protocol of the list is usual at a port.
fn is_usual_port(port: u16) -> bool {
    ProtocolId::ALL.iter().any(|protocol| protocol.ports().contains(&port))
}

/// Whether a flow would be in order if it turned out to speak one of the protocols of the list.
fn could_speak(flow: &Flow, hopeful: impl Fn(&Flow) -> bool) -> bool {
    ProtocolId::ALL.iter().any(|protocol| hopeful(&Flow { protocol: Some(*protocol), ..flow.clone() }))
}

/// What is said of a flow as a conversation. Where it is only guessed who opened it, the kinder of both answers holds.
pub(crate) fn conversation(scene: Scene<'_>, flow: &Flow) -> Verdict {
    let ask = |flow: &Flow| scene.norm.conversation(scene.norm.pair(flow), flow);
    let verdict = ask(flow);
    if flow.oriented != Oriented::Guess {
        return verdict;
    }
    let turned = ask(&Flow {
        client: flow.server,
        server: flow.client,
        client_mac: flow.server_mac,
        server_mac: flow.client_mac,
        ..flow.clone()
    });
    match (verdict, turned) {
        (Verdict::Usual(_), _) => verdict,
        (_, Verdict::Usual(_)) | (Verdict::Forbidden(_), _) => turned,
        _ => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, flow, unidentified};
    use crate::facts::flow::FlowSummary;

    fn closed(octets: [u64; 2], frames: [u64; 2]) -> EventKind {
        EventKind::FlowClosed(Box::new(FlowSummary { octets, frames, ..FlowSummary::default() }))
    }

    fn failed(kinds: Vec<(u64, Option<EventKind>)>) -> usize {
        let (bench, mut attempts, mut failed) = (Bench::new(), Attempts::new(4), Vec::new());
        let flow = unidentified("10.0.0.1", "10.0.0.2", 80);
        for (second, kind) in kinds {
            let event = match kind {
                Some(kind) => bench.event(second, Some(&flow), kind),
                None => bench.event(second, None, EventKind::Tick),
            };
            attempts.observe(&event, &mut failed);
        }
        failed.len()
    }

    #[test]
    fn an_attempt_fails_when_refused_closed_or_not_answered() {
        let open = || (0, Some(EventKind::FlowOpened { attempt: true }));
        assert_eq!(failed(vec![open(), (0, Some(EventKind::FlowRefused))]), 1);
        assert_eq!(failed(vec![open(), (2, None)]), 0);
        assert_eq!(failed(vec![open(), (3, None), (4, None)]), 1);
        assert_eq!(failed(vec![open(), (1, Some(EventKind::FlowAnswered)), (9, None)]), 0);
        assert_eq!(failed(vec![open(), (1, Some(EventKind::Identified)), (9, None)]), 0);
        assert_eq!(failed(vec![open(), (1, Some(closed([0, 0], [1, 0])))]), 1);
        assert_eq!(failed(vec![open(), (1, Some(closed([9, 0], [2, 0])))]), 0);
        assert_eq!(failed(vec![(0, Some(EventKind::FlowOpened { attempt: false })), (9, None)]), 0);
        assert_eq!(failed(vec![(0, Some(EventKind::FlowRefused))]), 0);
    }

    #[test]
    fn more_attempts_than_are_remembered_fail_early() {
        let (bench, mut attempts, mut failed) = (Bench::new(), Attempts::new(2), Vec::new());
        for port in 1..=5 {
            let flow = unidentified("10.0.0.1", "10.0.0.2", port);
            attempts.observe(&bench.event(0, Some(&flow), EventKind::FlowOpened { attempt: true }), &mut failed);
        }
        assert_eq!(failed.iter().map(|one| one.flow.server.port).collect::<Vec<_>>(), [1, 2, 3]);
    }

    fn settled(flow: &Arc<Flow>, hopeful: bool, kinds: Vec<(u64, Option<EventKind>)>) -> Vec<usize> {
        let (bench, mut conversations) = (Bench::new(), Conversations::new(4));
        kinds
            .into_iter()
            .map(|(second, kind)| {
                let event = match kind {
                    Some(kind) => bench.event(second, Some(flow), kind),
                    None => bench.event(second, None, EventKind::Tick),
                };
                let mut settled = Vec::new();
                conversations.observe(&event, |_| hopeful, &mut settled);
                settled.len()
            })
            .collect()
    }

    #[test]
    fn a_flow_with_a_protocol_is_settled_by_it() {
        let flow = flow("10.0.0.1", "10.0.0.2", 502);
        let kinds = vec![(0, Some(EventKind::Identified)), (1, Some(EventKind::FlowAnswered)), (40, None)];
        assert_eq!(settled(&flow, true, kinds), [1, 0, 0]);
    }

    #[test]
    fn an_unknown_port_is_settled_when_the_connection_is_accepted() {
        let flow = unidentified("10.0.0.1", "10.0.0.2", 22);
        let kinds = || vec![(0, Some(EventKind::FlowOpened { attempt: true })), (0, Some(EventKind::FlowAnswered))];
        assert_eq!(settled(&flow, false, kinds()), [0, 1]);
        let mut waits = kinds();
        waits.extend([(29, None), (30, None), (31, None)]);
        assert_eq!(settled(&flow, true, waits), [0, 0, 0, 1, 0], "it may yet turn out to be in order");
        let mut ends = kinds();
        ends.extend([(2, Some(closed([1, 1], [4, 4]))), (40, None)]);
        assert_eq!(settled(&flow, true, ends), [0, 0, 1, 0]);
    }

    #[test]
    fn an_attempt_without_an_answer_is_no_conversation() {
        let flow = unidentified("10.0.0.1", "10.0.0.2", 22);
        let kinds = vec![
            (0, Some(EventKind::FlowOpened { attempt: true })),
            (0, Some(EventKind::FlowRefused)),
            (1, Some(closed([0, 0], [1, 1]))),
        ];
        assert_eq!(settled(&flow, false, kinds), [0, 0, 0]);
    }

    #[test]
    fn a_usual_port_is_settled_by_what_is_said_or_at_the_end() {
        let flow = unidentified("10.0.0.1", "10.0.0.2", 502);
        let kinds = |last| vec![(0, Some(EventKind::FlowAnswered)), (60, None), (61, Some(last))];
        assert_eq!(settled(&flow, false, kinds(EventKind::Stranger("modbus"))), [0, 0, 1]);
        assert_eq!(settled(&flow, false, kinds(closed([0, 0], [2, 1]))), [0, 0, 1], "accepted, and nothing said");
        assert_eq!(settled(&flow, false, vec![(0, Some(closed([0, 0], [2, 1])))]), [0]);
    }

    #[test]
    fn datagrams_are_a_conversation_once_answered_or_many_unless_they_go_to_a_group() {
        let mut flow = Flow::clone(&unidentified("10.0.0.1", "10.0.0.2", 514));
        flow.transport = Transport::Udp;
        let open = || (0, Some(EventKind::FlowOpened { attempt: false }));
        let answered = || vec![open(), (0, Some(EventKind::FlowAnswered))];
        let ended = |frames| vec![open(), (9, Some(closed([9, 0], frames)))];
        let udp = Arc::new(flow.clone());
        assert_eq!(settled(&udp, false, answered()), [0, 1]);
        assert_eq!(settled(&udp, false, ended([3, 0])), [0, 0]);
        assert_eq!(settled(&udp, false, ended([4, 0])), [0, 1]);
        flow.server.address = "224.0.0.251".parse().unwrap();
        assert_eq!(settled(&Arc::new(flow.clone()), false, ended([400, 0])), [0, 0]);
    }

    #[test]
    fn icmp_is_a_conversation_where_both_speak() {
        let mut flow = Flow::clone(&unidentified("10.0.0.1", "10.0.0.2", 0));
        flow.transport = Transport::Icmp;
        let flow = Arc::new(flow);
        let kinds = |frames| vec![(0, Some(EventKind::FlowAnswered)), (9, Some(closed([8, 8], frames)))];
        assert_eq!(settled(&flow, false, kinds([4, 4])), [0, 1]);
        assert_eq!(settled(&flow, false, kinds([9, 0])), [0, 0]);
    }
}
