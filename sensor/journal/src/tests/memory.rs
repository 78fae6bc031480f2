//! A folder in memory that fails, dies and loses power as it is told.

use crate::storage::{Listed, Source, Storage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::rc::Rc;

/// What is asked of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    List,
    Open,
    Read,
    Create,
    OpenToWrite,
    Write,
    Truncate,
    Sync,
    SyncFolder,
    Rename,
    Remove,
}

/// What a file has, and what of it a power cut leaves.
#[derive(Debug, Clone, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Written since the last sync, whether that succeeded or not: a failed sync forgets it, as Linux does.
    dirty: Vec<Range<usize>>,
}

/// Decides about the n-th call, from 1 on.
type Decide = Box<dyn FnMut(u64, Call) -> Option<io::ErrorKind>>;

#[derive(Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    calls: u64,
    decide: Option<Decide>,
    /// After so many written octets everything fails.
    octets_left: Option<u64>,
    log: Vec<(Call, String, bool)>,
}

/// The folder. Clones are the same folder.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<State>>);

/// An open file.
#[derive(Clone)]
pub(crate) struct Handle(usize, String);

impl Memory {
    /// Lets calls fail.
    pub(crate) fn decide(&self, decide: impl FnMut(u64, Call) -> Option<io::ErrorKind> + 'static) {
        let mut state = self.0.borrow_mut();
        state.calls = 0;
        state.decide = Some(Box::new(decide));
    }

    /// Lets nothing fail any more.
    pub(crate) fn heal(&self) {
        let mut state = self.0.borrow_mut();
        state.decide = None;
        state.octets_left = None;
    }

    /// Lets everything fail after so many written octets.
    pub(crate) fn die_after(&self, octets: u64) {
        self.0.borrow_mut().octets_left = Some(octets);
    }

    /// Calls since the last [`Memory::decide`].
    pub(crate) fn calls(&self) -> u64 {
        self.0.borrow().calls
    }

    /// All calls that change something: the call, the file, whether it succeeded.
    pub(crate) fn log(&self) -> Vec<(Call, String, bool)> {
        self.0.borrow().log.clone()
    }

    /// What a killed process leaves: all that was written.
    pub(crate) fn after_kill(&self) -> Self {
        let state = self.0.borrow();
        Self(Rc::new(RefCell::new(
            State { nodes: state.nodes.clone(), names: state.names.clone(), ..State::default() }.settled(),
        )))
    }

    /// What a power cut leaves: what was synced, and of the rest as much as chance has it.
    pub(crate) fn after_power_cut(&self, random: &mut Random) -> Self {
        let state = self.0.borrow();
        let names = if random.below(2) == 0 { state.names.clone() } else { state.durable_names.clone() };
        let mut nodes = state.nodes.clone();
        for node in &mut nodes {
            let now = std::mem::take(&mut node.now);
            node.now = node.durable.clone();
            if random.below(2) == 0 {
                for range in &node.dirty {
                    let end = range.start + random.below(range.len() as u64 + 1) as usize;
                    if node.now.len() < end {
                        node.now.resize(end, 0);
                    }
                    if random.below(4) > 0 {
                        node.now[range.start..end].copy_from_slice(&now[range.start..end]);
                    }
                }
            }
        }
        Self(Rc::new(RefCell::new(State { nodes, names, ..State::default() }.settled())))
    }

    /// A copy that goes its own way.
    pub(crate) fn copy(&self) -> Self {
        self.after_kill()
    }

    /// What stands in a file.
    pub(crate) fn octets(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.names.get(name).map(|node| state.nodes[*node].now.clone()).unwrap_or_default()
    }

    /// Puts a file there.
    pub(crate) fn put(&self, name: &str, octets: &[u8]) {
        let mut state = self.0.borrow_mut();
        let node = state.nodes.len();
        state.nodes.push(Node { now: octets.to_vec(), durable: octets.to_vec(), dirty: Vec::new() });
        state.names.insert(name.to_owned(), node);
        state.durable_names.insert(name.to_owned(), node);
    }

    /// Takes a file away.
    pub(crate) fn take(&self, name: &str) {
        self.0.borrow_mut().names.remove(name);
    }

