use super::*;

fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn open(path: &Path) -> LogStore {
    LogStore::open(path, "node 1", !path.join("CURRENT").exists()).expect("the log opens")
}

/// Appends `prefix` + index for these indexes and waits until they are on disk.
fn append(log: &LogStore, range: Range<u64>, prefix: &str) {
    let (sender, receiver) = channel();
    let entries = range.map(|index| (index, bytes(&format!("{prefix}{index}")))).collect();
    log.append(
        entries,
        Box::new(move |result| sender.send(result.is_ok()).expect("the test waits")),
    );
    assert_eq!(receiver.recv(), Ok(true));
}

fn texts(log: &LogStore, range: Range<u64>) -> Vec<String> {
    let entries = log.read(range).expect("this can be read");
    entries
        .iter()
        .map(|it| String::from_utf8_lossy(it).into_owned())
        .collect()
}

#[test]
fn entries_survive_a_reopen_and_keep_their_order() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    assert_eq!(log.bounds().expect("readable"), LogBounds::default());
    append(&log, 0..5, "a");
    log.save_committed(Some(bytes("c")));
    assert_eq!(texts(&log, 1..3), ["a1", "a2"]);
    drop(log);

    let log = open(temp.path());
    assert_eq!(texts(&log, 0..99), ["a0", "a1", "a2", "a3", "a4"]);
    assert_eq!(log.bounds().expect("readable").last, Some((4, bytes("a4"))));
    assert_eq!(log.committed(), Some(bytes("c")));
    append(&log, 5..7, "b");
    assert_eq!(
        texts(&log, 3..6),
        ["a3", "a4", "b5"],
        "disk and memory join without a gap"
    );
}

#[test]
fn entries_are_readable_before_they_are_on_disk() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    log.append(vec![(0, bytes("x"))], Box::new(|_| {}));
    assert_eq!(texts(&log, 0..1), ["x"]);
}

#[test]
fn callbacks_come_in_order() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    let (sender, receiver) = channel();
    for index in 0..200 {
        let sender = sender.clone();
        let done: Flushed = Box::new(move |_| sender.send(index).expect("the test waits"));
        if index % 7 == 3 {
            log.save_vote(bytes("v"), done)
        } else {
            log.append(vec![], done)
        }
    }
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<u64>>(), (0..200).collect::<Vec<u64>>());
}

#[test]
fn truncated_entries_are_gone_for_good() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    append(&log, 0..10, "a");
    log.truncate_from(4);
    assert_eq!(log.bounds().expect("readable").last, Some((3, bytes("a3"))));
    append(&log, 4..6, "b");
    assert_eq!(texts(&log, 2..99), ["a2", "a3", "b4", "b5"]);
    drop(log);
    assert_eq!(texts(&open(temp.path()), 2..99), ["a2", "a3", "b4", "b5"]);
}

#[test]
fn a_reopened_log_truncates_below_what_is_in_memory() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    append(&open(temp.path()), 0..10, "a");
    let log = open(temp.path());
    append(&log, 10..12, "a");
    log.truncate_from(3);
    append(&log, 3..5, "b");
    assert_eq!(texts(&log, 0..99), ["a0", "a1", "a2", "b3", "b4"]);
}

#[test]
fn purged_entries_are_gone_and_the_mark_stays() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    append(&log, 0..10, "a");
    log.purge(3, bytes("three"));
    log.purge(6, bytes("six"));
    log.purge(5, bytes("never backwards"));
    assert_eq!(texts(&log, 0..99), ["a7", "a8", "a9"]);
    drop(log);
    let log = open(temp.path());
    assert_eq!(texts(&log, 0..99), ["a7", "a8", "a9"]);
    assert_eq!(log.bounds().expect("readable").purged, Some((6, bytes("six"))));
}

#[test]
fn a_purge_beyond_the_end_moves_the_log() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    append(&log, 0..3, "a");
    log.purge(99, bytes("snapshot"));
    assert_eq!(
        log.bounds().expect("readable"),
        LogBounds {
            purged: Some((99, bytes("snapshot"))),
            last: None
        }
    );
    append(&log, 100..102, "b");
    drop(log);
    assert_eq!(texts(&open(temp.path()), 0..999), ["b100", "b101"]);
}

#[test]
fn the_vote_is_on_disk_when_it_says_so() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    let (sender, receiver) = channel();
    log.save_vote(
        bytes("me"),
        Box::new(move |result| sender.send(result.is_ok()).expect("the test waits")),
    );
    assert_eq!(receiver.recv(), Ok(true));
    drop(log);
    assert_eq!(open(temp.path()).vote(), Some(bytes("me")));
}

#[test]
fn a_log_of_another_node_is_refused() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    drop(open(temp.path()));
    let error = LogStore::open(temp.path(), "node 2", false)
        .err()
        .map(|it| it.to_string())
        .unwrap_or_default();
    assert!(error.contains("belongs to node 1, not to node 2"), "{error}");
}

#[test]
fn a_log_that_should_be_there_is_not_made_anew() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    assert!(LogStore::open(&temp.path().join("log"), "node 1", false).is_err());
}

/// The newest write-ahead file of a store.
fn newest_wal(path: &Path) -> PathBuf {
    let files = std::fs::read_dir(path)
        .expect("a folder")
        .map(|it| it.expect("an entry").path());
    let wals = files.filter(|it| it.extension().is_some_and(|it| it == "log"));
    wals.max().expect("there is a write-ahead file")
}

#[test]
fn a_torn_last_write_is_dropped_and_the_rest_kept() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = open(temp.path());
    append(&log, 0..5, "a");
    let wal = newest_wal(temp.path());
    let before = std::fs::metadata(&wal).expect("it is there").len();
    append(&log, 5..6, "torn");
    let after = std::fs::metadata(&wal).expect("it is there").len();
    // A copy as a power cut would leave it: closing the store would tidy up.
    let copy = tempfile::tempdir().expect("a folder for the test");
    for file in std::fs::read_dir(temp.path()).expect("a folder") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("a copy");
    }
    drop(log);
    assert!(before < after);
    let torn = std::fs::OpenOptions::new()
        .write(true)
        .open(newest_wal(copy.path()))
        .expect("it is there");
    torn.set_len(before + (after - before) / 2).expect("it can be cut");
    assert_eq!(texts(&open(copy.path()), 0..99), ["a0", "a1", "a2", "a3", "a4"]);
}
