//! `FlowTable`: the live flows of a shard, bounded, and given up by packet time.
//!
//! Flows stand in a slab; a hash table finds them by key and is never iterated; three lists, ordered by last use, say
//! which one was quiet for longest, so that giving up flows costs nothing while there are none to give up.

use super::{Class, FlowKey, FlowState};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use yagura_rules::facts::time::Timestamp;

/// No flow.
pub(super) const NONE: u32 = u32::MAX;
/// A flow is moved to the end of its list when it was not for so long: order to the quarter of a second is enough.
const RELINK_NS: u64 = 250_000_000;

#[derive(Debug, Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
}

/// The live flows of one shard.
pub struct FlowTable {
    slots: Vec<Option<FlowState>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    lists: [List; 3],
    state: FixedState,
    max: usize,
    live: usize,
    /// The flow that was found last.
    last: u32,
}

#[inline]
fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn list_of(class: Class) -> usize {
    match class {
        Class::Tcp => 0,
        Class::Other => 1,
        Class::Closed => 2,
    }
}

impl FlowTable {
    /// A table for at most `max` flows.
    pub fn new(max: usize, seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            lists: [List { oldest: NONE, newest: NONE }; 3],
            state: FixedState::with_seed(seed),
            max: max.max(1),
            live: 0,
            last: NONE,
        }
    }

    /// The live flows, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &FlowState> {
        self.slots.iter().flatten()
    }

    /// Live flows.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether the next flow needs another to go.
    pub fn is_full(&self) -> bool {
        self.live >= self.max
    }

    /// The flow of a key.
    #[inline]
    pub fn find(&mut self, key: &FlowKey) -> Option<u32> {
        if self.get(self.last).is_some_and(|flow| flow.key == *key) {
            return Some(self.last);
        }
        let hash = self.state.hash_one(key);
        let slots = &self.slots;
        let found = self.index.find(hash, |at| matches!(slots.get(place(*at)), Some(Some(flow)) if flow.key == *key));
        let at = found.copied()?;
        self.last = at;
        Some(at)
    }

    /// The flow at an index.
    #[inline]
    pub fn get_mut(&mut self, at: u32) -> Option<&mut FlowState> {
        self.slots.get_mut(place(at)).and_then(Option::as_mut)
    }

    #[inline]
    fn get(&self, at: u32) -> Option<&FlowState> {
        self.slots.get(place(at)).and_then(Option::as_ref)
    }

    /// Every flow, to be changed all alike: in no order that could be told.
    pub fn each(&mut self, change: impl FnMut(&mut FlowState)) {
        self.slots.iter_mut().flatten().for_each(change);
    }

    /// Puts a flow in; make room first.
    pub fn insert(&mut self, mut flow: FlowState, now: Timestamp) -> u32 {
        let hash = self.state.hash_one(flow.key);
        flow.linked = now;
        let class = flow.class;
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(NONE)
            }
        };
        if let Some(slot) = self.slots.get_mut(place(at)) {
            *slot = Some(flow);
        }
        self.live = self.live.saturating_add(1);
        let (slots, state) = (&self.slots, &self.state);
        self.index.insert_unique(hash, at, |at| match slots.get(place(*at)) {
            Some(Some(flow)) => state.hash_one(flow.key),
            _ => 0,
        });
        self.link(at, class);
        at
    }

    /// Takes a flow out.
    pub fn remove(&mut self, at: u32) -> Option<FlowState> {
        self.unlink(at);
        self.last = NONE;
        let flow = self.slots.get_mut(place(at)).and_then(Option::take)?;
        let hash = self.state.hash_one(flow.key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        self.free.push(at);
        self.live = self.live.saturating_sub(1);
        Some(flow)
    }

    /// Notes that a flow was used.
    #[inline]
    pub fn touch(&mut self, at: u32, now: Timestamp) {
        let Some(flow) = self.get_mut(at) else { return };
        if now.since(flow.linked) < RELINK_NS {
            return;
        }
        flow.linked = now;
        let class = flow.class;
        self.unlink(at);
        self.link(at, class);
    }

    /// The clock was set back: no flow was used later than now.
    pub fn set_back(&mut self, now: Timestamp) {
        for flow in self.slots.iter_mut().flatten() {
            flow.linked = flow.linked.min(now);
            flow.missed = flow.missed.map(|missed| missed.min(now));
            flow.rate.since = flow.rate.since.min(now.0);
            for side in &mut flow.sides {
                side.held.set_back(now);
            }
        }
    }

    /// Moves a flow to the list of another class.
    pub fn classify(&mut self, at: u32, class: Class) {
        if self.get(at).is_some_and(|flow| flow.class != class) {
            self.unlink(at);
            if let Some(flow) = self.get_mut(at) {
                flow.class = class;
            }
            self.link(at, class);
        }
    }

    /// The flow of a class that was quiet for longest, and since when.
    pub fn oldest(&self, class: Class) -> Option<(u32, Timestamp)> {
        let list = self.lists.get(list_of(class))?;
        self.get(list.oldest).map(|flow| (list.oldest, flow.linked))
    }

    /// The flow that goes first where there is no room: of the closed ones, then of the others, then of TCP.
    pub fn first_to_go(&self) -> Option<u32> {
        [Class::Closed, Class::Other, Class::Tcp].into_iter().find_map(|class| self.oldest(class)).map(|(at, _)| at)
    }

    fn link(&mut self, at: u32, class: Class) {
        let Some(list) = self.lists.get_mut(list_of(class)) else { return };
        let before = list.newest;
        list.newest = at;
        if before == NONE {
            list.oldest = at;
        }
        if let Some(flow) = self.get_mut(at) {
            flow.older = before;
            flow.newer = NONE;
        }
        if let Some(flow) = self.get_mut(before) {
            flow.newer = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(flow) = self.get(at) else { return };
        let (older, newer, class) = (flow.older, flow.newer, flow.class);
        if let Some(flow) = self.get_mut(older) {
            flow.newer = newer;
        }
        if let Some(flow) = self.get_mut(newer) {
            flow.older = older;
        }
        if let Some(list) = self.lists.get_mut(list_of(class)) {
            if list.oldest == at {
                list.oldest = newer;
            }
            if list.newest == at {
                list.newest = older;
            }
        }
    }
}
