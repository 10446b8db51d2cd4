//! Who hears whom: packets between nodes are dropped on the host they arrive at. Clients are never cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::HarnessError;
use super::disk::on_host;
use crate::fault::Host;
use crate::lab::Lab;

const TABLE: &str = "inet goblins_chaos";

/// What does not come through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wires {
    /// (from, to): nothing arrives.
    pub silent: BTreeSet<(Host, Host)>,
    /// Of 100 packets from any other node, so many are lost.
    pub loss: BTreeMap<Host, u8>,
}

impl Wires {
    /// Makes it so on one host; a host that is off is left alone.
    pub fn put_up(&self, lab: &Lab, host: Host, hosts: &[Host]) -> Result<(), HarnessError> {
        if !lab.running().contains(&host) {
            return Ok(());
        }
        on_host(lab, host, &["nft", &self.rules(lab, host, hosts)])
    }

    fn rules(&self, lab: &Lab, host: Host, hosts: &[Host]) -> String {
        // Declared first, so that deleting it is never an error.
        let mut rules = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\nchain arriving {{\n");
        rules += "type filter hook input priority 0;\n";
        for from in hosts.iter().filter(|from| **from != host) {
            let address = lab.address(*from);
            if self.silent.contains(&(*from, host)) {
                let _ = writeln!(rules, "ip saddr {address} drop");
            } else if let Some(percent) = self.loss.get(&host) {
                let _ = writeln!(rules, "ip saddr {address} numgen random mod 100 < {percent} drop");
            }
        }
        rules + "}\n}\n"
    }
}

/// Sends all that leaves the host through a slow line, or no longer.
pub(super) fn throttle(lab: &Lab, host: Host, kilobits: Option<u32>) -> Result<(), HarnessError> {
    if !lab.running().contains(&host) {
        return Ok(());
    }
    let on = |words: &str| on_host(lab, host, &words.split(' ').collect::<Vec<_>>());
    match kilobits {
        Some(rate) => on(&format!(
            "tc qdisc replace dev eth0 root tbf rate {rate}kbit burst 8kb latency 2s"
        )),
        // A host that was booted since has none.
        None => on_host(
            lab,
            host,
            &["sh", "-c", "tc qdisc del dev eth0 root 2>/dev/null || true"],
        ),
    }
}
