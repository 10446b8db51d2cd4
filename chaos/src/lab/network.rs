//! One lab's network: a bridge in a network namespace of its own, a cable to each host, and one to this machine.

use std::net::Ipv4Addr;
use std::process::Command;

use super::LabError;
use crate::command::run;
use crate::pid::ProcessId;

/// Where the lab's registry and other servers of its own sit.
const GATEWAY: u8 = 254;
/// This machine's own address in the lab.
const MACHINE: u8 = 253;
/// The hosts have the numbers from 1 up to this.
pub(super) const MAX_HOSTS: u8 = 250;

/// The names and addresses that follow from a lab's number.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    number: u8,
}

impl Network {
    /// The network of that lab, which may not exist yet.
    pub fn of(number: u8) -> Self {
        Self { number }
    }

    /// The lab's number.
    pub fn number(self) -> u8 {
        self.number
    }

    /// A host's address.
    pub fn host(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 231, self.number, host)
    }

    /// The address for servers that belong to no host, such as the registry.
    pub fn gateway(self) -> Ipv4Addr {
        self.host(GATEWAY)
    }

    /// This machine's own address there.
    pub fn machine(self) -> Ipv4Addr {
        self.host(MACHINE)
    }

    /// The lab's network namespace, which is also what the link from this machine is called.
    pub fn name(self) -> String {
        format!("goblab{}", self.number)
    }

    /// The file that stands for the network namespace.
    pub fn namespace_file(self) -> String {
        format!("/run/netns/{}", self.name())
    }

    /// Whether this machine has an address or a route in the subnet already.
    pub fn in_use(self) -> bool {
        let subnet = format!("10.231.{}.", self.number);
        let show = |what: &str| run(Command::new("ip").args(["-4", "-o", what, "show"])).unwrap_or_default();
        show("addr").contains(&subnet) || show("route").contains(&subnet)
    }

    /// The same card for a host after each start: its neighbours remember the old address for a minute.
    fn card(self, host: u8) -> String {
        format!("02:67:6f:62:{:02x}:{host:02x}", self.number)
    }

    /// Makes the bridge and this machine's own cable.
    pub fn create(self) -> Result<(), LabError> {
        let name = self.name();
        ip(&["netns", "add", &name])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])?;
        // Without a card of its own it has that of one of its ports, and takes another when that host is unplugged.
        let card = self.card(GATEWAY);
        ip(&["-n", &name, "link", "add", "br0", "address", &card, "type", "bridge"])?;
        ip(&[
            "-n",
            &name,
            "addr",
            "add",
            &format!("{}/24", self.gateway()),
            "dev",
            "br0",
        ])?;
        ip(&["-n", &name, "link", "set", "br0", "up"])?;
        ip(&[
            "link", "add", &name, "type", "veth", "peer", "name", "machine", "netns", &name,
        ])?;
        ip(&["-n", &name, "link", "set", "machine", "master", "br0", "up"])?;
        ip(&["addr", "add", &format!("{}/24", self.host(MACHINE)), "dev", &name])?;
        ip(&["link", "set", &name, "up"])?;
        Ok(())
    }

    /// Plugs a host's `eth0` in; `init` is any process in the host's network namespace.
    pub fn attach(self, host: u8, init: ProcessId) -> Result<(), LabError> {
        let (name, cable) = (self.name(), cable(host));
        let pid = init.number().to_string();
        let card = self.card(host);
        let words = format!("-n {name} link add {cable} type veth peer name eth0 address {card} netns {pid}");
        ip(&words.split(' ').collect::<Vec<_>>())?;
        ip(&["-n", &name, "link", "set", &cable, "master", "br0", "up"])?;
        let inside = |words: &[&str]| {
            let mut command = Command::new("nsenter");
            command.args(["--target", &pid, "-n", "ip"]).args(words);
            run(&mut command)
        };
        inside(&["link", "set", "lo", "up"])?;
        inside(&["addr", "add", &format!("{}/24", self.host(host)), "dev", "eth0"])?;
        inside(&["link", "set", "eth0", "up"])?;
        inside(&["route", "add", "default", "via", &self.gateway().to_string()])?;
        Ok(())
    }

    /// Takes a host's cable away for good. No cable is no error.
    pub fn detach(self, host: u8) {
        let _ = ip(&["-n", &self.name(), "link", "del", &cable(host)]);
    }

    /// Takes a host's port on the bridge up or down. The host itself keeps its link, as behind a broken switch.
    pub fn set_link(self, host: u8, up: bool) -> Result<(), LabError> {
        let state = if up { "forwarding" } else { "disabled" };
        let mut bridge = Command::new("bridge");
        bridge.args(["-n", &self.name(), "link", "set", "dev", &cable(host), "state", state]);
        run(&mut bridge)?;
        Ok(())
    }

    /// Removes all of it. The links go first: another lab's host may still hold the namespace itself.
    pub fn remove(self) {
        let name = self.name();
        let _ = ip(&["link", "del", &name]);
        let _ = ip(&["-n", &name, "link", "del", "br0"]);
        let _ = ip(&["netns", "del", &name]);
    }
}

fn cable(host: u8) -> String {
    format!("h{host}")
}

fn ip(words: &[&str]) -> Result<String, LabError> {
    Ok(run(Command::new("ip").args(words))?)
}
