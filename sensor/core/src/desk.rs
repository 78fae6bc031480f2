//! `Desk`: where the events of all shards come together in one order, and are judged.

use crate::counters::Counters;
use crate::draft::Draft;
use crate::limits::Limits;
use crate::shard::faults::KEPT_MAX;
use crate::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;
use yagura_rules::alert::Alert;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::asset::{Asset, AssetKey};
use yagura_rules::facts::event::{Event, EventId, EventKind, FaultFact, FrameRef};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::judge::Judge;
use yagura_rules::learn::{Baseline, Learner};
use yagura_rules::norm::Norm;
use yagura_rules::policy::Policy;
use yagura_rules::rule::{Interest, Scene};

/// A packet at which the reading failed, kept for those who mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPacket {
    /// The frame.
    pub origin: FrameRef,
    /// When it was captured.
    pub time: Timestamp,
    /// What was read: a protocol's name.
    pub part: Box<str>,
    /// Its octets from its first header on; at most [`FaultFact::OCTETS_MAX`].
    pub octets: Arc<[u8]>,
}

/// The one order of events, the world that they add up to, and the judge.
pub struct Desk {
    world: World,
    judge: Judge,
    interest: Interest,
    learner: Option<Learner>,
    norm: Arc<Norm>,
    last: (u64, u32),
    events: u64,
    derived: Vec<EventKind>,
    kept: Vec<KeptPacket>,
}

impl Desk {
    /// A desk to which nothing has come.
    pub fn new(limits: &Limits, policy: &Policy, learn: bool) -> Self {
        let judge = Judge::new(&policy.judge, limits.rule_memory_max);
        Self {
            world: World::new(limits),
            interest: judge.interest(),
            judge,
            learner: learn.then(|| Learner::new(limits.learnt_max)),
            norm: Arc::clone(&policy.norm),
            last: (0, 0),
            events: 0,
            derived: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Puts the drafts of a batch in order. Those of one shard are in order already, so this changes nothing where one
    /// hand worked on all shards.
    pub fn order(drafts: &mut [Draft]) {
        drafts.sort_by_key(|draft| (draft.number, draft.phase, draft.shard));
    }

    /// Judges events that are in order.
    pub fn take(&mut self, drafts: &mut Vec<Draft>, out: &mut Vec<Alert>) {
        for draft in drafts.drain(..) {
            let Some(mut event) = draft.event else {
                if let Some(settled) = draft.settled_before.checked_sub(1) {
                    self.next_id(draft.number, settled);
                }
                continue;
            };
            if let EventKind::SensorFault(fact) = &mut event.kind {
                keep(&mut self.kept, fact, event.origin, event.time);
            }
            self.world.observe(&event, &mut self.derived);
            event.id = self.next_id(draft.number, draft.settled_before);
            self.judge(&event, out);
            if !self.derived.is_empty() {
                for kind in std::mem::take(&mut self.derived) {
                    let id = self.next_id(draft.number, 0);
                    let derived = Event { id, kind, flow: event.flow.clone(), ..event };
                    self.judge(&derived, out);
                }
            }
        }
    }

    /// The packets at which the reading failed: the first of them.
    pub fn kept(&self) -> &[KeptPacket] {
        &self.kept
    }

    /// Goes by another policy from now on.
    pub fn adopt(&mut self, limits: &Limits, policy: &Policy) {
        self.norm = Arc::clone(&policy.norm);
        self.judge.adopt(CATALOG, &policy.judge, limits.rule_memory_max);
        self.interest = self.judge.interest();
    }

    /// There are no more events.
    pub fn finish(&mut self, out: &mut Vec<Alert>) {
        let scene = Scene { assets: &self.world, norm: &self.norm };
        self.judge.finish(scene, out);
    }

    /// Takes the desk apart, and adds what was counted.
    pub fn into_report(self, counters: &mut Counters) -> (BTreeMap<AssetKey, Asset>, Option<Baseline>) {
        counters.events = self.events;
        counters.alerts.clone_from(&self.judge.told);
        counters.repeats = self.judge.repeats;
        counters.suppressed = self.judge.suppressed;
        counters.unjudged.clone_from(&self.judge.unjudged);
        for (name, n) in self.world.limits() {
            if n > 0 {
                counters.limits.insert(name, n);
            }
        }
        (self.world.into_assets(), self.learner.map(Learner::into_baseline))
    }

    /// The next place among a frame's events, after so many that were settled.
    fn next_id(&mut self, frame: u64, settled: u32) -> EventId {
        let (last, ordinal) = self.last;
        let first = if last == frame { ordinal.saturating_add(1) } else { 0 };
        let ordinal = first.saturating_add(settled);
        self.last = (frame, ordinal);
        EventId { frame, ordinal }
    }

    fn judge(&mut self, event: &Event, out: &mut Vec<Alert>) {
        self.events = self.events.saturating_add(1);
        if let Some(learner) = &mut self.learner {
            learner.observe(event);
        }
        if self.interest.0 & Interest::of(event).0 != 0 {
            let scene = Scene { assets: &self.world, norm: &self.norm };
            self.judge.observe(event, scene, out);
        }
    }
}

/// Keeps the packet of a fault; where there are enough, its octets go.
#[cold]
fn keep(kept: &mut Vec<KeptPacket>, fact: &mut FaultFact, origin: FrameRef, time: Timestamp) {
    if kept.len() >= KEPT_MAX {
        fact.octets = None;
    }
    if let Some(octets) = &fact.octets {
        kept.push(KeptPacket { origin, time, part: fact.part.clone(), octets: Arc::clone(octets) });
    }
}
