//! An installation in a folder of its own: everything in one process, or each part as a process that
//! can be killed and started again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aideator_bus::credentials::{Keys, User};
use aideator_bus::server::testing::TestCluster;
use aideator_bus::{Bus, Connect};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{LIMIT, aideator, processes};

/// Lines of each log that are shown when a test fails.
const SHOWN: usize = 30;

/// What can run as a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `up` without `--only`.
    Everything,
    /// nats-server.
    Nats,
    /// Takes requests, launches agents.
    Submitter,
    /// Writes the states.
    Watcher,
    /// One of several edges.
    Edge(usize),
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Nats => "nats",
            Self::Submitter => "submitter",
            Self::Watcher => "watcher",
            Self::Edge(_) => "edge",
        }
    }
}

/// An installation. When it is dropped, everything that runs in its folder is ended.
pub struct Stage {
    // Before the folder, so that they are gone when it goes.
    parts: BTreeMap<Part, Running>,
    ports: BTreeMap<Part, u16>,
    arguments: Vec<String>,
    cluster: Option<TestCluster>,
    folder: TempDir,
}

struct Running {
    child: Child,
    said: Value,
}

impl Stage {
    /// An installation in which nothing runs; `arguments` go to every part.
    pub fn empty(arguments: &[&str]) -> Self {
        Self {
            parts: BTreeMap::new(),
            ports: BTreeMap::new(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            cluster: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Everything in one process.
    pub async fn whole(arguments: &[&str]) -> Self {
        let mut stage = Self::empty(arguments);
        stage.start(Part::Everything).await;
        stage
    }

    /// Each part in a process of its own, with this many edges.
    pub async fn in_parts(edges: usize, arguments: &[&str]) -> Self {
        let mut stage = Self::empty(arguments);
        stage.start(Part::Nats).await;
        stage.start_services(edges).await;
        stage
    }

    /// The same beside a cluster of three NATS servers, each stream in three copies.
    pub async fn beside_a_cluster(edges: usize, arguments: &[&str]) -> Self {
        let mut stage = Self::empty(arguments);
        stage.arguments.extend(["--replicas".into(), "3".into()]);
        stage.cluster = Some(TestCluster::start_with_keys(stage.keys()).await);
        stage.start_services(edges).await;
        stage
    }

    async fn start_services(&mut self, edges: usize) {
        self.start(Part::Submitter).await;
        self.start(Part::Watcher).await;
        for edge in 0..edges {
            self.start(Part::Edge(edge)).await;
        }
    }

    /// The cluster, where there is one.
    pub fn cluster(&mut self) -> &mut TestCluster {
        self.cluster.as_mut().expect("started beside a cluster")
    }

    /// Whether NATS is a cluster.
    pub fn has_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// The data directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of an attempt.
    pub fn attempt(&self, run: &str, variation: usize, attempt: u32) -> PathBuf {
        let name = format!("attempts/{run}.{variation}.{attempt}");
        self.folder().join(name)
    }

    /// Starts a part and waits until it says that it is there.
    pub async fn start(&mut self, part: Part) {
        let log = self.log(part);
        let log = OpenOptions::new().append(true).create(true).open(log);
        let log: File = log.unwrap();
        let mut command = Command::from(aideator());
        command
            .env("AIDEATOR_MODEL", "scripted/lorem")
            .args(["up", "--json", "--data-dir"])
            .arg(self.folder.path())
            .args(&self.arguments)
            .args(self.where_to(part))
            .stdout(Stdio::piped())
            .stderr(log);
        if part != Part::Everything {
            command.args(["--only", part.name()]);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(LIMIT, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{part:?} says nothing"));
        let line = line.unwrap().unwrap_or_else(|| panic!("{part:?} ended"));
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{part:?}: {line:?}"));
        self.parts.insert(part, Running { child, said });
    }

    fn where_to(&mut self, part: Part) -> Vec<String> {
        let mut at = Vec::new();
        if let Part::Edge(_) | Part::Everything = part {
            at.extend(["--http".into(), self.listen(part)]);
        }
        let nats = match (part, &self.cluster) {
            (Part::Nats | Part::Everything, _) => self.listen(part),
            (_, Some(cluster)) => cluster.url(),
            (_, None) => self.nats(),
        };
        at.extend(["--nats".into(), nats]);
        at
    }

    /// Where a part listens, always the same. Not a port of those that connections are given when they
    /// are made: while its owner is dead, one that tries to reach it could be given it.
    fn listen(&mut self, part: Part) -> String {
        if part == Part::Everything {
            return "127.0.0.1:0".into();
        }
        let free = || {
            let port = rand::random_range(10_000..32_000);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|_| port)
        };
        let port = *self
            .ports
            .entry(part)
            .or_insert_with(|| (0..100).find_map(|_| free().ok()).unwrap());
        format!("127.0.0.1:{port}")
    }

    /// `kill -9`.
    pub async fn kill(&mut self, part: Part) {
        let mut running = self.parts.remove(&part).expect("it runs");
        running.child.kill().await.unwrap();
    }

    /// Ends a part in order.
    pub async fn stop(&mut self, part: Part) {
        let mut running = self.parts.remove(&part).expect("it runs");
        processes::signal(running.child.id().unwrap(), Signal::TERM);
        let ended = timeout(LIMIT, running.child.wait()).await;
        let ended = ended
            .unwrap_or_else(|_| panic!("{part:?} does not end"))
            .unwrap();
        assert!(ended.success(), "{part:?}: {ended}");
    }

    /// The process id of a part.
    pub fn pid(&self, part: Part) -> u32 {
        self.parts[&part].child.id().expect("it runs")
    }

    /// Where an edge listens.
    pub fn edge(&self, number: usize) -> SocketAddr {
        let part = [Part::Edge(number), Part::Everything];
        let running = part.iter().find_map(|part| self.parts.get(part));
        let http = running.expect("an edge runs").said["http"]
            .as_str()
            .unwrap();
        http.trim_start_matches("http://").parse().unwrap()
    }

    /// Where the only edge listens.
    pub fn http(&self) -> SocketAddr {
        self.edge(0)
    }

    /// Where NATS is, for clients.
    pub fn nats(&self) -> String {
        if let Some(cluster) = &self.cluster {
            return cluster.url();
        }
        match self.parts.get(&Part::Everything) {
            Some(everything) => everything.said["nats"].as_str().unwrap().to_owned(),
            None => format!("nats://127.0.0.1:{}", self.ports[&Part::Nats]),
        }
    }

    /// The keys of this installation.
    pub fn keys(&self) -> Keys {
        Keys::open(&self.folder().join("keys")).unwrap()
    }

    /// A connection that may do everything.
    pub async fn admin(&self) -> Bus {
        let credentials = self.keys().credentials(User::Admin).unwrap();
        self.connect(Connect::new(self.nats(), "test").credentials(credentials))
            .await
    }

    /// A connection as any script has it: without credentials.
    pub async fn script(&self) -> Bus {
        self.connect(Connect::new(self.nats(), "a script")).await
    }

    async fn connect(&self, connect: Connect) -> Bus {
        Bus::connect(connect.wait(LIMIT)).await.unwrap()
    }

    fn log(&self, part: Part) -> PathBuf {
        self.folder().join(format!("{}.log", part.name()))
    }

    fn show_logs(&self) {
        let mut logs: Vec<PathBuf> = self.parts.keys().map(|part| self.log(*part)).collect();
        let attempts = fs::read_dir(self.folder().join("attempts"));
        let attempts = attempts.into_iter().flatten().flatten();
        logs.extend(attempts.map(|attempt| attempt.path().join("agent.log")));
        for path in logs {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- {}\n{}", path.display(), last.join("\n"));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        // Supervisors and nats-server outlive who started them; all name this folder.
        processes::kill_all_of(self.folder.path());
    }
}
