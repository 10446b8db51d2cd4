use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use model::{
    ByteCount, ContainerSpec, DeploymentId, Millicores, ReplicaId, Resources, ServiceId, ServiceSpec, Settings,
};
use uuid::Uuid;

use super::*;
use crate::secret::OpenSecret;

fn request(container: ContainerSpec) -> RunRequest {
    RunRequest {
        replica: ReplicaId(Uuid::from_u128(7)),
        service: ServiceId(Uuid::from_u128(1)),
        service_name: "My Web".to_owned(),
        deployment: DeploymentId(Uuid::from_u128(2)),
        version: 3,
        spec: ServiceSpec {
            image: "app:1".to_owned(),
            port: Some(8080),
            replicas: 1,
            config: None,
            secret: None,
            container,
        },
        settings: Settings::default(),
        config: BTreeMap::from([
            ("COLOUR".to_owned(), "config".to_owned()),
            ("SIZE".to_owned(), "config".to_owned()),
        ]),
        secrets: Vec::new(),
        restarts: 0,
        node_name: "n1".to_owned(),
        address: Ipv4Addr::new(10, 213, 0, 5),
        netns: "/run/netns/x".into(),
    }
}

fn image() -> ImageConfig {
    serde_json::from_str(
        r#"{"config":{"Env":["PATH=/bin","COLOUR=image","PORT=1"],"Entrypoint":["/app"],"Cmd":["serve"]},
            "rootfs":{"diff_ids":["sha256:a"]}}"#,
    )
    .unwrap()
}

fn files() -> Files {
    Files {
        hosts: "/f/hosts".into(),
        hostname: "/f/hostname".into(),
        resolv_conf: "/f/resolv.conf".into(),
    }
}

fn built(container: ContainerSpec, cgroup_v2: bool) -> Spec {
    let files = files();
    let around = Surroundings {
        files: &files,
        secrets: None,
        cgroup: "/goblins/7".into(),
        cgroup_v2,
    };
    build(&request(container), &image(), &around).unwrap()
}

fn args(container: ContainerSpec) -> Vec<String> {
    built(container, true)
        .process()
        .as_ref()
        .unwrap()
        .args()
        .clone()
        .unwrap()
}

#[test]
fn the_services_command_and_arguments_replace_the_images() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let spec = |command: &[&str], args: &[&str]| ContainerSpec {
        command: words(command),
        args: words(args),
        ..ContainerSpec::default()
    };
    assert_eq!(args(spec(&[], &[])), ["/app", "serve"]);
    assert_eq!(args(spec(&[], &["check"])), ["/app", "check"]);
    assert_eq!(args(spec(&["/other"], &[])), ["/other"]);
    assert_eq!(args(spec(&["/other"], &["x"])), ["/other", "x"]);
}

#[test]
fn later_settings_win_in_the_environment() {
    let env = BTreeMap::from([("SIZE".to_owned(), "service".to_owned())]);
    let spec = built(
        ContainerSpec {
            env,
            ..ContainerSpec::default()
        },
        true,
    );
    let env = spec.process().as_ref().unwrap().env().clone().unwrap();
    for wanted in [
        "PATH=/bin",
        "PORT=8080",
        "COLOUR=config",
        "SIZE=service",
        "GOBLINS_VERSION=3",
        "GOBLINS_NODE=n1",
    ] {
        assert_eq!(env.iter().filter(|it| *it == wanted).count(), 1, "{wanted} in {env:?}");
    }
    assert_eq!(env.iter().filter(|it| it.starts_with("COLOUR=")).count(), 1);
}

