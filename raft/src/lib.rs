//! How the nodes of a cluster agree: openraft over our own stores and a tonic transport, behind one handle.
//!
//! ```text
//! Cluster::submit(command) --forwarded to the leader--> replicated, fsynced by a majority, decided, applied here --> Submitted
//! Cluster::read()          --one ReadIndex round (or a lease) for many readers--> a State that has every write acknowledged before
//! Cluster::watch()         --> each batch of changes, after this node has applied it
//! ```
//!
//! No openraft type and no generated protobuf type leaves this crate. The state machine calls [`model::decide`] and
//! nothing else: it reads no clock, draws no randomness and knows no local setting.

mod authority;
mod autopilot;
mod blocking;
mod cluster;
mod config;
mod credentials;
mod effect;
mod error;
mod exchange;
mod failover;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod gaps;
mod ground;
mod heartbeat;
mod identity;
mod join;
mod join_token;
mod leadership;
mod leases;
mod log_store;
mod look;
mod network;
mod peer_tls;
mod proposals;
mod propose;
mod proto;
mod publish;
mod read;
mod recovery;
mod renewal;
mod restore;
mod rotation;
mod server;
mod slept;
mod snapshotting;
mod state_machine;
mod status;
mod stored;
mod tls;
mod transport;
mod trust;
mod types;
mod unled;
mod watch;

pub use authority::{AuthorityError, authority_context};
pub use cluster::{Cluster, TransferError};
pub use config::{Config, READ_LEASE_MAX, Start, Timing};
pub use credentials::CredentialsError;
pub use error::{StartError, SubmitError, Unavailable};
pub use ground::{Disks, Ground, Incoming, LogDisk, Opened, StateDisk, Stream, Wire, Wires};
pub use identity::NoIdentity;
pub use join_token::is_join_token;
pub use leadership::Leadership;
pub use leases::{Lease, Leases};
pub use look::Look;
pub use peer_tls::PeerTls;
pub use propose::Submitted;
pub use recovery::{Advice, Behind, Loss, Mismatch, Point, RecoveryError, Survivor, SurvivorFolder, Voter, advise};
pub use restore::{Restore, RestoreError, restore};
pub use rotation::{Authorities, AuthorityFault, Certification, Waiting};
pub use server::Caller;
pub use status::{Member, Role, Status};
pub use watch::{Batch, Event, Watch, WatchClosed};
