//! A way from a domain to a service.

use serde::{Deserialize, Serialize};

use crate::{AccountId, DomainId, ProjectId, Revision, RouteId, ServiceId, Timestamp};

/// A path prefix of a domain that leads to a service. Prefixes match on segment borders and the longest one wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is filed: its service's project.
    pub project: ProjectId,
    /// As it was sent, such as `/` or `/api`.
    pub path: String,
    /// Whether proxies use it.
    pub enabled: bool,
    /// The domain it hangs on.
    pub domain: DomainId,
    /// Where it leads.
    pub service: ServiceId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// The entry that last changed it.
    pub revision: Revision,
}
