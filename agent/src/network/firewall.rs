//! The few rules that let containers reach the outside: forwarding on, and the host's address on what leaves it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{NetworkError, Subnet};

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn prepare(bridge: &str, subnet: Subnet) -> Result<(), NetworkError> {
    let on = tokio::fs::read_to_string(FORWARD)
        .await
        .is_ok_and(|text| text.trim() == "1");
    if !on {
        let system = |source| NetworkError::System {
            doing: "turn on forwarding in",
            path: FORWARD.into(),
            source,
        };
        tokio::fs::write(FORWARD, "1").await.map_err(system)?;
    }
    apply(&rules(bridge, subnet)).await
}

/// Replaces our own table in one step and touches no other.
fn rules(bridge: &str, subnet: Subnet) -> String {
    format!(
        "table ip goblins-{bridge}\n\
         delete table ip goblins-{bridge}\n\
         table ip goblins-{bridge} {{\n\
         \tchain postrouting {{\n\
         \t\ttype nat hook postrouting priority srcnat; policy accept;\n\
         \t\tip saddr {subnet} oifname != \"{bridge}\" masquerade\n\
         \t}}\n\
         }}\n"
    )
}

async fn apply(rules: &str) -> Result<(), NetworkError> {
    let run = async {
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(rules.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(LIMIT, run).await {
        Ok(output) => output.map_err(NetworkError::NoNft)?,
        Err(_) => return Err(NetworkError::Nft(format!("no answer within {} s", LIMIT.as_secs()))),
    };
    if output.status.success() {
        Ok(())
    } else {
        Err(NetworkError::Nft(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_the_bridge_gets_the_hosts_address() {
        let text = rules("gob7", "10.1.2.0/24".parse().unwrap());
        assert!(text.contains("ip saddr 10.1.2.0/24 oifname != \"gob7\" masquerade"));
        assert_eq!(text.matches("goblins-gob7").count(), 3);
    }
}
