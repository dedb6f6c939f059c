//! Viewers of another hand: the npm package `eventsource`, in one node process. What each received is
//! checked here, by the same code as everybody's.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::seen::Seen;

const SCRIPT: &str = include_str!("../viewers.mjs");
const MANIFEST: &str = include_str!("../package.json");
const LOCK: &str = include_str!("../package-lock.json");

/// A node process full of viewers.
#[derive(Debug)]
pub(crate) struct Browsers {
    said: Lines<BufReader<ChildStdout>>,
    _node: Child,
}

/// What one of them received.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    pub(crate) run: String,
    pub(crate) seen: Seen,
    /// The status at which it stopped asking.
    pub(crate) status: Option<u16>,
    pub(crate) opened: u64,
}

/// A line of the script.
#[derive(Debug, Deserialize)]
struct Line {
    viewer: usize,
    run: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    status: u16,
}

impl Browsers {
    /// Installs the package into `folder`, as pinned.
    pub(crate) async fn install(folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("package.json"), MANIFEST)?;
        std::fs::write(folder.join("package-lock.json"), LOCK)?;
        std::fs::write(folder.join("viewers.mjs"), SCRIPT)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--silent"]);
        let installed = npm.current_dir(folder).kill_on_drop(true).status().await;
        ensure!(
            installed.context("there is no npm")?.success(),
            "npm ci failed"
        );
        Ok(())
    }

    /// Lets viewers come to the runs in turn.
    pub(crate) fn gather(
        folder: &Path,
        door: &str,
        size: usize,
        runs: &[String],
    ) -> anyhow::Result<Self> {
        let mut node = Command::new("node");
        node.arg(folder.join("viewers.mjs"));
        node.args([door, &size.to_string(), &runs.join(",")]);
        node.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut node = node.spawn().context("there is no node")?;
        let said = BufReader::new(node.stdout.take().context("its output")?).lines();
        Ok(Self { said, _node: node })
    }

    /// Reads what they say until all have stopped.
    pub(crate) async fn end(mut self) -> anyhow::Result<Vec<Browser>> {
        let mut browsers: HashMap<usize, Browser> = HashMap::new();
        while let Some(line) = self.said.next_line().await? {
            let line: Line = serde_json::from_str(&line).context("a line of viewers.mjs")?;
            let browser = browsers.entry(line.viewer).or_default();
            browser.run = line.run;
            match line.event.as_str() {
                "closed" => browser.status = Some(line.status),
                "open" => browser.opened += 1,
                name => drop(browser.seen.event(name, line.data.as_bytes())?),
            }
        }
        Ok(browsers.into_values().collect())
    }
}
