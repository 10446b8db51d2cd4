//! Network interfaces, over netlink.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use futures::TryStreamExt;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
};
use rtnetlink::{Error, Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use tokio::task::AbortHandle;

use super::{NetworkError, Subnet};

/// What a container's own interface is called inside.
const INSIDE: &str = "eth0";

/// A netlink connection to the network namespace of the thread that opened it.
pub(super) struct Links {
    handle: Handle,
    connection: AbortHandle,
}

impl Drop for Links {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Links {
    pub(super) fn open() -> Result<Self, NetworkError> {
        let path = PathBuf::from("netlink");
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|source| NetworkError::System {
            doing: "open",
            path,
            source,
        })?;
        Ok(Self {
            handle,
            connection: tokio::spawn(connection).abort_handle(),
        })
    }

    /// Makes the bridge, gives it the gateway's address and sets it up.
    pub(super) async fn ensure_bridge(&self, name: &str, subnet: Subnet) -> Result<(), NetworkError> {
        let index = match self.find(name).await? {
            Some(index) => index,
            None => {
                let made = self.handle.link().add(LinkBridge::new(name).build()).execute().await;
                or_exists(made).map_err(failed("make", name))?;
                self.index(name).await?
            }
        };
        let gateway = IpAddr::V4(subnet.gateway());
        let added = self
            .handle
            .address()
            .add(index, gateway, subnet.length())
            .execute()
            .await;
        or_exists(added).map_err(failed("give an address to", name))?;
        self.up(index, name).await
    }

    /// Makes a pair of interfaces: `name` on the bridge, the other end inside the namespace, for a container of that
    /// address.
    pub(super) async fn connect(
        &self,
        name: &str,
        bridge: &str,
        netns: &File,
        address: Ipv4Addr,
    ) -> Result<(), NetworkError> {
        let bridge = self.index(bridge).await?;
        let inside = LinkUnspec::new_with_name(INSIDE)
            .address(hardware_address(address).to_vec())
            .setns_by_fd(netns.as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .name(name)
            .controller(bridge)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inside)))
            .build();
        self.handle
            .link()
            .add(pair)
            .execute()
            .await
            .map_err(failed("make", name))?;
        let index = self.index(name).await?;
        self.without_own_addresses(index, name).await?;
        self.up(index, name).await
    }

    /// Inside a container's namespace: its address, its way out, its loopback.
    pub(super) async fn configure(&self, address: Ipv4Addr, subnet: Subnet) -> Result<(), NetworkError> {
        let loopback = self.index("lo").await?;
        self.up(loopback, "lo").await?;
        let index = self.index(INSIDE).await?;
        self.without_own_addresses(index, INSIDE).await?;
        let added = self
            .handle
            .address()
            .add(index, IpAddr::V4(address), subnet.length())
            .execute()
            .await;
        added.map_err(failed("give an address to", INSIDE))?;
        self.up(index, INSIDE).await?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(subnet.gateway()).build();
        self.handle
            .route()
            .add(route)
            .execute()
            .await
            .map_err(failed("add a default route to", INSIDE))
    }

    /// Removes an interface, and with it the other end of its pair.
    pub(super) async fn remove(&self, name: &str) -> Result<(), NetworkError> {
        let Some(index) = self.find(name).await? else {
            return Ok(());
        };
        match self.handle.link().del(index).execute().await {
            Err(error) if !is(&error, nix::libc::ENODEV) => Err(failed("remove", name)(error)),
            _ => Ok(()),
        }
    }

    /// Keeps the kernel from giving an interface an IPv6 address of its own, which nobody here uses: each would ask all other
    /// containers of the host whether it is theirs (RFC 4862, 5.4).
    async fn without_own_addresses(&self, index: u32, name: &str) -> Result<(), NetworkError> {
        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let inside = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]);
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(inside).build();
        let done = self.handle.link().set(message).execute().await;
        match done {
            // A kernel without IPv6.
            Err(error) if is(&error, nix::libc::EAFNOSUPPORT) => Ok(()),
            other => other.map_err(failed("change", name)),
        }
    }

    async fn up(&self, index: u32, name: &str) -> Result<(), NetworkError> {
        let message = LinkUnspec::new_with_index(index).up().build();
        self.handle
            .link()
            .set(message)
            .execute()
            .await
            .map_err(failed("set up", name))
    }

    async fn index(&self, name: &str) -> Result<u32, NetworkError> {
        self.find(name)
            .await?
            .ok_or_else(|| NetworkError::Missing(name.to_owned()))
    }

    async fn find(&self, name: &str) -> Result<Option<u32>, NetworkError> {
        let found = self.handle.link().get().match_name(name).execute().try_next().await;
        match found {
            Ok(link) => Ok(link.map(|link| link.header.index)),
            Err(error) if is(&error, nix::libc::ENODEV) => Ok(None),
            Err(error) => Err(failed("look up", name)(error)),
        }
    }
}

/// Whoever has had an address before has had the same one on the wire: a host that still remembers where it was (ARP, RFC
/// 826) reaches who has it now. Otherwise it would ask the one that is gone for up to half a minute. Locally administered.
fn hardware_address(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x67, a, b, c, d]
}

fn failed(doing: &'static str, what: &str) -> impl FnOnce(Error) -> NetworkError {
    let what = what.to_owned();
    move |source| NetworkError::Link { doing, what, source }
}

fn or_exists(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(error) if is(&error, nix::libc::EEXIST) => Ok(()),
        other => other,
    }
}

fn is(error: &Error, errno: i32) -> bool {
    matches!(error, Error::NetlinkError(message) if message.raw_code() == -errno)
}
