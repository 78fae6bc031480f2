//! Threads and queues: the core's parts on one hand or many, with the same bytes.
//!
//! One thread drives the `Analyzer`. With more, this thread reads, routes and judges, and workers read what flows say:
//! each owns a fixed part of the shards and gets every batch. Results are taken in the order of the batches, and put in
//! the one order before they are judged, so the number of threads changes no byte.

use crate::capture::source::{Fill, FrameSource};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::sync::Arc;
use yagura_core::analyzer::{Analyzer, Report, Setup};
use yagura_core::desk::Desk;
use yagura_core::dispatch::{Item, RoutedBatch};
use yagura_core::draft::{Draft, phase};
use yagura_core::frame::FrameBatch;
use yagura_core::shard::Shard;
use yagura_rules::alert::Alert;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::norm::Norm;

/// Batches that are under way at once.
const UNDER_WAY: usize = 8;

/// How frames are worked through.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Threads that work on flows; 1 uses no thread at all.
    pub threads: usize,
    /// Frames of a batch.
    pub batch_frames: usize,
    /// What each thread does first, once all of them run: it gives up what it needs no more.
    pub enter: Option<fn()>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { threads: 1, batch_frames: 4_096, enter: None }
    }
}

impl Pace {
    fn enter(self) {
        if let Some(enter) = self.enter {
            enter();
        }
    }
}

/// Works through a source to its end; `alerts` is called with alerts in their order, and `progress` after each batch.
/// Damage of captures is answered beside the report: what was readable before it is analysed all the same.
pub fn analyze(
    setup: Setup,
    source: &mut dyn FrameSource,
    pace: Pace,
    alerts: &mut dyn FnMut(Vec<Alert>),
    progress: &mut dyn FnMut(&dyn FrameSource),
) -> (Report, Vec<crate::capture::error::Error>) {
    if pace.threads <= 1 || setup.watch.is_some() {
        on_one_hand(setup, source, pace, alerts, progress)
    } else {
        on_many(&setup, source, pace, alerts, progress)
    }
}

fn tell(found: &mut Vec<Alert>, alerts: &mut dyn FnMut(Vec<Alert>)) {
    if !found.is_empty() {
        alerts(std::mem::take(found));
    }
}

fn on_one_hand(
    setup: Setup,
    source: &mut dyn FrameSource,
    pace: Pace,
    alerts: &mut dyn FnMut(Vec<Alert>),
    progress: &mut dyn FnMut(&dyn FrameSource),
) -> (Report, Vec<crate::capture::error::Error>) {
    let mut analyzer = Analyzer::new(setup);
    pace.enter();
    let mut batch = FrameBatch::default();
    let mut found = Vec::new();
    let mut damage = Vec::new();
    loop {
        match next(source, &mut batch, pace, &mut damage) {
            Fill::Frames => analyzer.push_batch(&batch, &mut found),
            Fill::Heartbeat(now) => analyzer.heartbeat(now, &mut found),
            Fill::Fact(kind) => analyzer.tell(kind, &mut found),
            Fill::Policy(policy) => analyzer.adopt(&policy),
            Fill::End => break,
        }
        tell(&mut found, alerts);
        progress(source);
    }
    analyzer.finish(&mut found);
    tell(&mut found, alerts);
    (analyzer.into_report(), damage)
}

/// Frames with where they go, shared by the workers.
#[derive(Default)]
struct Work {
    batch: FrameBatch,
    routed: RoutedBatch,
}

/// What a worker has to do.
enum Order {
    Work(Arc<Work>),
    /// Another norm holds from now on. It is not answered.
    Adopt(Arc<Norm>),
    /// There are no more: number and origin of the last frame, and the clock's time.
    Finish(u64, FrameRef, yagura_rules::facts::time::Timestamp),
}

/// A worker's queues, and its thread.
type Worker<T> = (Sender<Order>, Receiver<Vec<Draft>>, T);

