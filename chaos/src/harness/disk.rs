//! A disk of a host's own: ext4 on a loop file, mounted on the host alone, so that it goes with the host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::HarnessError;
use crate::command;
use crate::lab::Lab;

/// Sparse: only what is written takes room on this machine.
const SIZE: &str = "1G";
const DEADLINE: Duration = Duration::from_secs(30);

/// `EXT4_IOC_SHUTDOWN` with "do not flush the journal", by the one interpreter that every Debian has.
const SHUT_DOWN: &str =
    r#"open(my $f, "<", $ARGV[0]) or die "$!"; my $how = pack("I", 2); ioctl($f, 0x8004587d, $how) or die "$!";"#;

/// The file that holds the disk of a host.
fn image(lab: &Lab, host: u8) -> PathBuf {
    lab.state().join(format!("h{host}.img"))
}

/// Where the host sees it.
fn mounted_at(lab: &Lab, host: u8) -> PathBuf {
    lab.disk(host).join("data")
}

/// Makes an empty disk.
pub(super) fn format(lab: &Lab, host: u8) -> Result<(), HarnessError> {
    let image = image(lab, host);
    command::run(Command::new("truncate").args(["-s", SIZE]).arg(&image))?;
    command::run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
    Ok(())
}

/// Mounts the disk on a host that has just booted.
pub(super) fn mount(lab: &Lab, host: u8) -> Result<(), HarnessError> {
    let (image, at) = (image(lab, host), mounted_at(lab, host));
    // The kernel lets go of the old mount some time after the last process of the host is gone.
    let end = Instant::now() + DEADLINE;
    while !command::run(Command::new("losetup").arg("-j").arg(&image))?.is_empty() {
        if Instant::now() > end {
            return Err(HarnessError::DiskHeld(image));
        }
        thread::sleep(Duration::from_millis(5));
    }
    let made = fs::create_dir_all(&at);
    made.map_err(|source| HarnessError::Folder(at.clone(), source))?;
    let script = "mount -o loop \"$0\" \"$1\" && { rmdir \"$1/lost+found\" 2>/dev/null || true; }";
    on_host(lab, host, &["sh", "-c", script, &text(&image), &text(&at)])
}

/// From here on nothing reaches the disk any more.
pub(super) fn cut(lab: &Lab, host: u8) -> Result<(), HarnessError> {
    on_host(lab, host, &["perl", "-e", SHUT_DOWN, &text(&mounted_at(lab, host))])
}

/// Takes all room that is left, to the last block.
pub(super) fn fill(lab: &Lab, host: u8) -> Result<(), HarnessError> {
    let filler = text(&mounted_at(lab, host).join("filler"));
    let script = "fallocate -l 1000G \"$0\" 2>/dev/null; for size in 1M 4k; do \
                  dd if=/dev/zero of=\"$0\" bs=$size oflag=append conv=notrunc 2>/dev/null; done; true";
    on_host(lab, host, &["sh", "-c", script, &filler])
}

/// Gives the room back.
pub(super) fn empty(lab: &Lab, host: u8) -> Result<(), HarnessError> {
    on_host(lab, host, &["rm", "-f", &text(&mounted_at(lab, host).join("filler"))])
}

/// Runs a program on a host and wants exit code 0.
pub(super) fn on_host(lab: &Lab, host: u8, words: &[&str]) -> Result<(), HarnessError> {
    let output = lab.exec(host, words, DEADLINE)?;
    if output.status.success() {
        return Ok(());
    }
    Err(HarnessError::OnHost {
        host,
        command: words.join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
