//! An installation to measure: `aideator up`, whole or in parts, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use aideator_bus::credentials::{Keys, User};
use aideator_bus::{Bus, Connect, Declared};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const READY: Duration = Duration::from_secs(60);
const STOPPED: Duration = Duration::from_secs(30);

/// What `up --json` prints once everything is ready.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    /// The address of the web interface and the API.
    #[serde(default)]
    pub(crate) http: Option<String>,
    /// The address of NATS.
    pub(crate) nats: String,
}

/// A running `aideator up`.
#[derive(Debug)]
pub(crate) struct Up {
    child: Child,
    pub(crate) ready: Ready,
    pub(crate) took: Duration,
}

/// A data directory and the binary that uses it.
#[derive(Debug)]
pub(crate) struct Installation {
    aideator: PathBuf,
    folder: TempDir,
}

impl Installation {
    pub(crate) fn new(aideator: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            aideator: aideator.to_owned(),
            folder: TempDir::new()?,
        })
    }

    /// Starts everything, or one part, and waits until it says that it is ready.
    pub(crate) async fn up(&self, more: &[&str]) -> anyhow::Result<Up> {
        let begun = Instant::now();
        let mut child = Command::new(&self.aideator)
            .args([
                "up",
                "--json",
                "--http",
                "127.0.0.1:0",
                "--model",
                "scripted/lorem",
            ])
            .arg("--data-dir")
            .arg(self.folder.path())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.aideator.display()))?;
        let stdout = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(READY, lines.next_line())
            .await
            .context("it never became ready")??;
        let took = begun.elapsed();
        let line = line.context("it ended before it was ready")?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let ready = serde_json::from_str(&line).with_context(|| format!("reading {line:?}"))?;
        Ok(Up { child, ready, took })
    }

    /// Starts nats-server with the streams in it, and an edge: nobody who would act on what is written.
    pub(crate) async fn nats_and_edge(&self) -> anyhow::Result<(Up, Up)> {
        let nats = self
            .up(&["--only", "nats", "--nats", "127.0.0.1:0"])
            .await?;
        let bus = self.bus(&nats.ready).await?;
        bus.ensure(&Declared::default()).await?;
        let edge = self
            .up(&["--only", "edge", "--nats", &nats.ready.nats])
            .await?;
        Ok((nats, edge))
    }

    /// A connection that may do everything.
    pub(crate) async fn bus(&self, ready: &Ready) -> anyhow::Result<Bus> {
        let keys = Keys::open(&self.folder.path().join("keys"))?;
        let connect =
            Connect::new(&ready.nats, "bench").credentials(keys.credentials(User::Admin)?);
        Ok(Bus::connect(connect).await?)
    }
}

impl Up {
    /// The address of the HTTP API.
    pub(crate) fn http(&self) -> anyhow::Result<&str> {
        self.ready
            .http
            .as_deref()
            .context("this part serves no HTTP")
    }

    /// Resident memory of the process in KiB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        resident(self.child.id().context("it has ended")?)
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("it has ended")
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let pid = rustix::process::Pid::from_raw(pid).context("a process id")?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        if timeout(STOPPED, self.child.wait()).await.is_err() {
            bail!("it did not stop");
        }
        Ok(())
    }
}

/// Resident memory of a process in KiB.
pub(crate) fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("VmRSS")?.parse()?)
}

/// The process ids of a process's children whose command holds `word`.
pub(crate) fn children(of: u32, word: &str) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = processes
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let read = |name| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
        let parent = read("stat")
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parent == Some(of) && read("cmdline").contains(word)
    })
    .collect()
}
