use std::collections::BTreeMap;
use std::io::Write;

use uuid::Uuid;

use super::*;

const SERVICE: ServiceId = ServiceId(Uuid::from_u128(7));

/// A host's logs in a folder of their own, written to as the logger does.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn logs(&self) -> Logs {
        let limits = LogLimits { segment: 1000, keep: 5 };
        Logs::new(self.folder.path().to_owned(), limits)
    }

    fn place(&self, replica: u128) -> PathBuf {
        self.folder.path().join(id(replica).to_string())
    }

    async fn replica(&self, replica: u128, service: ServiceId) {
        std::fs::create_dir_all(self.place(replica)).unwrap();
        let owner = Owner { service, version: 3 };
        about::write(&self.place(replica), owner).await.unwrap();
    }

    fn write(&self, replica: u128, file: &str, text: &str) {
        let path = self.place(replica).join(file);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Lines with the second that they were printed in.
    fn print(&self, replica: u128, file: &str, lines: &[(u32, &str)]) {
        for (second, text) in lines {
            self.write(
                replica,
                file,
                &format!("2026-01-01T00:00:{second:02}Z stdout F {text}\n"),
            );
        }
    }
}

fn id(replica: u128) -> ReplicaId {
    ReplicaId(Uuid::from_u128(replica))
}

fn query() -> LogQuery {
    LogQuery {
        service: Some(SERVICE),
        ..LogQuery::default()
    }
}

fn second(at: u32) -> u64 {
    (1_767_225_600 + u64::from(at)) * 1_000_000_000
}

fn told(piece: &LogPiece) -> String {
    match piece {
        LogPiece::Line(line) => String::from_utf8_lossy(&line.text).into_owned(),
        LogPiece::Lost { bytes, .. } => format!("lost {bytes}"),
        LogPiece::Cut => "cut".to_owned(),
        LogPiece::CaughtUp => "|".to_owned(),
    }
}

async fn all(world: &World, query: LogQuery) -> Vec<String> {
    let mut stream = world.logs().read(query).unwrap();
    let mut found = Vec::new();
    while let Some(pieces) = stream.recv().await {
        found.extend(pieces.iter().map(told));
    }
    found
}

/// Reads a stream until so many pieces have come.
async fn some(stream: &mut mpsc::Receiver<Vec<LogPiece>>, count: usize) -> Vec<LogPiece> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(stream.recv().await.expect("it goes on"));
    }
    assert_eq!(found.len(), count, "{found:?}");
    found
}

fn texts(pieces: &[LogPiece]) -> Vec<String> {
    pieces.iter().map(told).collect()
}

#[tokio::test]
async fn lines_of_all_replicas_and_files_come_by_time() {
    let world = World::new();
    for (replica, service) in [(1, SERVICE), (2, SERVICE), (3, ServiceId(Uuid::nil()))] {
        world.replica(replica, service).await;
    }
    world.print(1, "0.1.log", &[(1, "a1"), (4, "a4")]);
    world.print(1, "0.2.log", &[(6, "a6")]);
    world.print(1, "1.1.log", &[(8, "a8")]);
    world.print(2, "0.1.log", &[(2, "b2"), (7, "b7")]);
    world.print(3, "0.1.log", &[(3, "not ours")]);
    assert_eq!(all(&world, query()).await, ["a1", "b2", "a4", "a6", "b7", "a8", "|"]);
    let since = LogQuery {
        since: second(4),
        ..query()
    };
    assert_eq!(all(&world, since).await, ["a4", "a6", "b7", "a8", "|"]);
    let tail = LogQuery {
        tail: Some(2),
        ..query()
    };
    assert_eq!(all(&world, tail).await, ["b7", "a8", "|"]);
    let one = LogQuery {
        replica: Some("2".to_owned()),
        ..query()
    };
    assert_eq!(all(&world, one).await, ["b2", "b7", "|"]);
}

#[tokio::test]
async fn pieces_are_put_together_and_a_broken_line_is_waited_for() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    world.write(1, "0.1.log", "2026-01-01T00:00:01Z stdout P he\n");
    world.write(1, "0.1.log", "2026-01-01T00:00:01Z stderr F other\n");
    world.write(1, "0.1.log", "2026-01-01T00:00:01Z stdout F llo\n2026-01-01T00:00:0");
    assert_eq!(all(&world, query()).await, ["other", "hello", "|"]);
    world.write(1, "0.1.log", "2Z stdout F \n");
    assert_eq!(all(&world, query()).await, ["other", "hello", "", "|"]);
}

#[tokio::test]
async fn logs_of_a_daemon_that_wrote_no_times_are_read_as_they_are() {
    let world = World::new();
    std::fs::create_dir_all(world.place(1)).unwrap();
    world.write(1, "0.log", "first\nlast");
    world.write(1, "1.log", "again\n");
    assert_eq!(all(&world, query()).await, ["|"], "nobody knows whose they are");
    let known = LogQuery {
        known: BTreeMap::from([(id(1), 2)]),
        ..query()
    };
    assert_eq!(all(&world, known).await, ["first", "last", "again", "|"]);
    assert_eq!(world.logs().last_lines(id(1), 0, 5).await, ["first", "last"]);
}

