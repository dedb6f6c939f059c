//! `make bench-faults`: breaks what the edge depends on, and the ways to it, and says what viewers noticed.
//!
//! It starts the built edge and nats-server, on loopback or in a network of its own, kills and cuts them, and
//! compares what each viewer was shown with what was said. It ends with an error where something was lost or
//! repeated, or a bar is missed. Start reading at `faults.rs`; what is compared is in `seen.rs`.

mod audience;
mod browsers;
mod cut;
mod faults;
mod network;
mod outpost;
mod proxy;
mod report;
mod seen;
mod stage;
mod story;
mod viewer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aideator_bench_peers::{process, quiet, results};
use anyhow::bail;
use clap::{Parser, ValueEnum as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::faults::Fault;
use crate::report::Row;

/// No fault takes longer.
const LIMIT: Duration = Duration::from_secs(600);

/// Breaks what the edge depends on and writes a table of what viewers noticed.
#[derive(Debug, Parser)]
struct Options {
    /// The faults; all of them if none is named.
    faults: Vec<Fault>,
    /// The built `aideator-edge` binary.
    #[arg(long, default_value = "target/debug/aideator-edge")]
    edge: PathBuf,
    /// Where the table goes: a section of this file; on the terminal without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seconds to wait, before a fault with times, for others to leave the machine alone.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// A word about the machine's state, for the reader of the table.
    #[arg(long, default_value = "")]
    note: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    process::allow_files()?;
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let rows = tokio::select! {
        rows = all(&options) => rows,
        // What was started ends as it is dropped.
        _ = tokio::signal::ctrl_c() => bail!("stopped"),
        _ = told_to_stop.recv() => bail!("told to stop"),
    };
    let section = report::section(&rows, &options.note);
    results::write("Under faults", &section, options.out.as_deref())?;
    let missed = rows.iter().filter(|row| !row.met).count();
    if missed > 0 {
        eprintln!("{missed} of {} lines miss their bar", rows.len());
    }
    Ok(ExitCode::from(u8::from(missed > 0)))
}

async fn all(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for fault in Fault::value_variants() {
        if !options.faults.is_empty() && !options.faults.contains(fault) {
            continue;
        }
        if fault.is_timed() {
            let patience = Duration::from_secs(options.patience);
            let busy = quiet::wait(patience).await.unwrap_or(1.0) * 100.0;
            eprintln!("{fault:?} (others use {busy:.0} %)");
        } else {
            eprintln!("{fault:?}");
        }
        let happened = match timeout(LIMIT, fault.happen(&options.edge)).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => vec![failed(*fault, &format!("{error:#}"))],
            Err(_) => vec![failed(*fault, "it took too long")],
        };
        for Row {
            what,
            result,
            bar,
            met,
        } in &happened
        {
            let mark = if *met { "" } else { "MISSED " };
            eprintln!("  {mark}{what}: {result} (bar {bar})");
        }
        rows.extend(happened);
    }
    rows
}

fn failed(fault: Fault, why: &str) -> Row {
    Row::new(format!("{fault:?}"), format!("failed: {why}")).bar("–", false)
}
