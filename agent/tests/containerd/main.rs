//! The agent with a real containerd, a real registry and real containers, in namespaces of their own.
//!
//! Each test starts itself again inside fresh mount, pid and network namespaces: nothing of this host's is touched, and
//! when the test ends, however it ends, the kernel ends everything that it started.

mod canary;
mod cluster;
mod collect;
mod image;
mod sealed;
mod streams;
mod world;

use agent::{Limits, Network, Runtime, RuntimeEvent, SuperviseConfig, SuperviseError, Supervisor};
use model::{Intent, Phase};

use cluster::replica;
use image::Variant;
use world::World;

#[test]
fn a_replica_lives_through_everything_that_happens_around_it() {
    world::isolated(
        "a_replica_lives_through_everything_that_happens_around_it",
        async |data| {
            let mut world = World::start(&data, Limits::default()).await;
            world.push("app:1", &Variant::server()).await;
            world.want(&[(1, Intent::Run, "127.0.0.1:5000/app:1", 8080)]);

            let begin = std::time::Instant::now();
            let address = world
                .until(1, Phase::Ready)
                .await
                .address
                .expect("a ready replica has an address");
            eprintln!("pulled, started and ready after {:?}", begin.elapsed());
            let answer = world::get(address, "/").await;
            assert!(
                answer.contains(&replica(1).to_string()) && answer.contains("n1"),
                "{answer}"
            );
            // Or who gets this address next would be looked for where this one was.
            let std::net::IpAddr::V4(ip) = address.ip() else {
                panic!("{address} is no IPv4 address")
            };
            let [a, b, c, d] = ip.octets();
            let on_the_wire = world::on_the_wire(ip).await;
            assert!(
                on_the_wire.contains(&format!("02:67:{a:02x}:{b:02x}:{c:02x}:{d:02x}")),
                "{on_the_wire}"
            );
            let environment = world::get(address, "/env").await;
            assert!(
                environment.contains("COLOUR=green") && environment.contains("PORT=8080"),
                "{environment}"
            );

            eprintln!("containerd is killed; the container lives on and containerd comes back");
            world.kill_containerd().await;
            assert!(world::get(address, "/").await.contains("n1"));
            world.until_containerd_answers().await;

            eprintln!("the daemon is started again and adopts both");
            let before = world.containerd_pid();
            let told = world.told();
            world = world.restart().await;
            assert_eq!(world.containerd_pid(), before, "the containerd that runs is adopted");
            world.until_probed().await;
            assert!(world::get(address, "/").await.contains("n1"));
            assert_eq!(world.told(), told, "nothing has changed, so nothing is told");

            eprintln!("the container ends by itself, which containerd tells, and is started again");
            let mut events = world.runtime.events();
            assert_eq!(world::next(&mut events).await, RuntimeEvent::Missed, "from now on");
            world::ask(address, "/exit?code=7").await;
            let (replica, code) = (replica(1), 7);
            assert_eq!(world::next(&mut events).await, RuntimeEvent::Exited { replica, code });
            let failed = world.until(1, Phase::Failed).await;
            let reason = failed.reason.expect("a failure has a reason");
            assert_eq!(reason.code, "exited");
            assert!(reason.message.contains("exit code 7"), "{}", reason.message);
            let again = world.until(1, Phase::Ready).await;
            assert_eq!((again.restarts, again.reason), (1, None));

            eprintln!("it is stopped, and nothing of it is left");
            world.want(&[(1, Intent::Stop, "127.0.0.1:5000/app:1", 8080)]);
            world.until(1, Phase::Stopped).await;
            assert_eq!(world.drained(), [replica]);
            assert_eq!(world.runtime.list().await.unwrap(), []);
            assert_eq!(world.network.list().await.unwrap(), []);
            world.stop().await;
        },
    );
}

