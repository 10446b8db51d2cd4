//! Secrets and workers in real containers.

use std::path::Path;
use std::time::Duration;

use agent::{Limits, Runtime};
use model::{Intent, Phase};
use tokio::time::{sleep, timeout};

use crate::canary::Canary;
use crate::image::Variant;
use crate::world::{self, SECRETS, World};

const APP: &str = "127.0.0.1:5000/app:1";
const INSPECTOR: &str = "127.0.0.1:5000/inspector:1";
const EMPTY: &str = "127.0.0.1:5000/empty:1";
/// No port: a worker.
const NONE: u16 = 0;

#[test]
fn secrets_reach_their_container_and_nothing_else() {
    world::isolated("sealed::secrets_reach_their_container_and_nothing_else", async |data| {
        let log = world::write_log(&data);
        let canary = Canary::new();
        let mut world = World::start(&data, Limits::default()).await;
        world.push("app:1", &Variant::server()).await;
        world.push("inspector:1", &Variant::inspector()).await;
        world.push("empty:1", &Variant::without_program()).await;
        let long = canary.text.repeat(3000);
        world.seal(&[("COLOUR", "blue"), ("LONG", &long), ("TOKEN", &canary.text)]);
        world.want(&[
            (1, Intent::Run, APP, 8080),
            (2, Intent::Run, INSPECTOR, NONE),
            (3, Intent::Run, EMPTY, NONE),
        ]);

        let address = world.until(1, Phase::Ready).await.address.unwrap();
        let environment = world::get(address, "/env").await;
        let has = |text: &str| environment.lines().any(|line| line == text);
        assert!(
            has(&format!("TOKEN={}", canary.text)),
            "the value is not in the environment"
        );
        assert!(has("COLOUR=blue"), "a secret's item takes the place of a config's");
        assert!(
            has("SHAPE=round") && has("PORT=8080") && has("VERSION=1"),
            "what is no secret stays as it was"
        );
        assert!(!environment.contains("LONG="), "Linux takes no variable of that length");

        world.until(2, Phase::Ready).await;
        let said = said_by_inspector(&world).await;
        assert_eq!(
            said,
            [
                "process 1 in /work as 1234:4321",
                "COLOUR: mode 400 of 1234:4321, 4 bytes, same in the environment, writing: read-only filesystem or \
                 storage medium",
                "LONG: mode 400 of 1234:4321, 192000 bytes, not in the environment, writing: read-only filesystem or \
                 storage medium",
                "TOKEN: mode 400 of 1234:4321, 64 bytes, same in the environment, writing: read-only filesystem or \
                 storage medium",
                "done",
            ]
        );

        let reason = world.until(3, Phase::Failed).await.reason.unwrap();
        assert_eq!(reason.code, "command_not_found", "{}", reason.message);
        assert!(reason.message.contains("`/no-such-program`"), "{}", reason.message);

        let secrets = Path::new(SECRETS);
        let hunt = |except: &Path| {
            let (searched, found) = canary.hunt(&[&data, Path::new("/run")], except);
            eprintln!("searched {searched} bytes");
            assert!(searched > 1_000_000 && log.metadata().unwrap().len() > 1000);
            assert_eq!(found, Vec::<std::path::PathBuf>::new());
        };
        assert!(world.vault(1).join("TOKEN").exists());
        assert!(
            !canary.hunt(&[secrets], Path::new("")).1.is_empty(),
            "what is there is found"
        );
        hunt(secrets);

        eprintln!("a container that ends gets its secrets again");
        world::ask(address, "/exit?code=7").await;
        world.until(1, Phase::Failed).await;
        assert_eq!(world.until(1, Phase::Ready).await.restarts, 1);
        assert!(world::get(address, "/env").await.contains(&canary.text));

        eprintln!("the daemon is started again; what runs keeps its secrets, what is left over goes");
        let left_over = world.leave_vault_behind(9).await;
        world = world.restart().await;
        world.until_probed().await;
        assert!(world::get(address, "/env").await.contains(&canary.text));
        assert!(world.vault(1).join("TOKEN").exists());
        assert!(!left_over.exists());

        world.want(&[
            (1, Intent::Stop, APP, 8080),
            (2, Intent::Stop, INSPECTOR, NONE),
            (3, Intent::Stop, EMPTY, NONE),
        ]);
        for n in [1, 2, 3] {
            world.until(n, Phase::Stopped).await;
        }
        assert_eq!(world.runtime.list().await.unwrap(), []);
        assert_eq!(std::fs::read_dir(secrets).unwrap().count(), 0);
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(SECRETS), "{mounts}");
        world.stop().await;
        hunt(Path::new(""));
    });
}

/// What it printed, once that is all.
async fn said_by_inspector(world: &World) -> Vec<String> {
    let done = async {
        loop {
            let text = std::fs::read_to_string(world.log(2)).unwrap_or_default();
            if text.ends_with(" done\n") {
                // Time, stream and tag stand in front.
                let printed = text.lines().filter_map(|line| line.splitn(4, ' ').nth(3));
                return printed.map(str::to_owned).collect();
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), done)
        .await
        .expect("the inspector never gets to its end")
}

#[test]
fn a_worker_needs_no_port_and_one_that_ends_says_how() {
    world::isolated(
        "sealed::a_worker_needs_no_port_and_one_that_ends_says_how",
        async |data| {
            let mut world = World::start(&data, Limits::default()).await;
            world.push("app:1", &Variant::server()).await;
            let exits = Variant {
                entrypoint: &["/app", "--exit=3"],
                ..Variant::server()
            };
            world.push("exits:1", &exits).await;
            let exits = "127.0.0.1:5000/exits:1";
            world.want(&[(1, Intent::Run, APP, NONE), (2, Intent::Run, exits, NONE)]);
            let ready = world.until(1, Phase::Ready).await;
            assert_eq!((ready.address, ready.reason, ready.restarts), (None, None, 0));
            let reason = world.until(2, Phase::Failed).await.reason.unwrap();
            assert_eq!(reason.code, "exited");
            assert!(reason.message.contains("exit code 3"), "{}", reason.message);
            // What it printed reaches the log after the news of its end: everybody's last words are waited for.
            let many: Vec<_> = (10..22).map(|n| (n, Intent::Run, exits, NONE)).collect();
            world.want(&many);
            for (n, ..) in &many {
                let reason = world.until(*n, Phase::Failed).await.reason.unwrap();
                assert!(reason.message.contains("told to end at once"), "{}", reason.message);
            }
            assert!(world.told().iter().all(|it| it.address.is_none()));
            let mut all = vec![1, 2];
            all.extend(many.iter().map(|it| it.0));
            world.want(&all.iter().map(|n| (*n, Intent::Stop, exits, NONE)).collect::<Vec<_>>());
            for n in all {
                world.until(n, Phase::Stopped).await;
            }
            assert_eq!(world.runtime.list().await.unwrap(), []);
            world.stop().await;
        },
    );
}
