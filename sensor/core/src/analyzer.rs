//! `Analyzer`: the whole core on one thread; it defines what the sensor says.

use crate::counters::Counters;
use crate::desk::{Desk, KeptPacket};
use crate::dispatch::{Dispatcher, Octets, Receiver, Routed, SHARDS};
use crate::draft::{Draft, Moment, phase};
use crate::frame::FrameBatch;
use crate::limits::Limits;
use crate::points::PointRecord;
use crate::shard::Shard;
use crate::trace::Trace;
use std::collections::BTreeMap;
use std::sync::Arc;
use yagura_rules::alert::Alert;
use yagura_rules::facts::asset::{Asset, AssetKey};
use yagura_rules::facts::event::EventKind;
use yagura_rules::facts::time::Timestamp;
use yagura_rules::learn::Baseline;
use yagura_rules::policy::Policy;

/// What an analyzer starts with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Bounds.
    pub limits: Limits,
    /// Site file and baseline.
    pub policy: Policy,
    /// Seed of the hash tables that the wire can fill; changes no byte of what is said.
    pub seed: u64,
    /// Learn a baseline on the way.
    pub learn: bool,
    /// List the points of the process in the report.
    pub points: bool,
    /// The frame of the timeline whose way is to be told.
    pub watch: Option<u64>,
    /// Octets at which the reading fails, so that tests can see what a fault in the program costs.
    #[doc(hidden)]
    pub trip: Option<Arc<[u8]>>,
}

impl Setup {
    /// The first hand on frames.
    pub fn dispatcher(&self) -> Dispatcher {
        Dispatcher::new(&self.limits, self.seed, self.policy.join_vlans, self.watch)
    }

    /// All shards, in order.
    pub fn shards(&self) -> Vec<Shard> {
        (0..u8::try_from(SHARDS).unwrap_or(u8::MAX))
            .map(|index| {
                let norm = Arc::clone(&self.policy.norm);
                let shard = Shard::new(index, SHARDS, &self.limits, norm, self.seed, self.learn, self.watch);
                let shard = shard.tripping_over(self.trip.clone());
                if self.points { shard.listing_points() } else { shard }
            })
            .collect()
    }

    /// Where events are judged.
    pub fn desk(&self) -> Desk {
        Desk::new(&self.limits, &self.policy, self.learn)
    }
}

/// Frames in, alerts out.
pub struct Analyzer {
    dispatcher: Dispatcher,
    floor: Floor,
    desk: Desk,
    limits: Limits,
    watch: bool,
}

/// All shards on one hand, and the events that they met.
struct Floor {
    shards: Vec<Shard>,
    drafts: Vec<Draft>,
}

impl Receiver for Floor {
    #[inline]
    fn packet(&mut self, routed: &Routed, octets: Octets<'_>) {
        let Some(shard) = self.shards.get_mut(usize::from(routed.shard)) else { return };
        match &octets {
            Octets::Frame(_, octets) => shard.packet(routed, octets),
            Octets::Datagram(octets) => shard.packet(routed, octets),
        }
        if shard.has_events() {
            shard.drain_into(&mut self.drafts);
        }
    }

    fn tick(&mut self, moment: &Moment) {
        for shard in &mut self.shards {
            shard.tick(moment);
            shard.drain_into(&mut self.drafts);
        }
        self.drafts.push(Draft::tick(moment));
    }

    fn fact(&mut self, moment: &Moment, kind: EventKind) {
        if moment.phase == phase::AFTER {
            for shard in &mut self.shards {
                shard.end_settled(moment.number);
                shard.drain_into(&mut self.drafts);
            }
        }
        self.drafts.push(Draft::fact(moment, kind));
    }
}

impl Analyzer {
    /// An analyzer that has seen nothing.
    pub fn new(setup: Setup) -> Self {
        Self {
            dispatcher: setup.dispatcher(),
            floor: Floor { shards: setup.shards(), drafts: Vec::new() },
            desk: setup.desk(),
            limits: setup.limits,
            watch: setup.watch.is_some(),
        }
    }