#[test]
fn what_cannot_run_says_why_and_holds_up_nothing_else() {
    world::isolated("what_cannot_run_says_why_and_holds_up_nothing_else", async |data| {
        let mut world = World::start(&data, Limits::default()).await;
        world::deny_everything("127.0.0.1:5001").await;
        world.push("app:1", &Variant::server()).await;
        world
            .push(
                "foreign:1",
                &Variant {
                    architecture: "s390x",
                    ..Variant::server()
                },
            )
            .await;
        world
            .push(
                "exits:1",
                &Variant {
                    entrypoint: &["/app", "--exit=3"],
                    ..Variant::server()
                },
            )
            .await;
        world.push("empty:1", &Variant::without_program()).await;
        let cases = [
            (
                "127.0.0.1:5000/app:none",
                8080,
                "image_not_found",
                "127.0.0.1:5000/app:none",
            ),
            ("127.0.0.1:5000/nothing:1", 8080, "image_not_found", "push the image"),
            ("127.0.0.1:9/app:1", 8080, "registry_unreachable", "127.0.0.1:9"),
            ("127.0.0.1:5001/app:1", 8080, "registry_denied", "127.0.0.1:5001"),
            ("127.0.0.1:5000/foreign:1", 8080, "wrong_architecture", "linux/s390x"),
            (
                "127.0.0.1:5000/exits:1",
                8080,
                "exited",
                "told to end at once with code 3",
            ),
            ("127.0.0.1:5000/empty:1", 8080, "command_not_found", "/no-such-program"),
            ("127.0.0.1:5000/app:1", 9999, "never_listened", "9999"),
            ("Not An Image", 8080, "invalid_reference", "Not An Image"),
        ];
        let mut wanted = vec![(100, Intent::Run, "127.0.0.1:5000/app:1", 8080)];
        wanted.extend(
            cases
                .iter()
                .zip(1..)
                .map(|((image, port, ..), n)| (n, Intent::Run, *image, *port)),
        );
        world.want(&wanted);
        let address = world.until(100, Phase::Ready).await.address.unwrap();
        for ((image, _, code, part), n) in cases.iter().zip(1..) {
            let reason = world
                .until(n, Phase::Failed)
                .await
                .reason
                .expect("a failure has a reason");
            eprintln!("{image}: {}: {}", reason.code, reason.message);
            assert_eq!(reason.code, *code, "{image}: {}", reason.message);
            assert!(reason.message.contains(part), "{image}: {}", reason.message);
        }
        assert!(world::get(address, "/").await.contains("n1"));
        let stopped: Vec<_> = wanted
            .iter()
            .map(|(n, _, image, port)| (*n, Intent::Stop, *image, *port))
            .collect();
        world.want(&stopped);
        for (n, ..) in &stopped {
            world.until(*n, Phase::Stopped).await;
        }
        assert_eq!(world.runtime.list().await.unwrap(), []);
        assert_eq!(world.network.list().await.unwrap(), []);
        world.stop().await;
    });
}

#[test]
fn a_full_disk_is_told_and_what_runs_goes_on() {
    world::isolated("a_full_disk_is_told_and_what_runs_goes_on", async |data| {
        world::small_disk(&data, 32);
        let mut world = World::start(&data, Limits::default()).await;
        world.push("app:1", &Variant::server()).await;
        world
            .push(
                "large:1",
                &Variant {
                    ballast: 48,
                    ..Variant::server()
                },
            )
            .await;
        let (small, large) = ("127.0.0.1:5000/app:1", "127.0.0.1:5000/large:1");
        world.want(&[(1, Intent::Run, small, 8080)]);
        let address = world.until(1, Phase::Ready).await.address.unwrap();
        world.want(&[(1, Intent::Run, small, 8080), (2, Intent::Run, large, 8080)]);
        let reason = world.until(2, Phase::Failed).await.reason.unwrap();
        eprintln!("{}: {}", reason.code, reason.message);
        assert_eq!(reason.code, "disk_full");
        assert!(
            reason.message.contains(large) && reason.message.contains("make room"),
            "{}",
            reason.message
        );
        assert!(world::get(address, "/").await.contains("n1"));
        world.want(&[(1, Intent::Stop, small, 8080), (2, Intent::Stop, large, 8080)]);
        world.until(1, Phase::Stopped).await;
        world.until(2, Phase::Stopped).await;
        world.stop().await;
    });
}

#[tokio::test]
async fn a_host_without_containerd_is_told_which_packages_to_install() {
    // The programs are looked for where this process looks for them, so the test runs again with an empty search path.
    if std::env::var_os("PATH").is_some_and(|path| path != "/nowhere") {
        let name = "a_host_without_containerd_is_told_which_packages_to_install";
        let again = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env("PATH", "/nowhere")
            .status();
        assert!(again.await.unwrap().success());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = SuperviseConfig {
        data_dir: folder.path().into(),
        run_dir: folder.path().join("run"),
    };
    let error = Supervisor::start(&config).await.unwrap_err();
    assert!(matches!(error, SuperviseError::NotInstalled { .. }));
    assert!(error.to_string().contains("`containerd` and `runc`"), "{error}");
}
