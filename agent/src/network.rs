//! The network of this host's containers: one bridge, one private subnet, one network namespace and address each.
//!
//! Nothing is written down: what exists in the kernel and on containers' labels is all the memory there is.

mod address;
mod firewall;
mod link;
mod netns;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use model::ReplicaId;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::reason::{self, chain};
use address::Allocator;
pub use address::{BadSubnet, Subnet};
use link::Links;

/// Gives containers their addresses.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Makes what all containers share. Harmless when it is there.
    async fn prepare(&self) -> Result<(), NetworkError>;

    /// Everything that replicas hold here, whether they still have a container or not.
    async fn list(&self) -> Result<Vec<ReplicaId>, NetworkError>;

    /// Notes that a container found on this host has this address.
    fn keep(&self, replica: ReplicaId, address: Ipv4Addr);

    /// Gives a replica a fresh network namespace; its address stays the same until it is released.
    async fn attach(&self, replica: ReplicaId) -> Result<Attachment, NetworkError>;

    /// Takes all of it back. Harmless when there is nothing.
    async fn release(&self, replica: ReplicaId) -> Result<(), NetworkError>;
}

/// A replica's place in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Reached from this host only.
    pub address: Ipv4Addr,
    /// Its network namespace.
    pub netns: PathBuf,
}

/// A container cannot be given a network.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// All addresses are in use.
    #[error("all addresses of {subnet} are in use by containers of this host; give its agent a larger subnet")]
    Exhausted {
        /// Which range.
        subnet: Subnet,
    },
    /// The kernel refused to make or change an interface.
    #[error("the kernel refused to {doing} {what}; the daemon has to run as root")]
    Link {
        /// What was tried.
        doing: &'static str,
        /// On which interface.
        what: String,
        /// What it said.
        #[source]
        source: rtnetlink::Error,
    },
    /// An interface is not there although it was just made.
    #[error("the network interface {0} is gone; did something else on this host remove it?")]
    Missing(String),
    /// A system call failed.
    #[error("cannot {doing} {path}; the daemon has to run as root")]
    System {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came back.
        #[source]
        source: std::io::Error,
    },
    /// The program `nft` is missing.
    #[error("the program `nft` cannot be started; install the Debian package `nftables`")]
    NoNft(#[source] std::io::Error),
    /// `nft` refused our rules.
    #[error("nft refused the rules that let containers reach the outside: {0}")]
    Nft(String),
}

impl NetworkError {
    /// What to tell the user of a replica that has no network because of it.
    #[must_use]
    pub fn reason(&self) -> model::Reason {
        reason::reason(reason::NETWORK_FAILED, chain(self))
    }
}

/// How the network of this host's containers is made. Two agents on one host need different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Name of the bridge, 1 to 10 characters.
    pub bridge: String,
    /// Addresses of the containers; the first one is the bridge's own.
    pub subnet: Subnet,
    /// Where network namespaces are named.
    pub netns_folder: PathBuf,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            bridge: "gob0".to_owned(),
            subnet: Subnet::default(),
            netns_folder: "/run/netns".into(),
        }
    }
}

/// A [`Network`] of a bridge and veth pairs.
#[derive(Clone, Debug)]
pub struct BridgeNetwork {
    config: Arc<NetworkConfig>,
    addresses: Arc<Mutex<Allocator>>,
}

impl BridgeNetwork {
    /// Makes nothing yet.
    #[must_use]
    pub fn new(config: NetworkConfig) -> Self {
        Self {
            addresses: Arc::new(Mutex::new(Allocator::new(config.subnet))),
            config: config.into(),
        }
    }

    fn netns(&self, replica: ReplicaId) -> PathBuf {
        self.config.netns_folder.join(format!("{}{replica}", self.prefix()))
    }

    fn prefix(&self) -> String {
        format!("{}-", self.config.bridge)
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, Allocator> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Network for BridgeNetwork {
    async fn prepare(&self) -> Result<(), NetworkError> {
        let links = Links::open()?;
        links.ensure_bridge(&self.config.bridge, self.config.subnet).await?;
        netns::share(&self.config.netns_folder)?;
        firewall::prepare(&self.config.bridge, self.config.subnet).await
    }

    async fn list(&self) -> Result<Vec<ReplicaId>, NetworkError> {
        netns::list(&self.config.netns_folder, &self.prefix())
    }

    fn keep(&self, replica: ReplicaId, address: Ipv4Addr) {
        self.addresses().keep(replica, address);
    }

    async fn attach(&self, replica: ReplicaId) -> Result<Attachment, NetworkError> {
        let subnet = self.config.subnet;
        let address = self
            .addresses()
            .take(replica)
            .ok_or(NetworkError::Exhausted { subnet })?;
        let path = self.netns(replica);
        let veth = veth_name(&self.config.bridge, replica);
        let links = Links::open()?;
        links.ensure_bridge(&self.config.bridge, subnet).await?;
        // What an earlier start left is not trusted.
        links.remove(&veth).await?;
        netns::remove(&path)?;
        let inside = netns::create(&path).await?;
        links
            .connect(&veth, &self.config.bridge, inside.file(), address)
            .await?;
        inside.configure(address, subnet).await?;
        Ok(Attachment { address, netns: path })
    }

    async fn release(&self, replica: ReplicaId) -> Result<(), NetworkError> {
        Links::open()?.remove(&veth_name(&self.config.bridge, replica)).await?;
        netns::remove(&self.netns(replica))?;
        self.addresses().release(replica);
        Ok(())
    }
}

/// Interface names have at most 15 characters.
fn veth_name(bridge: &str, replica: ReplicaId) -> String {
    format!("v{}", &hex::encode(Sha256::digest(format!("{bridge} {replica}")))[..12])
}
