//! Sockets that were opened by whoever started this process, such as systemd, and outlive it: what connects while a daemon
//! makes room for the next one waits in the kernel instead of being refused (sd_listen_fds(3)).

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;

use super::addresses;
use crate::settings::Settings;

/// Those that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<(SocketAddr, TcpListener)>);

impl Sockets {
    /// What this process was handed, if anything.
    pub(super) fn handed_over() -> Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for n in 0..handed.len() {
            let wrong = || format!("socket {n} of LISTEN_FDS is no TCP socket that listens");
            let Some(listener) = handed.take_tcp_listener(n).with_context(wrong)? else {
                continue;
            };
            listener.set_nonblocking(true).with_context(wrong)?;
            sockets.push((listener.local_addr().with_context(wrong)?, listener));
        }
        Ok(Self(sockets))
    }

    /// The one that listens there, or a new one.
    pub(super) fn take(&mut self, flag: &str, addr: SocketAddr) -> Result<TcpListener> {
        if let Some(kept) = self.kept(addr) {
            return Ok(kept);
        }
        let listener = TcpListener::bind(addr);
        let listener =
            listener.with_context(|| format!("cannot listen on {flag} {addr}; is another program using it?"))?;
        listener
            .set_nonblocking(true)
            .with_context(|| format!("cannot use the socket of {flag} {addr}"))?;
        Ok(listener)
    }

    /// The one that listens there; `None` if there is none and the address is free.
    pub(super) fn kept_or_free(&mut self, flag: &str, addr: SocketAddr) -> Result<Option<TcpListener>> {
        let kept = self.kept(addr);
        if kept.is_none() {
            addresses::require_free(flag, addr)?;
        }
        Ok(kept)
    }

    /// Refuses those that are left: connections to them would wait for ever.
    pub(super) fn all_are_taken(&self, settings: &Settings) -> Result<()> {
        let Some((addr, _)) = self.0.first() else { return Ok(()) };
        let https = settings
            .https_addr
            .map_or_else(|| "none".to_owned(), |it| it.to_string());
        bail!(
            "this process was handed a socket that listens on {addr} (LISTEN_FDS), which is neither --http-addr {} nor \
             --https-addr {https} nor --api-addr {}: let the socket unit listen on just the address of one of these flags",
            settings.http_addr,
            settings.api_addr,
        )
    }

    fn kept(&mut self, addr: SocketAddr) -> Option<TcpListener> {
        let at = self.0.iter().position(|(it, _)| *it == addr)?;
        Some(self.0.swap_remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> (SocketAddr, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        (listener.local_addr().expect("it has one"), listener)
    }

    #[test]
    fn a_socket_that_was_handed_over_is_used_for_its_address_only() {
        let (kept, other) = (listening(), listening());
        let (addr, taken) = (kept.0, other.0);
        let mut sockets = Sockets(vec![kept]);
        let refused = sockets
            .kept_or_free("--http-addr", taken)
            .expect_err("somebody listens there");
        assert!(format!("{refused:#}").contains("--http-addr"), "{refused:#}");
        let found = sockets.kept_or_free("--http-addr", addr).expect("it is ours");
        assert_eq!(found.and_then(|it| it.local_addr().ok()), Some(addr));
        assert!(sockets.0.is_empty());
    }

    #[test]
    fn an_address_without_one_is_bound() {
        let (addr, listener) = listening();
        drop(listener);
        let bound = Sockets::default().take("--api-addr", addr).expect("it is free");
        assert_eq!(bound.local_addr().ok(), Some(addr));
    }
}
