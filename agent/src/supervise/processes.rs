//! Processes of this host that are nobody's child any more.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::ASK_AGAIN;

/// The processes with these words in their command line, one after the other.
pub(super) fn started_with(words: &[&[u8]]) -> Vec<Pid> {
    let is_like = |pid: &Pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line: Vec<_> = line.split(|byte| *byte == 0).collect();
        line.windows(words.len()).any(|it| it == words)
    };
    let names = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = names.filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    pids.filter(is_like).collect()
}

/// A shim is the parent of all that it looks after: the first processes of containers, and what writes their logs.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let lists = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("children")).ok());
    let numbers = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.filter_map(|it| it.parse().ok().map(Pid::from_raw)).collect()
}

/// Sends a signal to all of them. Whether they were gone in time.
pub(super) async fn end_by(signal: Signal, processes: &[Pid], limit: Duration) -> bool {
    for pid in processes {
        // One that has just ended is no error.
        let _ = kill(*pid, signal);
    }
    let end = Instant::now() + limit;
    while processes.iter().any(|it| lives(*it)) {
        if Instant::now() > end {
            return false;
        }
        sleep(ASK_AGAIN).await;
    }
    true
}

/// One that has ended and that its parent has not been told of does not count.
fn lives(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in front may have blanks and brackets in it.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|it| it != 'Z' && it != 'X')
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const DEATH: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn processes_are_found_by_their_words_and_ended() {
        let word = format!("--of={}", uuid::Uuid::new_v4());
        let mut child = Command::new("sh")
            .args(["-c", "sleep 1000 & wait", "sh", "--config", &word])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let words: [&[u8]; 2] = [b"--config", word.as_bytes()];
        // For a moment after it was started it has no command line yet.
        while started_with(&words) != [pid] {
            tokio::task::yield_now().await;
        }
        assert!(started_with(&[b"--other", word.as_bytes()]).is_empty());
        let sleeps = loop {
            let sleeps = children(pid);
            if !sleeps.is_empty() {
                break sleeps;
            }
            tokio::task::yield_now().await;
        };
        assert!(!end_by(Signal::SIGCONT, &[pid], Duration::ZERO).await, "it lives");
        assert!(end_by(Signal::SIGTERM, &sleeps, DEATH).await);
        assert!(end_by(Signal::SIGKILL, &[pid], DEATH).await);
        child.wait().unwrap();
        assert!(started_with(&words).is_empty() && !lives(pid));
    }
}
