//! What the logger writes of what comes at its two streams.

use std::path::Path;
use std::process::{Command, Output};

/// Runs it as the shim does, with a shell's output at descriptors 3 and 4.
fn log(folder: &Path, segment: u64, keep: usize, start: u32, says: &str) -> Output {
    let script = format!(
        "mkfifo {0}/out {0}/err; \
         \"$0\" folder {0} start {start} segment {segment} keep {keep} 3<{0}/out 4<{0}/err 5>{0}/ready & logger=$!; \
         ( {says} ) >{0}/out 2>{0}/err; wait $logger",
        folder.display()
    );
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_goblins-logger")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn lines(folder: &Path, name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(text.ends_with('\n'), "{text:?}");
    let parts = text.lines().map(|line| {
        let (time, rest) = line.split_at(30);
        assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
        let (stream, rest) = rest[1..].split_once(' ').unwrap();
        (stream.to_owned(), rest.to_owned())
    });
    parts.collect()
}

fn logs(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = names.map(|it| it.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    names
}

#[test]
fn every_line_has_its_time_and_its_stream_also_the_one_that_is_not_ended() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path(), 1000, 3, 2, "echo a; echo; echo b >&2; printf end");
    let found = lines(folder.path(), "2.1.log");
    let of = |stream: &str| {
        let all = found.iter().filter(|it| it.0 == stream);
        all.map(|it| it.1.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("stdout"), ["F a", "F ", "F end"]);
    assert_eq!(of("stderr"), ["F b"]);
    assert_eq!(std::fs::read(folder.path().join("ready")).unwrap(), b"\n");
}

#[test]
fn a_line_without_end_is_written_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    log(
        folder.path(),
        1 << 20,
        3,
        0,
        "head -c 40000 /dev/zero | tr '\\0' x; echo y",
    );
    let found = lines(folder.path(), "0.1.log");
    let pieces: Vec<_> = found.iter().map(|(_, text)| (&text[..1], text.len() - 2)).collect();
    assert_eq!(pieces, [("P", 16_384), ("P", 16_384), ("F", 40_001 - 2 * 16_384)]);
}

#[test]
fn files_have_a_size_and_a_number_and_only_the_newest_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.log"), "from a daemon of before\n").unwrap();
    std::fs::write(folder.path().join("3.1.log"), "").unwrap();
    // Slow enough that it does not come in one piece.
    let says = "for n in 1 2 3 4 5 6 7 8 9; do printf '%01000d\\n' $n; sleep 0.02; done";
    log(folder.path(), 2000, 3, 4, says);
    let names = logs(folder.path());
    assert_eq!(names.len(), 3, "{names:?}");
    let all: Vec<_> = names.iter().flat_map(|name| lines(folder.path(), name)).collect();
    assert!(names.iter().all(|name| name.starts_with("4.")), "{names:?}");
    assert!(all.last().unwrap().1.ends_with("0009"), "{all:?}");
    for name in &names {
        assert!(folder.path().join(name).metadata().unwrap().len() < 3200, "{name}");
    }
}

#[test]
fn a_full_disk_stops_no_container_and_what_is_lost_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing can be written while there is a folder in the place of the file.
    std::fs::create_dir(folder.path().join("0.1.log")).unwrap();
    let says = format!(
        "echo 1; echo 2; sleep 0.1; rmdir {}/0.1.log; echo 3",
        folder.path().display()
    );
    log(folder.path(), 2000, 3, 0, &says);
    let found = lines(folder.path(), "0.1.log");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].0.as_str(), found[1].1.as_str()), ("notice", "F 3"));
    assert!(found[0].1.contains("2 lines could not be written"), "{found:?}");
}

#[test]
fn a_signal_does_not_end_it_before_its_streams() {
    let folder = tempfile::tempdir().unwrap();
    let says = "echo a; sleep 0.1; kill -TERM $logger; sleep 0.1; echo b";
    log(folder.path(), 2000, 3, 0, says);
    let found = lines(folder.path(), "0.1.log");
    assert_eq!(found.last().unwrap().1, "F b", "{found:?}");
}

#[test]
fn without_its_settings_it_says_what_they_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_goblins-logger")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage"));
}
