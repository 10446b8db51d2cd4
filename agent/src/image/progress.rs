//! How far pulls have come, in bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;

use super::registry::Blob;

/// How far the pull of an image has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of its layers that are on this host.
    pub done: u64,
    /// Bytes of all its layers, as the registry sends them.
    pub total: u64,
}

/// The pulls of this host that are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulls(Arc<Mutex<BTreeMap<String, Arc<Counters>>>>);

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    total: AtomicU64,
}

/// One pull that is under way; it is no longer listed once this is dropped.
#[derive(Debug)]
pub(super) struct Pull {
    pulls: Pulls,
    image: String,
    counters: Arc<Counters>,
}

impl Pulls {
    pub(super) fn begin(&self, image: &str) -> Pull {
        let counters = Arc::<Counters>::default();
        self.lock().insert(image.to_owned(), Arc::clone(&counters));
        Pull {
            pulls: self.clone(),
            image: image.to_owned(),
            counters,
        }
    }

    /// By the reference that is pulled, those whose size is known.
    pub(super) fn all(&self) -> BTreeMap<String, Progress> {
        let progress = |(image, it): (&String, &Arc<Counters>)| {
            let total = it.total.load(Ordering::Relaxed);
            // A layer that broke off and begins anew is counted twice for a moment.
            let done = it.done.load(Ordering::Relaxed).min(total);
            (total > 0).then(|| (image.clone(), Progress { done, total }))
        };
        self.lock().iter().filter_map(progress).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Counters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pull {
    /// So large it is in all.
    pub(super) fn expect(&self, bytes: u64) {
        self.counters.total.store(bytes, Ordering::Relaxed);
    }

    /// So much of it is here already.
    pub(super) fn add(&self, bytes: u64) {
        self.counters.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts what passes.
    pub(super) fn watch(&self, blob: Blob) -> Blob {
        let counters = Arc::clone(&self.counters);
        blob.inspect(move |piece| {
            if let Ok(bytes) = piece {
                counters.done.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
        })
        .boxed()
    }

    /// What has been counted so far.
    pub(super) fn mark(&self) -> u64 {
        self.counters.done.load(Ordering::Relaxed)
    }

    /// Takes back what was counted since, because it broke off.
    pub(super) fn back_to(&self, mark: u64) {
        self.counters.done.store(mark, Ordering::Relaxed);
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        let mut pulls = self.pulls.lock();
        // Another one of the same name may have begun.
        if pulls.get(&self.image).is_some_and(|it| Arc::ptr_eq(it, &self.counters)) {
            pulls.remove(&self.image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_come_is_counted_while_it_comes() {
        let pulls = Pulls::default();
        let pull = pulls.begin("app:1");
        assert!(pulls.all().is_empty(), "nothing is known of its size yet");
        pull.expect(10);
        pull.add(4);
        let mark = pull.mark();
        let pieces = vec![Ok(bytes::Bytes::from_static(b"abc")), Err(std::io::Error::other("cut"))];
        let mut blob = pull.watch(futures::stream::iter(pieces).boxed());
        let seen = || pulls.all().get("app:1").copied();
        assert!(blob.next().await.unwrap().is_ok());
        assert_eq!(seen(), Some(Progress { done: 7, total: 10 }));
        assert!(blob.next().await.unwrap().is_err());
        pull.back_to(mark);
        assert_eq!(seen(), Some(Progress { done: 4, total: 10 }));
        drop(pull);
        assert_eq!(seen(), None);
    }
}
