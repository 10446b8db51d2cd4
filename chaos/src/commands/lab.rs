//! `chaos lab`: hosts by hand, for trying things out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use chaos::cluster::{API_PORT, HTTP_PORT, Options};
use chaos::image::Variant;
use chaos::{Cluster, Image, Lab, Registry};
use clap::Subcommand;

/// A person waits for the end of what they run on a host.
const EXEC_DEADLINE: Duration = Duration::from_secs(3600);

#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Starts hosts and leaves them running; prints the lab's number.
    Up {
        /// How many.
        #[arg(default_value_t = 3)]
        hosts: u8,
        /// The folder for disks and logs [default: one in the system's temporary folder].
        #[arg(long)]
        state: Option<PathBuf>,
        /// Also starts a registry with test images and one daemon a host.
        #[arg(long)]
        cluster: bool,
        /// Keeps the lab only as long as this command runs.
        #[arg(long)]
        hold: bool,
    },
    /// Shows the labs that are up.
    List,
    /// Runs a program on a host, such as `chaos lab exec 1 2 ip addr`.
    Exec {
        lab: u8,
        host: u8,
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
    /// Takes the power from a host.
    Crash { lab: u8, host: u8 },
    /// Starts a host that is off, with nothing running on it.
    Boot { lab: u8, host: u8 },
    /// Makes a host's network silent.
    Cut { lab: u8, host: u8 },
    /// Ends `cut`.
    Heal { lab: u8, host: u8 },
    /// Removes a lab and its disks.
    Down {
        /// Its number.
        #[arg(required_unless_present = "all")]
        lab: Option<u8>,
        /// All labs of this machine.
        #[arg(long)]
        all: bool,
    },
}

pub fn run(command: LabCommand) -> anyhow::Result<()> {
    match command {
        LabCommand::Up {
            hosts,
            state,
            cluster,
            hold,
        } => up(hosts, state, cluster, hold)?,
        LabCommand::List => {
            for lab in Lab::list() {
                println!("{}\t{}", lab.number, lab.state.display());
            }
        }
        LabCommand::Exec { lab, host, program } => {
            let output = Lab::attach(lab)?.exec(host, &program, EXEC_DEADLINE)?;
            print!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            if !output.status.success() {
                bail!("`{}` on host {host}: {}", program.join(" "), output.status);
            }
        }
        LabCommand::Crash { lab, host } => Lab::attach(lab)?.crash(host)?,
        LabCommand::Boot { lab, host } => Lab::attach(lab)?.boot(host)?,
        LabCommand::Cut { lab, host } => Lab::attach(lab)?.cut(host)?,
        LabCommand::Heal { lab, host } => Lab::attach(lab)?.heal(host)?,
        LabCommand::Down { lab: Some(lab), .. } => Lab::attach(lab)?.down()?,
        LabCommand::Down { lab: None, .. } => {
            for lab in Lab::list() {
                Lab::attach(lab.number)?.down()?;
            }
        }
    }
    Ok(())
}

fn up(hosts: u8, state: Option<PathBuf>, cluster: bool, hold: bool) -> anyhow::Result<()> {
    let mut lab = Lab::up(hosts, state.as_deref())?;
    if cluster {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
        runtime.block_on(with_cluster(&mut lab))?;
    }
    if !hold {
        lab.keep()?;
    }
    for host in lab.running() {
        println!("host {host}: {}  {}", lab.address(host), lab.disk(host).display());
    }
    println!("lab {} is up; `chaos lab down {0}` removes it", lab.number());
    if hold {
        println!("stop this command to end it");
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

async fn with_cluster(lab: &mut Lab) -> anyhow::Result<()> {
    let registry = Registry::start(lab).await?;
    for version in ["1", "2"] {
        let image = registry
            .push("web", version, &Image::build(&Variant::server(version))?)
            .await?;
        println!("image {image}");
    }
    let options = Options {
        insecure_registries: vec![registry.address().to_owned()],
        ..Options::default()
    };
    let cluster = Cluster::start(lab, options).await?;
    for host in cluster.hosts() {
        println!(
            "api {}  proxy {}",
            cluster.url(host, API_PORT)?,
            cluster.url(host, HTTP_PORT)?
        );
    }
    println!(
        "export GOBLINS_API={} GOBLINS_API_KEY={}",
        cluster.url(1, API_PORT)?,
        cluster.key()
    );
    Ok(())
}
