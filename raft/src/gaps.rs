//! Entries that were purged between the decision to send them to a peer and their reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts how often that happened. Clones count together.
///
/// openraft would send what is left as if it followed what the peer has; and when it is given nothing, it tries the same
/// again for ever. Only a stream that ends with an error makes it look again, and send a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gaps(Arc<AtomicU64>);

impl Gaps {
    /// It happened.
    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// So often. A stream to a peer ends when this changes.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
