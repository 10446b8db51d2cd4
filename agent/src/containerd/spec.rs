//! The OCI runtime spec of one container: the image's settings, the service's on top, and this host's around both.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capability, Linux, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxCpuBuilder, LinuxDeviceCgroupBuilder,
    LinuxMemoryBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, LinuxPidsBuilder, LinuxResources,
    LinuxResourcesBuilder, Mount, MountBuilder, PosixRlimitBuilder, PosixRlimitType, Process, ProcessBuilder,
    RootBuilder, Spec, SpecBuilder, UserBuilder, get_default_maskedpaths, get_default_mounts,
    get_default_readonly_paths,
};

use super::files::{self, Files};
use super::user::Ids;
use super::{program, vault, volumes};
use crate::image::{Defaults, ImageConfig};
use crate::reason;
use crate::runtime::{RunRequest, RuntimeError};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const CPU_PERIOD: u64 = 100_000;
const MOST_PROCESSES: i64 = 16_384;
const OPEN_FILES: u64 = 65_536;

/// What a container may do although it runs as root: the usual set, without raw access to the host.
const CAPABILITIES: [Capability; 13] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::NetBindService,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
    Capability::Mknod,
];

/// What this host adds.
#[derive(Clone, Debug)]
pub(super) struct Surroundings<'a> {
    pub files: &'a Files,
    /// Only for a container that gets secrets.
    pub secrets: Option<SecretPlaces<'a>>,
    pub cgroup: PathBuf,
    /// Whether the host has one hierarchy of cgroups for everything.
    pub cgroup_v2: bool,
}

/// What a container with secrets has mounted, as it lies on the host. The values themselves must never become part of a
/// description: containerd and runc keep it on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct SecretPlaces<'a> {
    pub files: &'a Path,
    pub launcher: &'a Path,
}

pub(super) fn build(
    request: &RunRequest,
    image: &ImageConfig,
    around: &Surroundings<'_>,
) -> Result<Spec, RuntimeError> {
    let defaults = image.config.clone().unwrap_or_default();
    let args = arguments(request, &defaults);
    if args.is_empty() {
        let image = &request.spec.image;
        return Err(RuntimeError::Start {
            code: reason::COMMAND_NOT_FOUND,
            message: format!("`{image}` names no program to run; set the service's command"),
        });
    }
    let args = match around.secrets {
        Some(_) => launched(request, args),
        None => args,
    };
    assemble(request, &defaults, args, around).map_err(|source| RuntimeError::Refused {
        doing: "take a container's description",
        source: source.into(),
    })
}

/// Runs the container as this user.
pub(super) fn set_user(spec: &mut Spec, ids: Ids) {
    if let Some(process) = spec.process_mut() {
        let user = process.user_mut();
        user.set_uid(ids.uid);
        user.set_gid(ids.gid);
    }
}

fn assemble(
    request: &RunRequest,
    defaults: &Defaults,
    args: Vec<String>,
    around: &Surroundings<'_>,
) -> Result<Spec, OciSpecError> {
    SpecBuilder::default()
        .version("1.0.2")
        .hostname(files::hostname(request))
        .root(RootBuilder::default().path("rootfs").readonly(false).build()?)
        .process(process(request, defaults, args)?)
        .mounts(mounts(request, around)?)
        .linux(linux(request, around)?)
        .build()
}

/// The service's command replaces entrypoint and arguments of the image, its arguments replace the image's.
fn arguments(request: &RunRequest, defaults: &Defaults) -> Vec<String> {
    let own = &request.spec.container;
    let entrypoint = if own.command.is_empty() {
        defaults.entrypoint.clone().unwrap_or_default()
    } else {
        own.command.clone()
    };
    let args = if own.args.is_empty() && own.command.is_empty() {
        defaults.cmd.clone().unwrap_or_default()
    } else {
        own.args.clone()
    };
    entrypoint.into_iter().chain(args).collect()
}

/// The launcher becomes the program, see `agent/launcher`.
fn launched(request: &RunRequest, args: Vec<String>) -> Vec<String> {
    let keys = secret_variables(request).map(str::to_owned);
    [program::INSIDE.to_owned()]
        .into_iter()
        .chain(keys)
        .chain(["--".to_owned()])
        .chain(args)
        .collect()
}

/// The secrets that become variables: not those that the service's own settings take the place of.
fn secret_variables(request: &RunRequest) -> impl Iterator<Item = &str> {
    let own = &request.spec.container.env;
    let keys = request.secrets.iter().map(|it| it.key.as_str());
    keys.filter(move |key| !own.contains_key(*key) && *key != "--" && !key.contains('='))
}

/// Later ones win: the image's, ours, the config's, the secret's (which the launcher adds), the service's.
fn environment(request: &RunRequest, defaults: &Defaults) -> Vec<String> {
    let mut all = vec![PATH.to_owned()];
    all.extend(defaults.env.clone().unwrap_or_default());
    all.extend([
        format!("HOSTNAME={}", files::hostname(request)),
        format!("GOBLINS_REPLICA={}", request.replica),
        format!("GOBLINS_SERVICE={}", request.service_name),
        format!("GOBLINS_VERSION={}", request.version),
        format!("GOBLINS_NODE={}", request.node_name),
    ]);
    all.extend(request.spec.port.map(|port| format!("PORT={port}")));
    let pair = |(key, value): (&String, &String)| format!("{key}={value}");
    all.extend(request.config.iter().map(pair));
    all.extend(request.spec.container.env.iter().map(pair));
    let mut seen: HashSet<_> = secret_variables(request).map(str::to_owned).collect();
    let mut kept: Vec<String> = Vec::with_capacity(all.len());
    for entry in all.into_iter().rev() {
        if seen.insert(entry.split('=').next().unwrap_or_default().to_owned()) {
            kept.push(entry);
        }
    }
    kept.reverse();
    kept
}