    /// The names of all segments, in order.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.0.borrow().names.keys().filter(|name| name.ends_with(".jsonl")).cloned().collect()
    }

    /// Counts a call, and lets it fail if it is told so.
    fn call(&self, call: Call, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.calls += 1;
        let number = state.calls;
        let mut decide = state.decide.take();
        let mut answer = decide.as_mut().and_then(|decide| decide(number, call));
        state.decide = decide;
        if state.octets_left == Some(0) {
            answer = Some(io::ErrorKind::Other);
        }
        if !matches!(call, Call::List | Call::Open | Call::Read) {
            state.log.push((call, name.to_owned(), answer.is_none()));
        }
        answer.map_or(Ok(()), |kind| Err(io::Error::from(kind)))
    }
}

impl State {
    fn settled(mut self) -> Self {
        for node in &mut self.nodes {
            node.durable = node.now.clone();
            node.dirty.clear();
        }
        self.durable_names = self.names.clone();
        self
    }
}

impl Source for Memory {
    type File = Handle;

    fn list(&self) -> io::Result<Vec<Listed>> {
        self.call(Call::List, "")?;
        let state = self.0.borrow();
        let listed = |(name, node): (&String, &usize)| Listed {
            name: name.clone(),
            octets: state.nodes[*node].now.len() as u64,
        };
        Ok(state.names.iter().map(listed).collect())
    }

    fn open(&self, name: &str) -> io::Result<Handle> {
        self.call(Call::Open, name)?;
        let state = self.0.borrow();
        let node = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Handle(*node, name.to_owned()))
    }

    fn read_at(&self, file: &Handle, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.call(Call::Read, &file.1)?;
        let state = self.0.borrow();
        let octets = state.nodes[file.0].now.get(offset as usize..).unwrap_or_default();
        let read = octets.len().min(room.len());
        room[..read].copy_from_slice(&octets[..read]);
        Ok(read)
    }
}

impl Storage for Memory {
    fn create(&self, name: &str) -> io::Result<Handle> {
        self.call(Call::Create, name)?;
        let mut state = self.0.borrow_mut();
        let node = state.nodes.len();
        state.nodes.push(Node::default());
        state.names.insert(name.to_owned(), node);
        Ok(Handle(node, name.to_owned()))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Handle> {
        self.call(Call::OpenToWrite, name)?;
        let state = self.0.borrow();
        let node = state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Handle(*node, name.to_owned()))
    }

    fn write_at(&self, file: &Handle, offset: u64, octets: &[u8]) -> io::Result<()> {
        let answer = self.call(Call::Write, &file.1);
        let mut state = self.0.borrow_mut();
        // A write that fails is half done; one in which the process dies is done as far as it came.
        let mut done = if answer.is_err() { octets.len() / 2 } else { octets.len() };
        let mut died = false;
        if let Some(left) = &mut state.octets_left {
            died = *left < done as u64;
            done = done.min(*left as usize);
            *left -= done as u64;
        }
        let node = &mut state.nodes[file.0];
        let range = offset as usize..offset as usize + done;
        if node.now.len() < range.end {
            node.now.resize(range.end, 0);
        }
        node.now[range.clone()].copy_from_slice(&octets[..done]);
        if !range.is_empty() {
            node.dirty.push(range);
        }
        answer?;
        if died { Err(io::Error::other("dead")) } else { Ok(()) }
    }

    fn truncate(&self, file: &Handle, octets: u64) -> io::Result<()> {
        self.call(Call::Truncate, &file.1)?;
        let mut state = self.0.borrow_mut();
        let node = &mut state.nodes[file.0];
        node.now.resize(octets as usize, 0);
        for range in &mut node.dirty {
            range.end = range.end.min(octets as usize);
            range.start = range.start.min(range.end);
        }
        Ok(())
    }

    fn sync(&self, file: &Handle) -> io::Result<()> {
        let answer = self.call(Call::Sync, &file.1);
        let mut state = self.0.borrow_mut();
        let node = &mut state.nodes[file.0];
        for range in std::mem::take(&mut node.dirty) {
            if answer.is_ok() {
                if node.durable.len() < range.end {
                    node.durable.resize(range.end, 0);
                }
                node.durable[range.clone()].copy_from_slice(&node.now[range]);
            }
        }
        if answer.is_ok() {
            node.durable.resize(node.now.len(), 0);
        }
        answer
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.call(Call::SyncFolder, "")?;
        let mut state = self.0.borrow_mut();
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call(Call::Rename, to)?;
        let mut state = self.0.borrow_mut();
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call(Call::Remove, name)?;
        self.0.borrow_mut().names.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// Numbers that depend on the seed alone (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
