//! Hosts, their network, loss of power, and cleaning up, with nothing of Goblins on them.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use chaos::Lab;
use chaos::lab::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common;

const DEADLINE: Duration = Duration::from_secs(20);

/// What a shell prints on a host.
fn shell(lab: &Lab, host: u8, script: &str) -> String {
    let output = lab.exec(host, &["sh", "-c", script], DEADLINE).unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A server on a host that answers every connection with the host's name.
fn serve(lab: &Lab, host: u8) {
    let busybox = ["nc", "-ll", "-p", "9000", "-e", "hostname"];
    let program = Program::new("busybox", lab.disk(host).join("nc.log")).args(busybox);
    lab.spawn(host, &program).unwrap();
    let address = SocketAddr::from((lab.address(host), 9000));
    common::eventually("the server listens", || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    });
}

/// Which card answers for the gateway.
fn gateway_card(lab: &Lab) -> String {
    let gateway = lab.network().gateway();
    // Nobody listens there, which only whoever has the address can say.
    let ask = format!("ip neigh flush all; busybox nc -w 5 {gateway} 9 </dev/null; ip neigh show {gateway}");
    let answer = shell(lab, 1, &ask);
    let (_, card) = answer.split_once("lladdr ").expect(&answer);
    card.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn the_others_reach_the_gateway_when_hosts_lose_power() {
    if !common::can_make_hosts() {
        return;
    }
    let mut lab = Lab::up(4, None).unwrap();
    let before = gateway_card(&lab);
    assert!(before.starts_with("02:67:6f:62:"), "one of its own: {before}");
    for host in 2..=4 {
        lab.crash(host).unwrap();
    }
    assert_eq!(gateway_card(&lab), before);
}

#[test]
fn hosts_are_apart_and_reach_each_other() {
    if !common::can_make_hosts() {
        return;
    }
    let lab = Lab::up(2, None).unwrap();
    assert_eq!(shell(&lab, 1, "hostname"), "h1");
    assert_eq!(shell(&lab, 2, "cat /proc/1/comm"), "chaos");
    shell(&lab, 1, "touch /run/here");
    assert_eq!(shell(&lab, 2, "ls /run/here 2>/dev/null || echo none"), "none");
    assert_eq!(shell(&lab, 1, "ls /sys/class/net | xargs"), "eth0 lo");
    serve(&lab, 2);
    assert_eq!(
        shell(&lab, 1, &format!("busybox nc -w 5 {} 9000", lab.address(2))),
        "h2"
    );
}

#[test]
fn a_cut_is_silence_and_a_crash_takes_everything_but_the_disk() {
    if !common::can_make_hosts() {
        return;
    }
    let mut lab = Lab::up(1, None).unwrap();
    serve(&lab, 1);
    let address = SocketAddr::from((lab.address(1), 9000));
    let reach = || TcpStream::connect_timeout(&address, Duration::from_millis(300));

    lab.cut(1).unwrap();
    assert_eq!(reach().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    lab.heal(1).unwrap();
    common::eventually("the cable is in again", || reach().is_ok());

    let disk = lab.disk(1).display().to_string();
    shell(&lab, 1, &format!("echo kept > {disk}/file; echo lost > /run/file"));
    let program = Program::new("sleep", lab.disk(1).join("sleep.log")).args(["100000"]);
    let process = lab.spawn(1, &program).unwrap();
    let group = std::fs::read_to_string(format!("/proc/{}/cgroup", process.id().number())).unwrap();
    assert!(group.contains(&format!("/goblins-lab/{}/h1", lab.number())), "{group}");
    lab.crash(1).unwrap();
    assert!(process.wait(DEADLINE).is_some());
    assert!(!process.id().alive());
    assert!(reach().is_err());
    assert!(
        lab.exec(1, &["true"], DEADLINE)
            .unwrap_err()
            .to_string()
            .contains("boot it first")
    );

    lab.boot(1).unwrap();
    assert_eq!(
        shell(
            &lab,
            1,
            &format!("cat {disk}/file; cat /run/file 2>/dev/null || echo gone")
        ),
        "kept\ngone"
    );
    serve(&lab, 1);
}

/// The first processes of a lab's hosts.
fn first_processes(number: u8) -> Vec<String> {
    let output = Command::new("pgrep").args(["-f", "chaos host-init"]).output().unwrap();
    let group = format!("/goblins-lab/{number}/");
    let all = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_lab = all.lines().filter(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(&group))
    });
    of_lab.map(str::to_owned).collect()
}