#[tokio::test]
async fn whoever_follows_gets_what_is_printed_later_also_by_replicas_that_are_new() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    world.print(1, "0.1.log", &[(1, "before")]);
    let follow = LogQuery {
        follow: true,
        tail: Some(0),
        ..query()
    };
    let mut stream = world.logs().read(follow).unwrap();
    assert_eq!(texts(&some(&mut stream, 1).await), ["|"]);
    world.print(1, "0.1.log", &[(2, "a")]);
    assert_eq!(texts(&some(&mut stream, 1).await), ["a"]);
    world.print(1, "0.2.log", &[(3, "b")]);
    assert_eq!(texts(&some(&mut stream, 1).await), ["b"]);
    world.replica(2, SERVICE).await;
    world.print(2, "0.1.log", &[(4, "of another")]);
    let found = some(&mut stream, 1).await;
    assert_eq!(texts(&found), ["of another"]);
    assert!(matches!(&found[0], LogPiece::Line(it) if it.version == 3 && it.replica == id(2)));
}

#[tokio::test]
async fn a_folder_that_says_late_whose_it_is_is_followed_all_the_same() {
    let world = World::new();
    std::fs::create_dir_all(world.place(1)).unwrap();
    world.print(1, "0.1.log", &[(1, "a")]);
    let follow = LogQuery {
        follow: true,
        ..query()
    };
    let mut stream = world.logs().read(follow).unwrap();
    assert_eq!(texts(&some(&mut stream, 1).await), ["|"]);
    world.replica(1, SERVICE).await;
    assert_eq!(texts(&some(&mut stream, 1).await), ["a"]);
}

#[tokio::test]
async fn a_stream_that_broke_off_goes_on_where_it_was() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    world.print(1, "0.1.log", &[(1, "a"), (1, "b"), (1, "c")]);
    world.print(1, "0.2.log", &[(2, "d")]);
    let mut stream = world.logs().read(query()).unwrap();
    let found = some(&mut stream, 5).await;
    for (at, rest) in [(0, vec!["b", "c", "d", "|"]), (2, vec!["d", "|"]), (3, vec!["|"])] {
        let LogPiece::Line(line) = &found[at] else {
            panic!("{found:?}")
        };
        let resume = BTreeMap::from([(id(1), line.next)]);
        assert_eq!(all(&world, LogQuery { resume, ..query() }).await, rest, "after {at}");
    }
    // Meanwhile the file was removed, and another too.
    let resume = BTreeMap::from([(
        id(1),
        Position {
            start: 0,
            segment: 2,
            offset: 40,
        },
    )]);
    std::fs::remove_file(world.place(1).join("0.2.log")).unwrap();
    world.print(1, "0.5.log", &[(9, "z")]);
    assert_eq!(
        all(&world, LogQuery { resume, ..query() }).await,
        ["lost 2000", "z", "|"]
    );
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_how_much_was_removed_meanwhile() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    world.print(1, "0.1.log", &[(1, "a")]);
    let follow = LogQuery {
        follow: true,
        ..query()
    };
    let mut stream = world.logs().read(follow).unwrap();
    assert_eq!(texts(&some(&mut stream, 2).await), ["a", "|"]);
    // As if files 2 to 4 had come and gone.
    world.print(1, "0.5.log", &[(5, "e")]);
    assert_eq!(texts(&some(&mut stream, 2).await), ["lost 3000", "e"]);
}

#[tokio::test]
async fn a_tail_holds_no_more_than_it_may_and_says_so() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    let long = "x".repeat(15_000);
    let lines: Vec<_> = (0..800).map(|_| (1, long.as_str())).collect();
    world.print(1, "0.1.log", &lines);
    let tail = LogQuery {
        tail: Some(700),
        ..query()
    };
    let found = all(&world, tail).await;
    assert_eq!(found[0], "cut");
    assert_eq!(found.len(), (8 << 20) / 15_000 + 2);
}

#[tokio::test]
async fn a_log_is_made_ready_for_its_start_and_the_oldest_go() {
    let world = World::new();
    for name in ["0.log", "1.1.log", "1.2.log", "2.1.log", "3.1.log"] {
        std::fs::create_dir_all(world.place(1)).unwrap();
        world.write(1, name, "x\n");
    }
    let owner = Owner {
        service: SERVICE,
        version: 9,
    };
    let odd = Path::new("/a folder/logger");
    let uri = world.logs().prepare(odd, id(1), owner, 4).await.unwrap();
    let folder = world.place(1);
    let expected = format!("folder={}&start=4&segment=1000&keep=5", folder.display());
    assert_eq!(uri, format!("binary:///a%20folder/logger?{expected}"));
    let left: Vec<_> = Segment::list(&folder).into_iter().map(Segment::file_name).collect();
    assert_eq!(left, ["2.1.log", "3.1.log", "4.1.log"]);
    assert_eq!(about::read(&folder), Some(owner));
    assert_eq!(log_path(world.folder.path(), id(1), 4), folder.join("4.1.log"));
}

#[tokio::test]
async fn last_words_leave_out_blank_lines_and_control_characters() {
    let world = World::new();
    world.replica(1, SERVICE).await;
    world.print(1, "0.1.log", &[(1, "a"), (1, ""), (1, "b\u{1b}[0m\r")]);
    world.print(1, "0.2.log", &[(1, "c")]);
    assert_eq!(world.logs().last_lines(id(1), 0, 2).await, ["b[0m", "c"]);
    assert!(world.logs().last_lines(id(1), 1, 2).await.is_empty());
    assert!(world.logs().last_lines(id(9), 0, 2).await.is_empty());
}
