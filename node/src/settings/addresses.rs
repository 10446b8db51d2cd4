//! Addresses: in the right form, of this host, free, and different from each other.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use anyhow::{Context, Result, bail};

use super::Settings;

/// An address of this host to listen on.
pub(super) fn local(flag: &str, given: Option<&str>, default: SocketAddr) -> Result<SocketAddr> {
    let Some(text) = given else { return Ok(default) };
    let addr: SocketAddr = text
        .parse()
        .ok()
        .with_context(|| format!("{flag} {text:?}: give IP:PORT, such as {default}; host names are not taken"))?;
    if addr.port() == 0 {
        bail!("{flag} {text:?}: give a port from 1 to 65535; others have to know it");
    }
    Ok(addr)
}

/// The address of another node.
pub(super) fn peer(flag: &str, text: &str) -> Result<String> {
    let mut found = text
        .to_socket_addrs()
        .with_context(|| format!("{flag} {text:?}: give IP:PORT or HOST:PORT, the peer address of any node"))?;
    found
        .next()
        .with_context(|| format!("{flag} {text:?}: the name has no address"))?;
    Ok(text.to_owned())
}

/// Two of our own listeners cannot share an address, and what others are told must be one host's.
pub(super) fn distinct(settings: &Settings) -> Result<()> {
    let mut all = vec![
        ("the API (--api-addr)", settings.api_addr),
        ("peers (--peer-addr)", settings.peer_addr),
        ("the proxy (--http-addr)", settings.http_addr),
    ];
    all.extend(settings.https_addr.map(|addr| ("the proxy (--https-addr)", addr)));
    for (n, (what, addr)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..n].iter().find(|(_, it)| it == addr) {
            bail!("{addr} is given for both {other} and {what}; give each its own");
        }
        if settings.advertised(*addr).ip().is_unspecified() {
            bail!("{addr} for {what} is no address that others can be told; add --advertise-addr IP");
        }
    }
    Ok(())
}

/// Fails if something listens there already, or if this host does not have the address. The proxy's own listeners
/// share their port among themselves, so that without this check two daemons would share it unnoticed.
pub(crate) fn require_free(flag: &str, addr: SocketAddr) -> Result<()> {
    TcpListener::bind(addr).map(drop).with_context(|| {
        format!("cannot listen on {flag} {addr}; if another program has it, stop that or give another address")
    })
}