#[test]
fn a_worker_is_told_no_port() {
    let files = files();
    let around = Surroundings {
        files: &files,
        secrets: None,
        cgroup: "/g".into(),
        cgroup_v2: true,
    };
    let mut request = request(ContainerSpec::default());
    request.spec.port = None;
    let image: ImageConfig =
        serde_json::from_str(r#"{"config":{"Entrypoint":["/app"]},"rootfs":{"diff_ids":["sha256:a"]}}"#).unwrap();
    let spec = build(&request, &image, &around).unwrap();
    let env = spec.process().as_ref().unwrap().env().clone().unwrap();
    assert!(!env.iter().any(|it| it.starts_with("PORT=")), "{env:?}");
}

#[test]
fn secrets_are_mounted_and_named_and_their_values_are_nowhere_in_the_description() {
    let files = files();
    let places = SecretPlaces {
        files: "/run/goblins/secrets/7".as_ref(),
        launcher: "/f/launcher".as_ref(),
    };
    let around = Surroundings {
        files: &files,
        secrets: Some(places),
        cgroup: "/g".into(),
        cgroup_v2: true,
    };
    let env = BTreeMap::from([("SIZE".to_owned(), "service".to_owned())]);
    let mut request = request(ContainerSpec {
        env,
        ..ContainerSpec::default()
    });
    request.secrets = ["COLOUR", "SIZE", "TOKEN"]
        .map(|key| OpenSecret {
            key: key.to_owned(),
            value: b"tweet-7f3a".to_vec().into(),
        })
        .into();
    let spec = build(&request, &image(), &around).unwrap();
    let process = spec.process().as_ref().unwrap();
    let args = process.args().clone().unwrap();
    assert_eq!(
        args,
        ["/run/goblins/launcher", "COLOUR", "TOKEN", "--", "/app", "serve"]
    );
    let env = process.env().clone().unwrap();
    assert!(env.contains(&"SIZE=service".to_owned()), "{env:?}");
    assert!(
        !env.iter()
            .any(|it| it.starts_with("COLOUR=") || it.starts_with("TOKEN=")),
        "{env:?}"
    );
    let mounts = spec.mounts().clone().unwrap();
    let mount = |inside: &str| mounts.iter().find(|it| it.destination() == Path::new(inside)).unwrap();
    let secrets = mount("/run/secrets");
    assert_eq!(secrets.source().as_deref(), Some(Path::new("/run/goblins/secrets/7")));
    assert!(secrets.options().as_ref().unwrap().contains(&"ro".to_owned()));
    assert!(
        mount("/run/goblins/launcher")
            .options()
            .as_ref()
            .unwrap()
            .contains(&"ro".to_owned())
    );
    assert!(!serde_json::to_string(&spec).unwrap().contains("tweet-7f3a"));
    let shown = format!("{request:?} {request:#?}");
    assert!(shown.contains("TOKEN") && !shown.contains("tweet-7f3a"), "{shown}");
}

#[test]
fn limits_become_cgroup_settings() {
    let resources = Resources {
        cpu_limit: Some(Millicores(250)),
        memory_limit: Some(ByteCount(64 << 20)),
        cpu_reservation: Millicores(500),
        memory_reservation: ByteCount(0),
    };
    let spec = built(
        ContainerSpec {
            resources,
            ..ContainerSpec::default()
        },
        false,
    );
    let linux = spec.linux().as_ref().unwrap();
    let set = linux.resources().as_ref().unwrap();
    assert_eq!(set.memory().as_ref().unwrap().limit(), Some(64 << 20));
    let cpu = set.cpu().as_ref().unwrap();
    assert_eq!(
        (cpu.quota(), cpu.period(), cpu.shares()),
        (Some(25_000), Some(100_000), Some(512))
    );
    assert_eq!(linux.cgroups_path().as_deref(), Some(Path::new("/goblins/7")));
    let namespaces = linux.namespaces().as_ref().unwrap();
    assert!(!namespaces.iter().any(|it| it.typ() == LinuxNamespaceType::Cgroup));
    assert!(
        namespaces
            .iter()
            .any(|it| it.path().as_deref() == Some(Path::new("/run/netns/x")))
    );
}

#[test]
fn names_become_hostnames() {
    assert_eq!(files::hostname(&request(ContainerSpec::default())), "my-web-00000007");
}

#[test]
fn an_image_without_a_program_is_refused_with_the_remedy() {
    let image: ImageConfig = serde_json::from_str(r#"{"rootfs":{"diff_ids":["sha256:a"]}}"#).unwrap();
    let files = files();
    let around = Surroundings {
        files: &files,
        secrets: None,
        cgroup: "/g".into(),
        cgroup_v2: true,
    };
    let error = build(&request(ContainerSpec::default()), &image, &around)
        .unwrap_err()
        .to_string();
    assert!(error.contains("set the service's command"), "{error}");
}
