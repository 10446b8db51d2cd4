//! `chaos bench`: figures.

use chaos::bench::{self, DeployEffort, Effort};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct BenchCommand {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The steps of the demo (what is measured if nothing is named).
    Demo,
    /// Requests a second to the REST API, on one node and on three.
    Api(EffortArgs),
    /// Writes, reads, memory and the loss of a leader, on three nodes.
    Raft(EffortArgs),
    /// How long replicas take to be ready and gone, beside raw containerd and Docker Swarm, and what deploys lose.
    Deploy(DeployArgs),
    /// What planning costs with 5,000 nodes and 100,000 replicas. Starts nothing, needs no root.
    Planner,
    /// Reading sealed values, and rotating the key of --objects of them while others write, on three nodes.
    Secrets(EffortArgs),
    /// Starts, memory, snapshots and their cost with --objects (better: 1000000) small resources, on one node.
    Store(EffortArgs),
}

#[derive(Debug, Args)]
struct EffortArgs {
    /// How long each figure is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Numbers of clients, with commas between them.
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// How many objects are there before anything is measured.
    #[arg(long, default_value_t = 10_000)]
    objects: usize,
    /// How often the leader is killed.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Seconds of writes at full load, after which nobody must have been elected (raft only).
    #[arg(long, default_value_t = 0)]
    soak: u64,
    /// Leaves etcd out.
    #[arg(long)]
    no_peer: bool,
}

#[derive(Debug, Args)]
struct DeployArgs {
    /// How often each start and stop is done.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Updates go on until so many requests have been sent.
    #[arg(long, default_value_t = 50_000)]
    requests: usize,
    /// Leaves Docker Swarm out.
    #[arg(long)]
    no_swarm: bool,
}

impl DeployArgs {
    fn effort(&self) -> DeployEffort {
        DeployEffort {
            rounds: self.rounds,
            requests: self.requests,
            swarm: !self.no_swarm,
        }
    }
}

impl EffortArgs {
    fn effort(self) -> Effort {
        Effort {
            seconds: self.seconds,
            clients: self.clients,
            objects: self.objects,
            kills: self.kills,
            soak: self.soak,
            peer: !self.no_peer,
        }
    }
}

pub fn run(command: BenchCommand) -> anyhow::Result<()> {
    match command.what {
        None | Some(What::Demo) => chaos::demo::bench()?,
        Some(What::Api(args)) => bench::api(&args.effort())?,
        Some(What::Raft(args)) => bench::raft(&args.effort())?,
        Some(What::Deploy(args)) => bench::deploy(&args.effort())?,
        Some(What::Planner) => bench::planner::planner(),
        Some(What::Secrets(args)) => bench::secrets(&args.effort())?,
        Some(What::Store(args)) => bench::store(&args.effort())?,
    }
    Ok(())
}
