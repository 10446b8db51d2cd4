//! Where containers write what they print, and how its end is read.

use std::path::{Path, PathBuf};

use model::ReplicaId;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const TAIL_BYTES: u64 = 8 * 1024;
const KEPT_STARTS: u32 = 3;

/// The log of one start of a replica: `<logs>/<replica>/<restarts>.log`, standard output and error in one.
#[must_use]
pub fn log_path(logs: &Path, replica: ReplicaId, restarts: u32) -> PathBuf {
    logs.join(replica.to_string()).join(format!("{restarts}.log"))
}

/// Makes the empty log for the next start of a replica and drops its oldest logs.
pub(crate) async fn prepare(logs: &Path, replica: ReplicaId, restarts: u32) -> std::io::Result<PathBuf> {
    let path = log_path(logs, replica, restarts);
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    if let Some(old) = restarts.checked_sub(KEPT_STARTS) {
        match tokio::fs::remove_file(log_path(logs, replica, old)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).append(true).open(&path).await?;
    Ok(path)
}

/// What to call standard output and standard error where both go to this log.
///
/// They differ, though they are one file: told of one name, the shim closes the file at the end of standard output,
/// and what is still on its way from standard error is lost.
pub(crate) fn consoles(log: &Path) -> (String, String) {
    let folder = log.parent().unwrap_or(Path::new("/"));
    let name = Path::new(log.file_name().unwrap_or_default());
    (
        log.display().to_string(),
        format!("{}/./{}", folder.display(), name.display()),
    )
}

/// The last `count` lines of a log; empty where it cannot be read.
pub(crate) async fn last_lines(path: &Path, count: usize) -> Vec<String> {
    tail(path)
        .await
        .map(|text| lines_at_end(&text, count))
        .unwrap_or_default()
}

async fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = tokio::fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    file.seek(std::io::SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .await?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn lines_at_end(text: &str, count: usize) -> Vec<String> {
    let printable = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    let lines: Vec<_> = text
        .lines()
        .map(printable)
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_leaves_out_blank_lines_and_control_characters() {
        assert_eq!(lines_at_end("a\n\nb\u{1b}[0m\r\nc\n", 2), ["b[0m", "c"]);
        assert_eq!(lines_at_end("", 2), Vec::<String>::new());
    }
}
