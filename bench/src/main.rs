//! `make bench`: what AIdeator costs and how fast it is, measured from outside on loopback.
//!
//! It starts the built binary, speaks HTTP and NATS like anybody, and writes one table. It never
//! decides whether a figure is good: the bars stand beside the figures in `bench/RESULTS.md`.
//! Start reading at `measures.rs`.

mod figures;
mod installation;
mod measures;
mod results;
mod runs;
mod viewer;

use std::path::PathBuf;

use clap::Parser;

/// Measures AIdeator and writes a table.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// The built `aideator` binary.
    #[arg(long)]
    aideator: PathBuf,
    /// Where the table goes; on the terminal without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Messages of other runs beside which a replay is measured.
    #[arg(long, default_value_t = 1_000_000)]
    others: u64,
    /// Measure only what has this word in its name.
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Every TLS client of the build shares one provider; a second installation is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let table = measures::all(&options).await?;
    results::write(&table, options.out.as_deref())
}
