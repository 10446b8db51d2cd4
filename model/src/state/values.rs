//! The sealed values of secrets.

use std::sync::Arc;

use uuid::Uuid;

use super::State;
use crate::{KeyVersion, SecretItemId, SecretValue, SecretValueId};

impl State {
    /// Values whose data key is wrapped by a key older than this one.
    pub fn values_sealed_before(&self, key: KeyVersion) -> impl Iterator<Item = &SecretValue> {
        let nothing = SecretValueId {
            item: SecretItemId(Uuid::nil()),
            version: 0,
        };
        self.index
            .values_by_key
            .range(..(key, nothing))
            .filter_map(|(_, id)| self.secret_value(*id))
    }

    /// A value of a secret, shared: values may be large, and hosts keep those they need.
    #[must_use]
    pub fn shared_secret_value(&self, id: SecretValueId) -> Option<Arc<SecretValue>> {
        self.secret_values.get(&id).cloned()
    }

    /// How many values of secrets there are.
    #[must_use]
    pub fn secret_value_count(&self) -> usize {
        self.secret_values.len()
    }
}