fn on_many(
    setup: &Setup,
    source: &mut dyn FrameSource,
    pace: Pace,
    alerts: &mut dyn FnMut(Vec<Alert>),
    progress: &mut dyn FnMut(&dyn FrameSource),
) -> (Report, Vec<crate::capture::error::Error>) {
    let mut dispatcher = setup.dispatcher();
    let mut desk = setup.desk();
    let threads = pace.threads.min(yagura_core::dispatch::SHARDS);
    let mut hands: Vec<Vec<(usize, Shard)>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, shard) in setup.shards().into_iter().enumerate() {
        hands[index % threads].push((index, shard));
    }
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for (number, shards) in hands.into_iter().enumerate() {
            let (orders, work) = bounded::<Order>(UNDER_WAY);
            let (results, done) = bounded::<Vec<Draft>>(UNDER_WAY + 1);
            let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn_scoped(scope, move || {
                pace.enter();
                shards_at_work(shards, &work, &results)
            });
            match thread {
                Ok(thread) => workers.push((orders, done, thread)),
                Err(error) => panic!("the system gives no thread: {error}"),
            }
        }
        pace.enter();
        let mut under_way: VecDeque<Arc<Work>> = VecDeque::new();
        let mut pool: Vec<Work> = Vec::new();
        let mut found = Vec::new();
        let mut drafts = Vec::new();
        let mut damage = Vec::new();
        loop {
            let mut work = pool.pop().unwrap_or_default();
            work.routed.clear();
            let fill = next(source, &mut work.batch, pace, &mut damage);
            let waits = !matches!(fill, Fill::Frames);
            match fill {
                Fill::Frames => dispatcher.route(&work.batch, &mut work.routed),
                Fill::Heartbeat(now) => dispatcher.heartbeat(now, &mut work.routed),
                Fill::Fact(kind) => dispatcher.tell(kind, &mut work.routed),
                Fill::Policy(policy) => {
                    while !under_way.is_empty() {
                        settle(&mut under_way, &workers, &mut drafts, &mut desk, &mut found, &mut pool);
                    }
                    for (orders, ..) in &workers {
                        let _ = orders.send(Order::Adopt(Arc::clone(&policy.norm)));
                    }
                    desk.adopt(&setup.limits, &policy);
                    pool.push(work);
                    continue;
                }
                Fill::End => break,
            }
            let work = Arc::new(work);
            for (orders, ..) in &workers {
                // A worker that is gone has panicked; the scope tells of it.
                let _ = orders.send(Order::Work(Arc::clone(&work)));
            }
            under_way.push_back(work);
            // On a silent wire nothing is to wait for the batches that would push it on.
            while under_way.len() >= UNDER_WAY || (waits && !under_way.is_empty()) {
                settle(&mut under_way, &workers, &mut drafts, &mut desk, &mut found, &mut pool);
            }
            tell(&mut found, alerts);
            progress(source);
        }
        while !under_way.is_empty() {
            settle(&mut under_way, &workers, &mut drafts, &mut desk, &mut found, &mut pool);
        }
        for (orders, ..) in &workers {
            let _ = orders.send(Order::Finish(dispatcher.number(), dispatcher.last(), dispatcher.now()));
        }
        for (_, done, _) in &workers {
            drafts.extend(done.recv().into_iter().flatten());
        }
        Desk::order(&mut drafts);
        drafts.push(Draft::end(dispatcher.number(), dispatcher.last(), dispatcher.now()));
        desk.take(&mut drafts, &mut found);
        desk.finish(&mut found);
        tell(&mut found, alerts);
        let mut shards = Vec::new();
        for (orders, done, thread) in workers {
            drop((orders, done));
            match thread.join() {
                Ok(mine) => shards.extend(mine),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        shards.sort_by_key(|(index, _)| *index);
        (Report::new(&dispatcher, shards.iter().map(|(_, shard)| shard), desk), damage)
    })
}

/// The next batch, or what there is instead. Damage is noted, and what comes after it is read.
fn next(
    source: &mut dyn FrameSource,
    batch: &mut FrameBatch,
    pace: Pace,
    damage: &mut Vec<crate::capture::error::Error>,
) -> Fill {
    loop {
        match source.fill(batch, pace.batch_frames) {
            Ok(fill) => return fill,
            Err(error) => damage.push(error),
        }
    }
}

/// Takes the oldest batch's results, and judges them.
fn settle<T>(
    under_way: &mut VecDeque<Arc<Work>>,
    workers: &[Worker<T>],
    drafts: &mut Vec<Draft>,
    desk: &mut Desk,
    found: &mut Vec<Alert>,
    pool: &mut Vec<Work>,
) {
    let Some(work) = under_way.pop_front() else { return };
    for (_, done, _) in workers {
        drafts.extend(done.recv().into_iter().flatten());
    }
    drafts.extend(work.routed.items.iter().filter_map(Item::draft));
    Desk::order(drafts);
    desk.take(drafts, found);
    if let Ok(work) = Arc::try_unwrap(work) {
        pool.push(work);
    }
}

fn shards_at_work(
    mut shards: Vec<(usize, Shard)>,
    work: &Receiver<Order>,
    results: &Sender<Vec<Draft>>,
) -> Vec<(usize, Shard)> {
    // Which of this worker's shards has which number.
    let mut place = [usize::MAX; yagura_core::dispatch::SHARDS];
    for (at, (index, _)) in shards.iter().enumerate() {
        place[*index] = at;
    }
    for order in work {
        let mut drafts = Vec::new();
        match order {
            Order::Work(work) => {
                for item in &work.routed.items {
                    match item {
                        Item::Packet(routed, source) => {
                            if let Some((_, shard)) = shards.get_mut(place[usize::from(routed.shard)]) {
                                shard.packet(routed, work.routed.octets(&work.batch, *source));
                            }
                        }
                        Item::Tick(moment) => {
                            for (_, shard) in &mut shards {
                                shard.tick(moment);
                            }
                        }
                        Item::Fact(moment, _) if moment.phase == phase::AFTER => {
                            for (_, shard) in &mut shards {
                                shard.end_settled(moment.number);
                            }
                        }
                        Item::Fact(..) => {}
                    }
                }
                for (_, shard) in &mut shards {
                    shard.drain_into(&mut drafts);
                }
                // The batch goes home before its results do, so that its room can be used again.
                drop(work);
            }
            Order::Adopt(norm) => {
                for (_, shard) in &mut shards {
                    shard.adopt(&norm);
                }
                continue;
            }
            Order::Finish(number, last, now) => {
                for (_, shard) in &mut shards {
                    shard.finish(number, last, now);
                    shard.drain_into(&mut drafts);
                }
            }
        }
        if results.send(drafts).is_err() {
            break;
        }
    }
    shards
}
