//! `make bench-peers`: the edge beside other servers of event streams, run alternately on one machine, with
//! one client and one payload.
//!
//! It starts built programs, speaks HTTP and NATS like anybody, on loopback only, and writes one table. It
//! never decides whether a figure is good. It names neither the edge's crate nor the watcher's, so that it is
//! built in a minute. Start reading at `load.rs`; the client is `crowd.rs`, the servers are `server.rs`.

mod bare;
mod crowd;
mod figures;
mod http;
mod load;
mod measures;
mod pace;
mod process;
mod quiet;
mod response;
mod results;
mod round;
mod server;
mod sse;
mod stamp;
mod table;
mod tally;
mod viewer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::server::Peer;

/// Measures the edge beside its peers and writes a table.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The built `aideator-edge` binary.
    #[arg(long, default_value = "target/debug/aideator-edge")]
    edge: PathBuf,
    /// Where the table goes: a section of this file; on the terminal without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure only what has this word in its name.
    #[arg(long)]
    only: Option<String>,
    /// Measure only this server (repeatable).
    #[arg(long, value_enum)]
    peer: Vec<Peer>,
    /// How often each server is measured, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds to wait, before each measurement, for others to leave the machine alone.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// A word about the machine's state, for the reader of the table.
    #[arg(long, default_value = "")]
    note: String,
    /// Be the server of bare sockets at this address.
    #[arg(long, hide = true)]
    serve: Option<SocketAddr>,
    /// How long it joins what is due.
    #[arg(long, hide = true, default_value_t = 0)]
    join_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    process::allow_files()?;
    if let Some(address) = options.serve {
        return bare::serve(address, Duration::from_millis(options.join_ms));
    }
    let mut told_to_stop = signal(SignalKind::terminate())?;
    tokio::select! {
        section = round::all(&options) => results::write(&section, options.out.as_deref()),
        // What was started ends as it is dropped.
        _ = tokio::signal::ctrl_c() => bail!("stopped"),
        _ = told_to_stop.recv() => bail!("told to stop"),
    }
}
