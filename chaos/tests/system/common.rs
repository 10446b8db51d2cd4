//! What the system tests share.

use std::thread;
use std::time::{Duration, Instant};

use chaos::Lab;

/// How long anything may take that is only waited for, never measured.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether this run may make hosts. Without root the test is skipped, which counts as a failure where `CI` is set.
pub fn can_make_hosts() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the system tests need root, and CI must not skip them"
    );
    eprintln!("skipped: needs root");
    false
}

/// The TLS provider that the HTTP client asks for even where it speaks plain HTTP.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The data folder of the daemon on a host.
pub fn data(lab: &Lab, host: u8) -> String {
    lab.disk(host).join("data").display().to_string()
}

/// Takes the room on the disk under a host's data folder, but for so many MiB.
pub fn fill(lab: &Lab, host: u8, left_mib: u64) {
    let script = "free=$(df --output=avail -B1 \"$0\" | tail -n 1); \
                  fallocate -l $((free - $1 * 1024 * 1024)) \"$0/filler\"";
    let words = ["sh", "-c", script, &data(lab, host), &left_mib.to_string()];
    let filled = lab.exec(host, &words, PATIENCE).unwrap();
    assert!(filled.status.success(), "{filled:?}");
}

/// Asks until it is true.
pub fn eventually(what: &str, mut asked: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !asked() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asks until there is an answer.
pub async fn eventually_some<T>(what: &str, mut asked: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = asked().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
