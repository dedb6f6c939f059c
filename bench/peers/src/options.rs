//! What a measurement can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::server::Peer;

/// Measures the edge beside its peers and writes a table.
#[derive(Debug, Parser)]
pub struct Options {
    /// The built `aideator-edge` binary.
    #[arg(long, default_value = "target/debug/aideator-edge")]
    pub edge: PathBuf,
    /// Where the table goes: a section of this file; on the terminal without it.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Measure only what has this word in its name.
    #[arg(long)]
    pub only: Option<String>,
    /// Measure only this server (repeatable).
    #[arg(long, value_enum)]
    pub peer: Vec<Peer>,
    /// How often each server is measured, in turn.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Seconds to wait, before each measurement, for others to leave the machine alone.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
    /// A word about the machine's state, for the reader of the table.
    #[arg(long, default_value = "")]
    pub note: String,
    /// Be the server of bare sockets at this address.
    #[arg(long, hide = true)]
    pub serve: Option<SocketAddr>,
    /// How long it joins what is due.
    #[arg(long, hide = true, default_value_t = 0)]
    pub join_ms: u64,
}
