//! Ids by their owner: counted, in order, reached by their place, and without walking those of others.

use std::fmt::Debug;
use std::ops::Range;

use imbl::{OrdMap, Vector};

/// Ids by their owner, each owner's sorted. An owner without any takes no room.
///
/// Ids grow with time, so nearly every one is added at the end; a place in the middle is reached in logarithmic time,
/// which a set cannot do.
#[derive(Clone, Debug)]
pub(super) struct Group<K: Ord + Clone, V: Ord + Clone>(OrdMap<K, Vector<V>>);

impl<K: Ord + Clone, V: Ord + Clone> Default for Group<K, V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Group<K, V> {
    pub(super) fn insert(&mut self, owner: K, id: V) {
        let ids = self.0.entry(owner).or_default();
        if ids.last().is_none_or(|last| *last < id) {
            ids.push_back(id);
        } else if let Err(at) = ids.binary_search(&id) {
            ids.insert(at, id);
        }
    }

    pub(super) fn remove(&mut self, owner: &K, id: &V) {
        let Some(ids) = self.0.get_mut(owner) else { return };
        if let Ok(at) = ids.binary_search(id) {
            ids.remove(at);
        }
        if ids.is_empty() {
            self.0.remove(owner);
        }
    }

    pub(super) fn count(&self, owner: &K) -> usize {
        self.0.get(owner).map_or(0, Vector::len)
    }

    /// Those at these places, of those that there are.
    pub(super) fn at(&self, owner: &K, places: Range<usize>) -> Vec<V> {
        let Some(ids) = self.0.get(owner) else {
            return Vec::new();
        };
        let end = places.end.min(ids.len());
        let begin = places.start.min(end);
        if begin == end {
            return Vec::new();
        }
        ids.focus().narrow(begin..end).into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_set_for_each_owner(steps in proptest::collection::vec((0..3_u8, 0..8_u8, 0..3000_u16), 0..600)) {
            let mut group = Group::<u8, u16>::default();
            let mut sets = [const { BTreeSet::new() }; 3];
            // Long enough for several levels, and some chunks on the way shared with an older state.
            for id in 0..2000 {
                group.insert(0, id);
                sets[0].insert(id);
            }
            for (owner, what, id) in steps {
                let older = group.clone();
                let set = &mut sets[usize::from(owner)];
                let before = set.len();
                if what < 4 {
                    group.insert(owner, id);
                    set.insert(id);
                } else {
                    group.remove(&owner, &id);
                    set.remove(&id);
                }
                prop_assert_eq!(older.count(&owner), before);
                prop_assert_eq!(group.count(&owner), set.len());
                let from = usize::from(id) % (set.len() + 1);
                let expected: Vec<_> = set.iter().copied().skip(from).take(20).collect();
                prop_assert_eq!(group.at(&owner, from..from + 20), expected);
            }
            for (owner, set) in sets.iter().enumerate() {
                let all: Vec<_> = set.iter().copied().collect();
                prop_assert_eq!(group.at(&(owner as u8), 0..usize::MAX), all);
            }
        }
    }
}
