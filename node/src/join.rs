//! `goblins join`: `goblins server --join` for people. Says what it is about to do, and refuses what cannot work first.

use anyhow::{Result, bail};
use clap::Args;
use storage::DataDir;

use crate::settings::{Birth, ServerArgs, Settings};

/// Flags of `goblins join`: those of `goblins server`, and whom to ask.
#[derive(Clone, Debug, Args)]
pub(crate) struct JoinArgs {
    /// Peer address of any node of the cluster
    #[arg(value_name = "IP:PORT")]
    addr: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// What this node is told, checked; and said to whoever has typed it.
pub(crate) fn settings(args: JoinArgs) -> Result<Settings> {
    let settings = check(args)?;
    let folder = settings.data_dir.display();
    if settings.data_dir.join("identity.json").exists() {
        println!("{folder} holds a node already: it starts as that one, and the address and token are not used");
    } else if let Birth::Join { addr, .. } = &settings.birth {
        println!(
            "joins the cluster of {addr} as {}, with its data in {folder}. This process is the node's daemon: keep it \
             running. For its next start `goblins server` with the same flags does; address and token are not needed again",
            settings.node_name
        );
    }
    Ok(settings)
}

fn check(args: JoinArgs) -> Result<Settings> {
    let JoinArgs { addr, mut server } = args;
    match &server.join {
        Some(other) if *other != addr => bail!("{addr} and --join {other}: name one node of the cluster"),
        _ => server.join = Some(addr),
    }
    let settings = Settings::from_server(server)?;
    if let Birth::Join { token, .. } = &settings.birth
        && !raft::is_join_token(token)
    {
        bail!(
            "--token: this is no join token, which reads gobj_..._<64 hex digits>: copy the whole line that `goblins token create` printed"
        );
    }
    DataDir::check(&settings.data_dir)?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(join: Option<&str>, token: Option<&str>) -> String {
        let server = ServerArgs {
            join: join.map(str::to_owned),
            token: token.map(str::to_owned),
            node_name: Some("b".to_owned()),
            ..ServerArgs::default()
        };
        let addr = "10.0.0.1:7401".to_owned();
        format!("{:#}", check(JoinArgs { addr, server }).expect_err("it cannot work"))
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_asked() {
        assert!(refused(None, None).contains("--token"));
        assert!(refused(None, Some("gobj_short")).contains("goblins token create"));
        assert!(refused(Some("10.0.0.2:7401"), Some("x")).contains("name one node"));
    }

    #[test]
    fn a_whole_token_is_taken_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = format!("gobj_secret_{}", "0f".repeat(32));
        let server = ServerArgs {
            token: Some(token.clone()),
            node_name: Some("b".to_owned()),
            data_dir: Some(folder.path().to_owned()),
            ..ServerArgs::default()
        };
        let addr = "10.0.0.1:7401".to_owned();
        let settings = check(JoinArgs {
            addr: addr.clone(),
            server,
        })
        .expect("it can be tried");
        assert_eq!(settings.birth, Birth::Join { addr, token });
    }
}
