//! `Bounded`: a map that forgets what was used longest ago; the only growing state that a rule may keep.

use std::collections::BTreeMap;

/// A map of at most so many entries. Where a new one finds no room, the entry that was used longest ago goes, and is
/// counted.
///
/// "Used" is inserted or [touched](Self::touch). Every operation takes time logarithmic in the number of entries, and
/// the order of forgetting depends on the calls alone: two runs with the same calls remember the same.
#[derive(Debug, Clone)]
pub struct Bounded<K, V> {
    values: BTreeMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    stamp: u64,
    limit: usize,
    evicted: u64,
}

impl<K: Ord + Clone, V> Bounded<K, V> {
    /// An empty map of at most `limit` entries; a limit of 0 is taken for 1.
    pub fn new(limit: usize) -> Self {
        Self { values: BTreeMap::new(), order: BTreeMap::new(), stamp: 0, limit: limit.max(1), evicted: 0 }
    }

    /// The value of a key. The entry grows no younger by it.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// The value of a key, which is now the one used last.
    pub fn touch(&mut self, key: &K) -> Option<&mut V> {
        let stamp = self.next_stamp();
        let (used, value) = self.values.get_mut(key)?;
        self.order.remove(used);
        *used = stamp;
        self.order.insert(stamp, key.clone());
        Some(value)
    }

    /// Puts a value in the place of a key. Returns the entry that had to go for it, if any; a value that is replaced is
    /// lost.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        let gone = if self.values.contains_key(&key) { None } else { self.make_room() };
        let stamp = self.next_stamp();
        self.order.insert(stamp, key.clone());
        if let Some((used, _)) = self.values.insert(key, (stamp, value)) {
            self.order.remove(&used);
        }
        gone
    }

    /// The value of a key, made where there is none; it is now the one used last.
    pub fn or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.values.contains_key(&key) {
            self.make_room();
        }
        let stamp = self.next_stamp();
        self.order.insert(stamp, key.clone());
        let (used, value) = self.values.entry(key).or_insert_with(|| (stamp, make()));
        if *used != stamp {
            self.order.remove(used);
            *used = stamp;
        }
        value
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (used, value) = self.values.remove(key)?;
        self.order.remove(&used);
        Some(value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many entries were forgotten for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Forgets the entry that was used longest ago, if the map is full.
    fn make_room(&mut self) -> Option<(K, V)> {
        if self.values.len() < self.limit {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        let (_, value) = self.values.remove(&key)?;
        self.evicted = self.evicted.saturating_add(1);
        Some((key, value))
    }

    fn next_stamp(&mut self) -> u64 {
        // 2^64 calls do not happen.
        self.stamp = self.stamp.saturating_add(1);
        self.stamp
    }
}

impl<K: Ord + Clone> Bounded<K, ()> {
    /// Whether the key is met for the first time, as far as is remembered. A key that is met again grows no younger, so
    /// that it does not matter how often it is.
    pub fn first(&mut self, key: K) -> bool {
        if self.values.contains_key(&key) {
            return false;
        }
        self.insert(key, ());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_used_longest_ago() {
        let mut map = Bounded::new(2);
        assert_eq!(map.insert("a", 1), None);
        assert_eq!(map.insert("b", 2), None);
        assert_eq!(map.touch(&"a"), Some(&mut 1));
        assert_eq!(map.insert("c", 3), Some(("b", 2)));
        assert_eq!((map.get(&"a"), map.get(&"b"), map.get(&"c")), (Some(&1), None, Some(&3)));
        assert_eq!((map.len(), map.evicted()), (2, 1));
    }

    #[test]
    fn looking_is_not_using() {
        let mut map = Bounded::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.get(&"a"), Some(&1));
        assert_eq!(map.insert("c", 3), Some(("a", 1)));
    }

    #[test]
    fn replacing_evicts_nobody() {
        let mut map = Bounded::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.insert("a", 9), None);
        assert_eq!(map.insert("c", 3), Some(("b", 2)));
        assert_eq!(map.get(&"a"), Some(&9));
    }

    #[test]
    fn or_insert_with_makes_once_and_touches() {
        let mut map = Bounded::new(2);
        *map.or_insert_with("a", || 1) += 10;
        map.or_insert_with("b", || 2);
        assert_eq!(*map.or_insert_with("a", || 77), 11);
        map.or_insert_with("c", || 3);
        assert_eq!((map.get(&"a"), map.get(&"b")), (Some(&11), None));
        assert_eq!(map.evicted(), 1);
    }

    #[test]
    fn removed_entries_leave_no_trace_in_the_order() {
        let mut map = Bounded::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.remove(&"a"), Some(1));
        assert_eq!(map.remove(&"a"), None);
        assert_eq!(map.insert("c", 3), None);
        assert_eq!(map.insert("d", 4), Some(("b", 2)));
        assert_eq!(map.order.len(), map.values.len());
    }

    #[test]
    fn a_set_tells_the_first_time_only() {
        let mut set = Bounded::new(2);
        assert!(set.first(1));
        assert!(set.first(2));
        assert!(!set.first(1));
        assert!(set.first(3), "1 goes: meeting it again did not make it younger");
        assert!(set.first(1));
        assert!(!set.is_empty());
    }

    #[test]
    fn a_limit_of_nothing_is_one() {
        let mut map = Bounded::new(0);
        assert_eq!(map.insert(1, 'a'), None);
        assert_eq!(map.insert(2, 'b'), Some((1, 'a')));
    }
}
