//! `aideator up`: everything on this machine, or one part of it.

use std::net::SocketAddr;

use aideator_bus::credentials::Keys;
use aideator_contract::limits;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::error::Error;
use crate::exit::Exit;
use crate::server::Server;
use crate::up::{Machine, Part};

/// Start everything on this machine. Ctrl-C ends it; agents that are at work go on, and the next `up`
/// takes them over. Ports of this machine are kept in the data directory and taken again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the web interface and the API listen; port 0: a free one [default: 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR", env = "AIDEATOR_HTTP", hide_env = true)]
    pub(crate) http: Option<SocketAddr>,
    /// Where on this machine our nats-server listens [default: 127.0.0.1:4222], or the URL of one that
    /// runs (nats://…)
    #[arg(long, value_name = "ADDR|URL", env = "AIDEATOR_NATS", hide_env = true, value_parser = where_nats_is)]
    pub(crate) nats: Option<WhereNats>,
    /// The model of who names none [default: by the keys in the environment, else the small local model]
    #[arg(short, long, env = "AIDEATOR_MODEL", hide_env = true)]
    pub(crate) model: Option<String>,
    /// Allow mode exec: whoever may start a run may then run commands as you
    #[arg(long, env = "AIDEATOR_ALLOW_EXEC", hide_env = true)]
    pub(crate) allow_exec: bool,
    /// Variations running at once
    #[arg(long, value_name = "N", default_value_t = limits::RUNNING_LOCAL, env = "AIDEATOR_MAX_RUNNING", hide_env = true)]
    pub(crate) max_running: usize,
    /// Print one line of JSON once everything is ready
    #[arg(long)]
    pub(crate) json: bool,
    /// Run one part alone, beside a running NATS (--nats) and with the same data directory
    #[arg(long, value_name = "PART")]
    pub(crate) only: Option<Part>,
    /// Copies of each stream, where --nats is a cluster of servers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replicas: u8,
    /// Seconds for which NATS remembers message ids; correctness does not depend on it
    #[arg(long, value_name = "S", default_value_t = limits::DUPLICATE_WINDOW.as_secs())]
    pub(crate) duplicate_window: u64,
    #[command(flatten)]
    pub(crate) edge: aideator_edge::Config,
}

/// Ours, or another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhereNats {
    /// We start it here.
    Ours(SocketAddr),
    /// It runs there.
    At(String),
}

fn where_nats_is(text: &str) -> Result<WhereNats, String> {
    if text.contains("://") {
        return Ok(WhereNats::At(text.to_owned()));
    }
    let address: SocketAddr = text.parse().map_err(|_| {
        String::from("expected an address like 127.0.0.1:4222, or a URL like nats://host:4222")
    })?;
    if !address.ip().is_loopback() {
        return Err(String::from(
            "our nats-server lets everybody in who reaches it, so it listens on this machine alone; for others run a nats-server yourself and give its URL: nats://host:4222",
        ));
    }
    Ok(WhereNats::Ours(address))
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    // Our environment holds the models' keys, and a command of `exec` runs as the same user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Error::Internal(format!("the keys can't be guarded: {error}")))?;
    let folder = server.folder()?;
    folder.create()?;
    let keys = Keys::open(&folder.keys())?;
    let machine = Machine { args, folder, keys };
    match machine.args.only {
        None => machine.everything().await?,
        Some(part) => machine.alone(part).await?,
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_is_ours_at_an_address_and_anothers_at_a_url() {
        assert_eq!(
            where_nats_is("127.0.0.1:0"),
            Ok(WhereNats::Ours("127.0.0.1:0".parse().unwrap()))
        );
        assert_eq!(
            where_nats_is("nats://a:1,nats://b:1"),
            Ok(WhereNats::At("nats://a:1,nats://b:1".into()))
        );
        assert!(where_nats_is("4222").is_err());
    }

    #[test]
    fn our_nats_listens_on_loopback_alone() {
        for elsewhere in ["0.0.0.0:4222", "192.0.2.1:4222", "[::]:0"] {
            let refused = where_nats_is(elsewhere).unwrap_err();
            assert!(refused.contains("nats://host:4222"), "{refused}");
        }
        assert!(where_nats_is("[::1]:4222").is_ok());
        assert!(where_nats_is("nats://192.0.2.1:4222").is_ok());
    }
}