    /// Looks at frames. Never fails, never blocks.
    pub fn push_batch(&mut self, batch: &FrameBatch, out: &mut Vec<Alert>) {
        self.dispatcher.route(batch, &mut self.floor);
        self.desk.take(&mut self.floor.drafts, out);
    }

    /// Moves the packet clock on a silent wire, once a second: what waits for time to pass need not wait for a frame.
    /// `now` is the capture's clock.
    pub fn heartbeat(&mut self, now: Timestamp, out: &mut Vec<Alert>) {
        self.dispatcher.heartbeat(now, &mut self.floor);
        self.judge(out);
    }

    /// Takes a fact that frames do not show, such as [`EventKind::CaptureLoss`]; its place is after the frames so far.
    pub fn tell(&mut self, kind: EventKind, out: &mut Vec<Alert>) {
        self.dispatcher.tell(kind, &mut self.floor);
        self.judge(out);
    }

    /// The packets so far at which the reading failed: the first 16, for those who mend it.
    pub fn kept(&self) -> &[KeptPacket] {
        self.desk.kept()
    }

    /// Goes by another policy from the next frame on. What has to be known before the first frame stays as it was: whether
    /// VLAN tags tell devices apart, and for flows that are known the lengths of fields.
    pub fn adopt(&mut self, policy: &Policy) {
        for shard in &mut self.floor.shards {
            shard.adopt(&policy.norm);
        }
        self.desk.adopt(&self.limits, policy);
    }

    fn judge(&mut self, out: &mut Vec<Alert>) {
        Desk::order(&mut self.floor.drafts);
        self.desk.take(&mut self.floor.drafts, out);
    }

    /// Closes flows, settles what waits.
    pub fn finish(&mut self, out: &mut Vec<Alert>) {
        let (number, last, now) = (self.dispatcher.number(), self.dispatcher.last(), self.dispatcher.now());
        for shard in &mut self.floor.shards {
            shard.finish(number, last, now);
            shard.drain_into(&mut self.floor.drafts);
        }
        self.floor.drafts.push(Draft::end(number, last, now));
        self.judge(out);
        self.desk.finish(out);
    }

    /// Takes the analyzer apart, once it is finished.
    pub fn into_report(mut self) -> Report {
        let mut trace = Trace { notes: std::mem::take(&mut self.dispatcher.notes) };
        for shard in &mut self.floor.shards {
            trace.notes.append(&mut shard.notes());
        }
        let report = Report::new(&self.dispatcher, &self.floor.shards, self.desk);
        Report { trace: self.watch.then_some(trace), ..report }
    }
}

/// What an analyzer knows at its end.
#[derive(Debug, Default)]
pub struct Report {
    /// Counters.
    pub counters: Counters,
    /// Devices.
    pub assets: BTreeMap<AssetKey, Asset>,
    /// What was learnt, where it was asked for.
    pub learnt: Option<Baseline>,
    /// The points of the process, where they were asked for, in the order of server, protocol, unit, space and address.
    pub points: Vec<PointRecord>,
    /// The packets at which the reading failed: the first 16.
    pub kept: Vec<KeptPacket>,
    /// The way of the frame that was watched.
    pub trace: Option<Trace>,
}

impl Report {
    /// What the parts know at their end.
    pub fn new<'a>(dispatcher: &Dispatcher, shards: impl IntoIterator<Item = &'a Shard>, desk: Desk) -> Self {
        let mut counters = Counters::default();
        let mut points = BTreeMap::new();
        dispatcher.report(&mut counters);
        for shard in shards {
            shard.report(&mut counters);
            shard.points(&mut points);
        }
        let kept = desk.kept().to_vec();
        let (assets, learnt) = desk.into_report(&mut counters);
        Self { counters, assets, learnt, points: points.into_values().collect(), kept, trace: None }
    }
}
