//! The small model's server: a child that is started again when it dies, and ends with us.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::ready::http_answers;
use crate::error::Error;

/// The server, as `scripts/model-server` in the project.
const SCRIPT: &str = include_str!("../../../scripts/model-server");
/// Loading takes about a second; a first start from a cold disk longer.
const LOADING: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);
const ENDING: Duration = Duration::from_secs(2);

/// Where the small model is served from.
#[derive(Debug, Clone)]
pub(crate) struct ModelServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The folder of its Python packages.
    pub(crate) packages: PathBuf,
    /// Where its words go.
    pub(crate) log: PathBuf,
}

impl ModelServer {
    /// The base URL that agents ask.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits until it can answer, for as long as loading may take.
    pub(crate) async fn ready(&self) {
        let health = format!("http://{}/health", self.address);
        if timeout(LOADING, http_answers(&health)).await.is_err() {
            tracing::warn!(log = %self.log.display(), "the small model does not get ready");
        }
    }

    /// Keeps the server running until `shutdown`.
    pub(crate) async fn keep(self, shutdown: CancellationToken) -> Result<(), Error> {
        while !shutdown.is_cancelled() {
            let mut child = self.start()?;
            // It ends when its standard input does, and waiting for a child closes what it still holds.
            let input = child.stdin.take();
            tokio::select! {
                ended = child.wait() => {
                    tracing::warn!(?ended, log = %self.log.display(), "the small model's server ended; it is started again");
                    tokio::select! {
                        () = sleep(PAUSE) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                () = shutdown.cancelled() => {
                    drop(input);
                    if timeout(ENDING, child.wait()).await.is_err() {
                        let _ = child.kill().await;
                    }
                }
            }
        }
        Ok(())
    }

    fn start(&self) -> Result<Child, Error> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::file("open", &self.log))?;
        let errors = log.try_clone().map_err(Error::file("open", &self.log))?;
        Command::new("python3")
            .args(["-c", SCRIPT, "--port", &self.address.port().to_string()])
            .env("PYTHONPATH", &self.packages)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C is for us; it ends when we do.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::file("run", "python3"))
    }
}
