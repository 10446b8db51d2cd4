//! Which container has which address.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use model::ReplicaId;
use thiserror::Error;

/// A range of IPv4 addresses for containers, such as `10.213.0.0/20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    base: Ipv4Addr,
    length: u8,
}

/// Not a range that containers could live in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a subnet for containers; write a network of 8 to 28 bits like 10.213.0.0/20")]
pub struct BadSubnet(String);

impl Default for Subnet {
    fn default() -> Self {
        Self {
            base: Ipv4Addr::new(10, 213, 0, 0),
            length: 20,
        }
    }
}

impl FromStr for Subnet {
    type Err = BadSubnet;

    fn from_str(text: &str) -> Result<Self, BadSubnet> {
        let bad = || BadSubnet(text.to_owned());
        let (base, length) = text.split_once('/').ok_or_else(bad)?;
        let subnet = Self {
            base: base.parse().map_err(|_| bad())?,
            length: length.parse().map_err(|_| bad())?,
        };
        let whole = (8..=28).contains(&subnet.length) && u32::from(subnet.base) & (subnet.size() - 1) == 0;
        if whole { Ok(subnet) } else { Err(bad()) }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.length)
    }
}

impl Subnet {
    /// Bits of the network.
    #[must_use]
    pub fn length(self) -> u8 {
        self.length
    }

    /// The host's own address in it.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        self.at(1)
    }

    fn size(self) -> u32 {
        1 << (32 - u32::from(self.length))
    }

    fn at(self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + n)
    }
}

/// Gives each replica an address. One that was given back is used again as late as possible, so that a connection
/// meant for the old container does not meet a new one.
#[derive(Clone, Debug)]
pub(super) struct Allocator {
    subnet: Subnet,
    next: u32,
    held: BTreeMap<ReplicaId, Ipv4Addr>,
}

impl Allocator {
    pub(super) fn new(subnet: Subnet) -> Self {
        Self {
            subnet,
            next: 2,
            held: BTreeMap::new(),
        }
    }

    pub(super) fn keep(&mut self, replica: ReplicaId, address: Ipv4Addr) {
        self.held.insert(replica, address);
        let n = u32::from(address).wrapping_sub(u32::from(self.subnet.base));
        if n < self.subnet.size() {
            self.next = self.next.max(n + 1);
        }
    }

    /// The replica's address, a free one if it has none; `None` when all are taken.
    pub(super) fn take(&mut self, replica: ReplicaId) -> Option<Ipv4Addr> {
        if let Some(address) = self.held.get(&replica) {
            return Some(*address);
        }
        // Without the network's own address, the gateway and the broadcast address.
        let last = self.subnet.size() - 2;
        for _ in 2..=last {
            let n = if (2..=last).contains(&self.next) { self.next } else { 2 };
            self.next = n + 1;
            let address = self.subnet.at(n);
            if !self.held.values().any(|it| *it == address) {
                self.held.insert(replica, address);
                return Some(address);
            }
        }
        None
    }

    pub(super) fn release(&mut self, replica: ReplicaId) {
        self.held.remove(&replica);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn replica(n: u128) -> ReplicaId {
        ReplicaId(Uuid::from_u128(n))
    }

    #[test]
    fn subnets_are_read_and_checked() {
        let subnet: Subnet = "10.1.2.0/24".parse().unwrap();
        assert_eq!(
            (subnet.gateway(), subnet.to_string().as_str()),
            (Ipv4Addr::new(10, 1, 2, 1), "10.1.2.0/24")
        );
        for bad in ["", "10.1.2.0", "10.1.2.3/24", "10.1.2.0/31", "10.0.0.0/0", "x/24"] {
            assert_eq!(bad.parse::<Subnet>(), Err(BadSubnet(bad.to_owned())));
        }
    }

    #[test]
    fn addresses_are_kept_unique_and_reused_late() {
        let mut all = Allocator::new("10.1.2.0/28".parse().unwrap());
        all.keep(replica(100), Ipv4Addr::new(10, 1, 2, 3));
        let given: Vec<_> = (0..12).map(|n| all.take(replica(n)).unwrap()).collect();
        assert!(!given.contains(&Ipv4Addr::new(10, 1, 2, 3)) && given.iter().all(|it| it.octets()[3] >= 2));
        assert_eq!(all.take(replica(5)), Some(given[5]));
        assert_eq!(all.take(replica(50)), None);
        all.release(replica(5));
        assert_eq!(all.take(replica(50)), Some(given[5]));

        let mut fresh = Allocator::new(Subnet::default());
        let first = fresh.take(replica(1));
        fresh.release(replica(1));
        assert_ne!(fresh.take(replica(2)), first);
    }
}
