//! `chaos bench`: figures.

use chaos::bench::{self, Effort};
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
    /// Reading sealed values, and rotating the key of --objects of them while others write, on three nodes.
    Secrets(EffortArgs),
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
    /// Leaves etcd out.
    #[arg(long)]
    no_peer: bool,
}

impl EffortArgs {
    fn effort(self) -> Effort {
        Effort {
            seconds: self.seconds,
            clients: self.clients,
            objects: self.objects,
            kills: self.kills,
            peer: !self.no_peer,
        }
    }
}

pub fn run(command: BenchCommand) -> anyhow::Result<()> {
    match command.what {
        None | Some(What::Demo) => chaos::demo::bench()?,
        Some(What::Api(args)) => bench::api(&args.effort())?,
        Some(What::Raft(args)) => bench::raft(&args.effort())?,
        Some(What::Secrets(args)) => bench::secrets(&args.effort())?,
    }
    Ok(())
}
