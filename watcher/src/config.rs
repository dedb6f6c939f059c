//! How a watcher is configured.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use aideator_contract::limits;
use clap::Args;

use crate::decide::Limits;
use crate::error::Error;

/// A watcher of this machine's attempts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory; `--only submitter` on the same machine uses the same.
    pub data_dir: PathBuf,
    /// How long things may take.
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

/// Options of the watcher of a cluster.
#[derive(Debug, Clone, Args)]
pub struct ClusterConfig {
    /// The namespace in which agents run
    #[arg(long, env = "AIDEATOR_NAMESPACE")]
    pub namespace: String,
    /// The installation whose agents are watched, as their label app.kubernetes.io/instance says
    #[arg(long, env = "AIDEATOR_INSTANCE")]
    pub instance: String,
    /// Folder of the embedded database; not used with --surreal-url
    #[arg(long, env = "AIDEATOR_DATA_DIR", default_value = "/data")]
    pub data_dir: PathBuf,
    /// A SurrealDB server that holds the list of runs, ws://host:port (TLS is not built in)
    #[arg(long, env = "AIDEATOR_SURREAL_URL", value_name = "URL")]
    pub surreal_url: Option<String>,
    /// The SurrealDB server's root user
    #[arg(long, env = "AIDEATOR_SURREAL_USER", requires = "surreal_password")]
    pub surreal_user: Option<String>,
    /// That user's password
    #[arg(
        long,
        env = "AIDEATOR_SURREAL_PASSWORD",
        requires = "surreal_user",
        hide_env_values = true
    )]
    pub surreal_password: Option<String>,
    /// Seconds from the admission of an agent's pod until the agent must run
    #[arg(long, env = "AIDEATOR_START_ALLOWANCE_S", default_value_t = limits::START_ALLOWANCE.as_secs())]
    pub start_allowance_s: u64,
}

impl ClusterConfig {
    /// Where the list of runs is kept.
    pub(crate) fn database(&self) -> Result<Database, Error> {
        // Helm renders what is not set as an empty text.
        let Some(url) = self.surreal_url.clone().filter(|url| !url.is_empty()) else {
            return Ok(Database::Embedded(self.data_dir.clone()));
        };
        if !url.starts_with("ws://") {
            return Err(Error::Config(format!(
                "AIDEATOR_SURREAL_URL is ws://host:port; got {url:?} (TLS ends in front of the server or in a sidecar)"
            )));
        }
        let user = self.surreal_user.clone().filter(|user| !user.is_empty());
        let login = user.zip(self.surreal_password.clone());
        Ok(Database::Server(DatabaseServer { url, login }))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            start_allowance: Duration::from_secs(self.start_allowance_s),
            ..Limits::default()
        }
    }
}

/// Where the projection is kept.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// In a folder of this data directory.
    Embedded(PathBuf),
    /// By a server.
    Server(DatabaseServer),
}

/// A SurrealDB server.
#[derive(Clone)]
pub(crate) struct DatabaseServer {
    pub(crate) url: String,
    /// Its root user and the password.
    pub(crate) login: Option<(String, String)>,
}

impl fmt::Debug for DatabaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseServer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
