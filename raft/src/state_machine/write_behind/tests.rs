use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use model::{AccountId, Event, EventId, Kind, Resource, Revision, Timestamp, Verb};

use super::*;

/// Remembers what it was given to write.
#[derive(Default)]
struct FakeDisk {
    written: Mutex<Vec<(Vec<Change>, Revision)>>,
    is_full: AtomicBool,
}

impl FakeDisk {
    fn written(&self) -> Vec<(Vec<Change>, Revision)> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StateDisk for FakeDisk {
    fn load(&self) -> Result<(State, Option<Meta>), StorageError> {
        Ok((State::default(), None))
    }

    fn write(&self, keys: &[Key], state: &State, meta: &Meta) -> Result<(), StorageError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StorageError::Damaged {
                path: PathBuf::from("state"),
                reason: "the disk is full".to_owned(),
            });
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let put = |key| state.resource(key).map(Change::Put);
        let changes = keys.iter().map(|key| put(*key).unwrap_or(Change::Delete(*key)));
        written.push((changes.collect(), meta.revision));
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn replace(&self, _: &State, _: &Meta) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A state machine's part in it.
struct Machine {
    state: State,
    behind: WriteBehind,
    disk: Arc<FakeDisk>,
    /// Ends when all is written.
    closed: mpsc::Receiver<std::convert::Infallible>,
}

impl Machine {
    fn new() -> Self {
        let disk = Arc::new(FakeDisk::default());
        let (hold, closed) = mpsc::channel(1);
        Self {
            state: State::default(),
            behind: WriteBehind::new(disk.clone(), hold),
            disk,
            closed,
        }
    }

    fn apply(&mut self, change: Change) {
        let revision = Revision(self.state.revision().0 + 1);
        self.behind.note(std::slice::from_ref(&change));
        self.state.apply(revision, Timestamp(0), [change]);
    }

    async fn keep_up(&mut self) -> io::Result<()> {
        let state = &self.state;
        self.behind.keep_up(state, || meta(state)).await
    }

    async fn write(&mut self) -> io::Result<()> {
        let meta = meta(&self.state);
        self.behind.write(&self.state, meta).wait().await
    }
}

fn meta(state: &State) -> Meta {
    Meta {
        revision: state.revision(),
        now: state.now(),
        consensus: Vec::new(),
    }
}

fn event(id: u64, note: &str) -> Change {
    Change::from(Event {
        id: EventId(id),
        at: Timestamp(0),
        subject: Kind::Node,
        verb: Verb::Updated,
        object: String::new(),
        name: String::new(),
        account: None::<AccountId>,
        actor: None,
        note: note.to_owned(),
    })
}

#[tokio::test]
async fn what_is_written_together_is_written_once_as_it_is_at_last_and_in_order() {
    let mut machine = Machine::new();
    machine.apply(event(2, "first"));
    machine.apply(event(1, "first"));
    machine.apply(event(2, "second"));
    machine.apply(event(3, "gone soon"));
    machine.apply(Change::Delete(Key::Event(EventId(3))));
    machine.write().await.expect("there is room");
    let gone = Change::Delete(Key::Event(EventId(3)));
    let changes = vec![event(1, "first"), event(2, "second"), gone];
    assert_eq!(machine.disk.written(), [(changes, Revision(5))]);
    assert!(!machine.behind.is_behind());
}

#[tokio::test(start_paused = true)]
async fn it_writes_at_once_and_then_no_sooner_than_the_pause() {
    let mut machine = Machine::new();
    machine.apply(event(1, ""));
    machine.keep_up().await.expect("nothing has failed");
    machine.apply(event(2, ""));
    machine.keep_up().await.expect("nothing has failed");
    tokio::time::advance(PAUSE / 2).await;
    machine.keep_up().await.expect("nothing has failed");
    assert_eq!(machine.disk.written().len(), 1);
    tokio::time::advance(PAUSE / 2).await;
    machine.keep_up().await.expect("nothing has failed");
    tokio::task::yield_now().await;
    let revisions: Vec<_> = machine.disk.written().into_iter().map(|(_, it)| it).collect();
    assert_eq!(revisions, [Revision(1), Revision(2)]);
}

#[tokio::test(start_paused = true)]
async fn many_changes_do_not_wait_for_the_pause() {
    let mut machine = Machine::new();
    machine.write().await.expect("there is room");
    for id in 1..=CHANGES as u64 {
        machine.keep_up().await.expect("nothing has failed");
        assert_eq!(machine.disk.written().len(), 1);
        machine.apply(event(id, ""));
    }
    machine.keep_up().await.expect("nothing has failed");
    machine
        .behind
        .under_way
        .take()
        .expect("it writes")
        .wait()
        .await
        .expect("there is room");
    assert_eq!(machine.disk.written().len(), 2);
}

#[tokio::test]
async fn after_an_attempt_that_failed_nothing_is_written_any_more_and_everybody_is_told() {
    let mut machine = Machine::new();
    machine.disk.is_full.store(true, Ordering::SeqCst);
    machine.apply(event(1, ""));
    machine.keep_up().await.expect("it is not known yet");
    tokio::task::yield_now().await;
    machine.disk.is_full.store(false, Ordering::SeqCst);
    machine.apply(event(2, ""));
    let told = machine.keep_up().await.expect_err("the first attempt failed");
    let shown = crate::error::chain(&told);
    assert!(shown.contains("the disk is full"), "{shown}");
    machine.write().await.expect_err("what was changed before is missing");
    assert_eq!(machine.disk.written(), []);
}

#[tokio::test]
async fn who_closes_the_stores_waits_for_what_was_handed_in() {
    let mut machine = Machine::new();
    machine.apply(event(1, ""));
    let meta = meta(&machine.state);
    drop(machine.behind.write(&machine.state, meta));
    let Machine {
        behind,
        disk,
        mut closed,
        ..
    } = machine;
    drop(behind);
    assert!(closed.recv().await.is_none());
    assert_eq!(disk.written().len(), 1);
    assert!(matches!(disk.written()[0].0[..], [Change::Put(Resource::Event(_))]));
}
