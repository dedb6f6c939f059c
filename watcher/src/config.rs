//! How a watcher is configured.

use std::path::PathBuf;

use clap::Args;

use crate::decide::Limits;

/// Options of the watcher.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The data directory; `--only submitter` on the same machine uses the same.
    #[arg(long, env = "AIDEATOR_DATA_DIR")]
    pub data_dir: PathBuf,
    /// How long things may take.
    #[arg(skip)]
    pub limits: Limits,
}

impl Config {
    /// A watcher of the attempts in `data_dir`, with the usual limits.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            limits: Limits::default(),
        }
    }
}
