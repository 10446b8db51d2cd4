//! The one step in which a folder becomes that of a cluster founded anew.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::writer::synced;
use super::{ENTRIES, EPOCH, LogStore, RECORDS, VOTE};
use crate::StorageError;

impl LogStore {
    /// Adds entries, saves the vote and notes the epoch, all of it or nothing, and on the disk when this returns. The log
    /// must not be in use by anything else, and is closed by this.
    pub fn refound(self, entries: &[(u64, Arc<[u8]>)], vote: &[u8], epoch: u64) -> Result<(), StorageError> {
        let shared = &self.shared;
        let (family, records) = (shared.family(ENTRIES)?, shared.family(RECORDS)?);
        let mut batch = WriteBatch::default();
        for (index, bytes) in entries {
            batch.put_cf(family, index.to_be_bytes(), bytes);
        }
        batch.put_cf(records, VOTE, vote);
        batch.put_cf(records, EPOCH, epoch.to_be_bytes());
        shared.db.write_opt(batch, &synced()).map_err(|it| shared.error(it))
    }

    /// The epoch that was noted by [`LogStore::refound`]; zero if none was.
    pub fn epoch(&self) -> Result<u64, StorageError> {
        let Some(bytes) = self.shared.record(EPOCH)? else {
            return Ok(0);
        };
        let bytes = (*bytes).try_into().map_err(|_| StorageError::Damaged {
            path: self.shared.path.clone(),
            reason: "the record of the epoch has a wrong length".to_owned(),
        })?;
        Ok(u64::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_founded_anew_is_there_after_the_next_start() {
        let temp = tempfile::tempdir().expect("a folder");
        let open = |is_new| LogStore::open(temp.path(), "me", is_new).expect("it opens");
        assert_eq!(open(true).epoch().expect("readable"), 0);
        let entry: Arc<[u8]> = Arc::from(*b"entry");
        open(false).refound(&[(0, entry.clone())], b"vote", 3).expect("written");
        let log = open(false);
        assert_eq!(log.epoch().expect("readable"), 3);
        assert_eq!(log.read(0..9).expect("readable"), [entry]);
        assert_eq!(log.vote().as_deref(), Some(&b"vote"[..]));
    }
}
