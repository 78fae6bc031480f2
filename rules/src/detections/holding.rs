//! What is to be told unless something is heard in time.

use std::collections::{BTreeMap, BTreeSet};

/// Values that wait, each until its own time. Where there is no room, what is due first waits no longer, and is lost.
#[derive(Debug)]
pub(crate) struct Holding<K, V> {
    waiting: BTreeMap<K, (u64, V)>,
    order: BTreeSet<(u64, K)>,
    limit: usize,
    forgotten: u64,
}

impl<K: Ord + Copy, V> Holding<K, V> {
    /// For at most `limit` values.
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), order: BTreeSet::new(), limit: limit.max(1), forgotten: 0 }
    }

    /// Holds a value until `due`, in ns of packet time; a key that waits already keeps its value and its time.
    pub(crate) fn hold(&mut self, key: K, due: u64, value: V) {
        if self.waiting.contains_key(&key) {
            return;
        }
        if self.waiting.len() >= self.limit
            && let Some((_, first)) = self.order.pop_first()
        {
            self.waiting.remove(&first);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.order.insert((due, key));
        self.waiting.insert(key, (due, value));
    }

    /// The value of a key that waits.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.waiting.get_mut(key).map(|(_, value)| value)
    }

    /// Takes out what need not wait any longer.
    pub(crate) fn let_go(&mut self, key: &K) -> Option<V> {
        let (due, value) = self.waiting.remove(key)?;
        self.order.remove(&(due, *key));
        Some(value)
    }

    /// Takes out what is due, sorted by key.
    pub(crate) fn due(&mut self, now: u64) -> BTreeMap<K, V> {
        let mut due = BTreeMap::new();
        while let Some((_, key)) = self.order.first().copied().filter(|(time, _)| *time <= now) {
            due.extend(self.let_go(&key).map(|value| (key, value)));
        }
        due
    }

    /// Values that were lost for want of room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_out_and_what_was_let_go_does_not() {
        let mut holding = Holding::new(10);
        holding.hold("c", 5, 1);
        holding.hold("a", 7, 2);
        holding.hold("b", 5, 3);
        holding.hold("c", 1, 9);
        assert!(holding.due(4).is_empty(), "c keeps its time");
        assert_eq!(holding.let_go(&"b"), Some(3));
        *holding.get_mut(&"a").unwrap() += 20;
        assert_eq!(holding.due(7), BTreeMap::from([("a", 22), ("c", 1)]));
        assert!(holding.due(u64::MAX).is_empty() && holding.get_mut(&"a").is_none());
        assert_eq!(holding.forgotten(), 0);
    }

    #[test]
    fn where_there_is_no_room_the_first_due_goes() {
        let mut holding = Holding::new(2);
        holding.hold(1, 30, ());
        holding.hold(2, 10, ());
        holding.hold(3, 20, ());
        assert_eq!(holding.forgotten(), 1);
        assert_eq!(holding.due(u64::MAX).into_keys().collect::<Vec<_>>(), [1, 3]);
    }
}
