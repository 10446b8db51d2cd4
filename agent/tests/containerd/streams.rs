//! What containers print, and commands beside them.

use std::path::Path;
use std::time::Duration;

use agent::{
    Exec, ExecError, ExecInput, ExecOutput, ExecRequest, Limits, LogLimits, LogPiece, LogQuery, Logs, TerminalSize,
};
use model::{Intent, Phase};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cluster::{SERVICE, replica};
use crate::image::Variant;
use crate::world::{self, World};

const IMAGE: &str = "127.0.0.1:5000/app:1";
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines as they come.
struct Follower(mpsc::Receiver<Vec<LogPiece>>);

impl Follower {
    fn start(data: &Path) -> Self {
        let query = LogQuery {
            service: Some(SERVICE),
            follow: true,
            ..LogQuery::default()
        };
        Self(Logs::new(data.join("logs"), LogLimits::default()).read(query).unwrap())
    }

    async fn until(&mut self, text: &str) {
        let seen = async {
            while let Some(pieces) = self.0.recv().await {
                let is_it = |it: &LogPiece| matches!(it, LogPiece::Line(line) if line.text == text.as_bytes());
                if pieces.iter().any(is_it) {
                    return;
                }
            }
            panic!("the stream has ended before {text:?}");
        };
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("{text:?} was never printed"));
    }
}

fn request(command: &[&str]) -> ExecRequest {
    ExecRequest {
        replica: Some(replica(1)),
        command: command.iter().map(|it| (*it).to_owned()).collect(),
        ..ExecRequest::default()
    }
}

/// All output, and the code.
async fn end(mut exec: Exec) -> (String, String, u32) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = async {
        while let Some(piece) = exec.output.recv().await {
            match piece {
                ExecOutput::Stdout(bytes) => out.extend_from_slice(&bytes),
                ExecOutput::Stderr(bytes) => err.extend_from_slice(&bytes),
                ExecOutput::Ended { code } => return code,
            }
        }
        panic!("it ended without a code");
    };
    let code = timeout(PATIENCE, ended).await.expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(out), text(err), code)
}

/// Whether a process runs of whose command line this is true, word by word.
fn runs(fits: impl Fn(&[&str]) -> bool) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|it| std::fs::read_to_string(it.path().join("cmdline")).ok());
    lines.any(|it| fits(&it.split('\0').collect::<Vec<_>>()))
}

fn waits(words: &[&str]) -> bool {
    words.starts_with(&["/app", "--show=wait"])
}

fn logs(words: &[&str]) -> bool {
    words[0].contains("/logger-")
}

async fn until(what: &str, good: impl Fn() -> bool) {
    let waiting = async {
        while !good() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[test]
fn what_is_printed_is_kept_and_followed_while_the_daemon_comes_and_goes() {
    let name = "streams::what_is_printed_is_kept_and_followed_while_the_daemon_comes_and_goes";
    world::isolated(name, async |data| {
        let mut world = World::start(&data, Limits::default()).await;
        world.push("app:1", &Variant::server()).await;
        let mut follower = Follower::start(&data);
        world.want(&[(1, Intent::Run, IMAGE, 8080)]);
        let address = world.until(1, Phase::Ready).await.address.expect("an address");
        follower.until("listening on 8080").await;
        world = world.restart().await;
        world::ask(address, "/print?n=5").await;
        follower.until("printed 5").await;
        world.kill_containerd().await;
        world::ask(address, "/print?n=6").await;
        follower.until("printed 6").await;
        world.until_containerd_answers().await;
        world.want(&[(1, Intent::Stop, IMAGE, 8080)]);
        world.until(1, Phase::Stopped).await;
        follower.until("drained").await;
        world.stop().await;
        until("nothing that wrote it is left", || !runs(logs)).await;
    });
}

#[test]
fn a_command_runs_beside_a_container_with_all_that_it_has() {
    let name = "streams::a_command_runs_beside_a_container_with_all_that_it_has";
    world::isolated(name, async |data| {
        let mut world = World::start(&data, Limits::default()).await;
        world
            .push(
                "app:1",
                &Variant {
                    user: "1234:4321",
                    folder: "/work",
                    ..Variant::server()
                },
            )
            .await;
        world.seal(&[("TOKEN", "s3cret")]);
        let none = world.runtime.exec(request(&["/app"])).await;
        assert!(matches!(none, Err(ExecError::NotRunning(_))), "{none:?}");
        world.want(&[(1, Intent::Run, IMAGE, 8080)]);
        world.until(1, Phase::Ready).await;
        let run = async |request: ExecRequest| end(world.runtime.exec(request).await.unwrap()).await;

        let (env, _, code) = run(request(&["/app", "--show=env"])).await;
        assert_eq!(code, 0);
        for line in ["TOKEN=s3cret", "COLOUR=green", "PORT=8080"] {
            assert!(env.lines().any(|it| it == line), "{line} in {env}");
        }
        let (who, _, _) = run(request(&["/app", "--show=who"])).await;
        assert_eq!(who, "user=1234 folder=/work terminal=false\n");
        let terminal = Some(TerminalSize { width: 80, height: 24 });
        let (who, _, _) = run(ExecRequest {
            terminal,
            ..request(&["/app", "--show=who"])
        })
        .await;
        assert_eq!(who, "user=1234 folder=/work terminal=true\r\n");
        assert_eq!(run(request(&["/app", "--exit=7"])).await.2, 7);
        let (_, said, code) = run(request(&["/no-such-program"])).await;
        assert_eq!(code, 127, "{said}");

        let stdin = true;
        let exec = world
            .runtime
            .exec(ExecRequest {
                stdin,
                ..request(&["/app", "--show=cat"])
            })
            .await
            .unwrap();
        let input = exec.input.clone();
        let feeding = tokio::spawn(async move {
            for _ in 0..64 {
                input
                    .send(ExecInput::Stdin(vec![b'x'; 16 * 1024].into()))
                    .await
                    .unwrap();
            }
            input.send(ExecInput::EndOfStdin).await.unwrap();
            // Until the command has ended: who lets go of the input ends it.
            input.closed().await;
        });
        let (copied, said, code) = end(exec).await;
        assert_eq!((copied.len(), said.as_str(), code), (1 << 20, "copied 1048576\n", 0));
        feeding.await.unwrap();

        let exec = world.runtime.exec(request(&["/app", "--show=wait"])).await.unwrap();
        until("it runs", || runs(waits)).await;
        drop(exec);
        until("it has gone", || !runs(waits)).await;

        // One that a daemon has left behind, which the next one ends.
        let exec = world.runtime.exec(request(&["/app", "--show=wait"])).await.unwrap();
        until("it runs", || runs(waits)).await;
        world.runtime.end_old_commands().await;
        until("it has gone", || !runs(waits)).await;
        assert_eq!(end(exec).await.2, 137);
        world.stop().await;
    });
}
