//! `goblins recover`: for when a majority of the voters is lost for good. Works without a daemon, on its folder.

mod file;
mod render;

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args};
use raft::{Survivor, SurvivorFolder, advise};

/// What to recover, and how far to go.
#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["plan", "force_new_cluster"])))]
pub(crate) struct RecoverArgs {
    /// Show what this survivor holds, and with the files of the others which one to keep and what may be lost. Changes
    /// nothing
    #[arg(long)]
    plan: bool,
    /// Make this survivor the only node of the cluster, with all that it holds. All other nodes are out from then on, and
    /// have to join anew with empty data folders
    #[arg(long)]
    force_new_cluster: bool,
    /// Data folder of the survivor; no daemon may use it
    #[arg(long, value_name = "DIR", env = "GOBLINS_DATA_DIR")]
    data_dir: PathBuf,
    /// What `--plan --json` printed on another survivor; can be given for each of them
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Print JSON, to be given to another survivor by --with
    #[arg(long, conflicts_with = "force_new_cluster")]
    json: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "plan")]
    yes: bool,
}

pub(crate) fn run(args: &RecoverArgs) -> Result<()> {
    let folder = SurvivorFolder::open(&args.data_dir)?;
    let mut survivors = vec![folder.survivor().clone()];
    for path in &args.with {
        let other = file::read(path)?;
        // Whoever gives all files that there are gives this one's own too.
        if other != survivors[0] {
            survivors.push(other);
        }
    }
    let advice = advise(&survivors)?;
    if args.plan {
        if args.json {
            println!("{}", file::write(folder.survivor(), &advice)?);
        } else {
            print!("{}", render::plan(&survivors, &advice));
        }
        return Ok(());
    }
    let own = folder.survivor();
    if advice.is_quorum {
        bail!(
            "a majority of the voters is here: start their daemons, and nothing is lost. There is nothing to recover"
        );
    }
    if advice.keep != own.node {
        bail!(
            "{} is the one to keep: run this there. To keep this node all the same, and lose what only {} has, leave the \
             files of the others out",
            named(&survivors, advice.keep),
            named(&survivors, advice.keep)
        );
    }
    if !args.yes {
        print!("{}", render::plan(&survivors, &advice));
        confirm(own)?;
    }
    let (node, name) = (own.node, own.name.clone());
    let epoch = folder.refound()?;
    println!(
        "{name} (node {node}) is the only node of its cluster now, in epoch {epoch}. Start its daemon as before. All other \
         nodes are out: empty their data folders and let them join with a token from `goblins token create`."
    );
    Ok(())
}

fn named(survivors: &[Survivor], node: model::NodeId) -> String {
    let it = survivors.iter().find(|it| it.node == node);
    it.map_or_else(|| format!("node {node}"), |it| format!("{} (node {node})", it.name))
}

/// Whoever does this has to say for which cluster or node, so that it does not happen to another.
fn confirm(own: &Survivor) -> Result<()> {
    print!(
        "\nTo found the cluster anew with this node alone, type its name ({}) or the id of the cluster: ",
        own.name
    );
    io::stdout().flush().context("cannot ask")?;
    let mut typed = String::new();
    io::stdin()
        .lock()
        .read_line(&mut typed)
        .context("cannot read the answer")?;
    if is_confirmed(own, &typed) {
        Ok(())
    } else {
        bail!("neither the name of the node nor the id of the cluster was given: nothing was changed");
    }
}

fn is_confirmed(own: &Survivor, typed: &str) -> bool {
    let typed = typed.trim();
    !typed.is_empty() && (typed == own.name || typed == own.cluster.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_or_the_cluster_confirms() {
        let mut own = render::example(2);
        own.name = "b".to_owned();
        assert!(is_confirmed(&own, "b\n") && is_confirmed(&own, &format!("{}\n", own.cluster)));
        for wrong in ["", "\n", "yes\n", "c\n"] {
            assert!(!is_confirmed(&own, wrong), "{wrong:?}");
        }
        own.name = String::new();
        assert!(
            !is_confirmed(&own, "\n"),
            "a node without a name is not confirmed by nothing"
        );
    }
}