/// A lab that another process holds.
fn held() -> (Child, chaos::lab::Record) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["lab", "up", "1", "--hold"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(owner.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    // Kept open: it goes on printing.
    owner.stdout = Some(out.into_inner());
    let lab = Lab::list()
        .into_iter()
        .find(|lab| line.contains(&lab.state.display().to_string()));
    (owner, lab.unwrap())
}

#[test]
fn who_is_interrupted_takes_its_lab_down_first() {
    if !common::can_make_hosts() {
        return;
    }
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let (mut owner, lab) = held();
        assert!(!first_processes(lab.number).is_empty());
        kill(Pid::from_raw(owner.id().cast_signed()), signal).unwrap();
        assert_eq!(owner.wait().unwrap().code(), Some(code));
        assert!(!lab.state.exists() && first_processes(lab.number).is_empty());
    }
}

#[test]
fn nothing_is_left_of_a_lab_not_even_when_its_owner_was_killed() {
    if !common::can_make_hosts() {
        return;
    }
    let lab = Lab::up(1, None).unwrap();
    let (number, state) = (lab.number(), lab.state().to_owned());
    let program = Program::new("sleep", lab.disk(1).join("sleep.log")).args(["100000"]);
    let process = lab.spawn(1, &program).unwrap();
    drop(lab);
    assert!(!process.id().alive());
    assert!(!state.exists());
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains(&format!("goblab{number}:")));

    // Another process starts a lab and is killed; the next lab of anybody clears it away.
    let (mut owner, left) = held();
    let mark = left.state.join("mark");
    std::fs::write(&mark, "").unwrap();
    let processes = first_processes(left.number);
    assert!(!processes.is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(mark.exists());
    let _next = Lab::up(0, None).unwrap();
    assert!(!mark.exists());
    let now = first_processes(left.number);
    assert!(
        processes.iter().all(|process| !now.contains(process)),
        "{processes:?} {now:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_on_a_host_runs_an_image_from_the_registry() {
    if !common::can_make_hosts() {
        return;
    }
    common::install_crypto();
    let mut lab = Lab::up(1, None).unwrap();
    let registry = chaos::Registry::start(&mut lab).await.unwrap();
    let image = chaos::Image::build(&chaos::image::Variant::server("7")).unwrap();
    let reference = registry.push("web", "7", &image).await.unwrap();

    let disk = lab.disk(1);
    let (root, socket) = (disk.join("containerd"), "/run/containerd.sock");
    let config = format!(
        "version = 2\nroot = \"{}\"\nstate = \"/run/containerd\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \"{socket}\"\n",
        root.display()
    );
    std::fs::write(disk.join("containerd.toml"), config).unwrap();
    let program = Program::new("containerd", disk.join("containerd.log"));
    lab.spawn(
        1,
        &program.args(["-c".as_ref(), disk.join("containerd.toml").as_os_str()]),
    )
    .unwrap();
    common::eventually("containerd answers", || {
        lab.exec(1, &["ctr", "-a", socket, "version"], DEADLINE)
            .is_ok_and(|output| output.status.success())
    });
    shell(&lab, 1, &format!("ctr -a {socket} image pull --plain-http {reference}"));
    // The archive form of the same image has the same content.
    let archive = disk.join("image.tar");
    image.write_archive("local/web:7", &archive).unwrap();
    shell(&lab, 1, &format!("ctr -a {socket} image import {}", archive.display()));
    let digests = shell(
        &lab,
        1,
        &format!("ctr -a {socket} image ls | awk 'NR > 1 {{ print $3 }}' | sort -u"),
    );
    assert_eq!(digests, image.manifest.digest);

    shell(
        &lab,
        1,
        &format!("ctr -a {socket} run -d --net-host --env GOBLINS_NODE=h1 {reference} web"),
    );
    let web = chaos::Client::new(format!("http://{}:8080", lab.address(1)), None).unwrap();
    let answer = common::eventually_some("the container answers", async || web.get("/x").await.ok()).await;
    assert_eq!((&answer["replica"], &answer["node"]), (&"h1".into(), &"h1".into()));
    assert_eq!((&answer["version"], &answer["path"]), (&"7".into(), &"/x".into()));

    // SIGTERM: the request in flight is answered, then the container is gone.
    let slow = tokio::spawn({
        let web = web.clone();
        async move { web.get("/slow?ms=1500").await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    shell(&lab, 1, &format!("ctr -a {socket} task kill -s SIGTERM web"));
    assert!(slow.await.unwrap().is_ok(), "the request in flight was lost");
    common::eventually("the container has ended", || {
        shell(&lab, 1, &format!("ctr -a {socket} task ls")).contains("STOPPED")
    });
    assert!(web.get("/").await.is_err());
}
