//! `make bench-peers`: measures the edge beside its peers.

use std::time::Duration;

use aideator_bench_peers::options::Options;
use aideator_bench_peers::{bare, process, results, round};
use anyhow::bail;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    process::allow_files()?;
    if let Some(address) = options.serve {
        return bare::serve(address, Duration::from_millis(options.join_ms));
    }
    let mut told_to_stop = signal(SignalKind::terminate())?;
    tokio::select! {
        section = round::all(&options) => results::write("Beside its peers", &section, options.out.as_deref()),
        // What was started ends as it is dropped.
        _ = tokio::signal::ctrl_c() => bail!("stopped"),
        _ = told_to_stop.recv() => bail!("told to stop"),
    }
}