fn process(request: &RunRequest, defaults: &Defaults, args: Vec<String>) -> Result<Process, OciSpecError> {
    let granted: HashSet<_> = CAPABILITIES.into();
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(granted.clone())
        .effective(granted.clone())
        .permitted(granted)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?;
    let most = open_files();
    let files = PosixRlimitBuilder::default()
        .typ(PosixRlimitType::RlimitNofile)
        .soft(most)
        .hard(most)
        .build()?;
    let cwd = defaults
        .working_dir
        .as_deref()
        .filter(|path| !path.is_empty())
        .unwrap_or("/");
    ProcessBuilder::default()
        .terminal(false)
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).build()?)
        .args(args)
        .env(environment(request, defaults))
        .cwd(cwd)
        .capabilities(capabilities)
        .rlimits(vec![files])
        .no_new_privileges(false)
        .build()
}

/// Not above this daemon's own limit: where it may not be raised, no container would start.
fn open_files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(OPEN_FILES, |(_, hard)| hard.min(OPEN_FILES))
}

fn mounts(request: &RunRequest, around: &Surroundings<'_>) -> Result<Vec<Mount>, OciSpecError> {
    let mut mounts = get_default_mounts();
    // What the container is given of the host's comes before what it is given by us.
    for mount in volumes::mounts(request) {
        mounts.push(mount?);
    }
    let files = around.files;
    let writable = ["rbind", "rprivate", "rw"].as_slice();
    mounts.push(bind("/etc/hosts", &files.hosts, writable)?);
    mounts.push(bind("/etc/hostname", &files.hostname, writable)?);
    mounts.push(bind("/etc/resolv.conf", &files.resolv_conf, writable)?);
    if let Some(SecretPlaces { files, launcher }) = around.secrets {
        let options = ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"];
        mounts.push(bind(vault::INSIDE, files, &options)?);
        let options = ["bind", "rprivate", "ro", "nosuid", "nodev"];
        mounts.push(bind(program::INSIDE, launcher, &options)?);
    }
    Ok(mounts)
}

pub(super) fn bind(inside: &str, outside: &Path, options: &[&str]) -> Result<Mount, OciSpecError> {
    let options: Vec<_> = options.iter().map(|it| (*it).to_owned()).collect();
    MountBuilder::default()
        .destination(inside)
        .typ("bind")
        .source(outside)
        .options(options)
        .build()
}

fn linux(request: &RunRequest, around: &Surroundings<'_>) -> Result<Linux, OciSpecError> {
    LinuxBuilder::default()
        .cgroups_path(around.cgroup.clone())
        .namespaces(namespaces(&request.netns, around.cgroup_v2)?)
        .resources(resources(request)?)
        .masked_paths(get_default_maskedpaths())
        .readonly_paths(get_default_readonly_paths())
        .build()
}

fn namespaces(netns: &Path, cgroup_v2: bool) -> Result<Vec<LinuxNamespace>, OciSpecError> {
    let own = [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Mount,
    ];
    let cgroup = cgroup_v2.then_some(LinuxNamespaceType::Cgroup);
    let mut all = Vec::new();
    for kind in own.into_iter().chain(cgroup) {
        all.push(LinuxNamespaceBuilder::default().typ(kind).build()?);
    }
    all.push(
        LinuxNamespaceBuilder::default()
            .typ(LinuxNamespaceType::Network)
            .path(netns)
            .build()?,
    );
    Ok(all)
}

fn resources(request: &RunRequest) -> Result<LinuxResources, OciSpecError> {
    let wanted = &request.spec.container.resources;
    let no_devices = LinuxDeviceCgroupBuilder::default().allow(false).access("rwm").build()?;
    let mut cpu = LinuxCpuBuilder::default();
    if wanted.cpu_reservation.0 > 0 {
        cpu = cpu.shares((wanted.cpu_reservation.0 * 1024 / 1000).max(2));
    }
    if let Some(limit) = wanted.cpu_limit {
        let quota = i64::try_from(limit.0 * CPU_PERIOD / 1000).unwrap_or(i64::MAX).max(1000);
        cpu = cpu.period(CPU_PERIOD).quota(quota);
    }
    let mut resources = LinuxResourcesBuilder::default()
        .devices(vec![no_devices])
        .cpu(cpu.build()?)
        .pids(LinuxPidsBuilder::default().limit(MOST_PROCESSES).build()?);
    if let Some(limit) = wanted.memory_limit {
        let limit = i64::try_from(limit.0).unwrap_or(i64::MAX);
        resources = resources.memory(LinuxMemoryBuilder::default().limit(limit).build()?);
    }
    resources.build()
}

#[cfg(test)]
mod tests;
