//! Ids by their owner: counted, in order, and without walking those of others.

use std::fmt::Debug;

use imbl::{OrdMap, OrdSet};

/// Ids by their owner. An owner without any takes no room.
#[derive(Clone, Debug)]
pub(super) struct Group<K: Ord + Clone, V: Ord + Clone>(OrdMap<K, OrdSet<V>>);

impl<K: Ord + Clone, V: Ord + Clone> Default for Group<K, V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Group<K, V> {
    pub(super) fn insert(&mut self, owner: K, id: V) {
        self.0.entry(owner).or_default().insert(id);
    }

    pub(super) fn remove(&mut self, owner: &K, id: &V) {
        let Some(ids) = self.0.get_mut(owner) else { return };
        ids.remove(id);
        if ids.is_empty() {
            self.0.remove(owner);
        }
    }

    pub(super) fn count(&self, owner: &K) -> usize {
        self.0.get(owner).map_or(0, OrdSet::len)
    }

    pub(super) fn of<'a>(&'a self, owner: &K) -> impl DoubleEndedIterator<Item = V> + use<'a, K, V> {
        self.0.get(owner).into_iter().flat_map(|ids| ids.iter().cloned())
    }
}
