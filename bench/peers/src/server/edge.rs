//! The edge as it ships, behind nats-server in operator mode as `aideator up` runs it. Runs are written to
//! JetStream as submitter, watcher and agent write them: a state log, an attempt, fenced and named output.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use aideator_bus::credentials::{Keys, User};
use aideator_bus::server::{Auth, Binary, Server, ServerConfig};
use aideator_bus::{Append, Bus, Connect, Declared, Expect};
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, AttemptRecord, Change, Mode, RunId, RunSpec, State, StateMessage, Subject, Summary,
    Timestamp, Variation, VariationSpec,
};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use tempfile::TempDir;

use super::{Message, free, get, serves};
use crate::crowd::Target;
use crate::process::Process;
use crate::stamp::Stamp;
use crate::viewer::Watch;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Edge {
    program: PathBuf,
    /// `None` between an end and a start.
    process: Option<Process>,
    address: SocketAddr,
    nats: Server,
    pub(crate) bus: Bus,
    folder: TempDir,
}

/// Writes one run.
#[derive(Debug)]
pub(crate) struct Writer {
    bus: Bus,
    run: RunId,
    variation: Variation,
    message: Message,
    attempt: Subject,
    /// The sequence that opened the attempt: what is written stands behind it.
    fence: u64,
    summary: Summary,
    /// The sequence of the last message.
    last: u64,
}

impl Edge {
    pub(super) async fn start(program: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let keys = Keys::generate()?;
        let auth = Auth::Operator(keys.trust().clone());
        let config = ServerConfig::local(folder.path().join("nats"), auth);
        let nats = Server::start(&Binary::find(None, None).await?, &config, LIMIT).await?;
        let credentials = keys.credentials(User::Admin)?;
        let bus = Bus::connect(Connect::new(nats.url(), "bench").credentials(credentials)).await?;
        bus.ensure(&Declared::default()).await?;
        keys.credentials(User::Edge)?
            .save(&folder.path().join("edge.creds"))?;
        let mut edge = Self {
            program: program.to_owned(),
            process: None,
            address: free()?,
            nats,
            bus,
            folder,
        };
        edge.restart().await?;
        Ok(edge)
    }

    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = None;
        let mut command = Command::new(&self.program);
        command.arg("--listen").arg(self.address.to_string());
        command.arg("--nats").arg(self.nats.url());
        command
            .arg("--creds")
            .arg(self.folder.path().join("edge.creds"));
        let mut process = Process::start(&mut command, &self.folder.path().join("edge.log"))?;
        serves(&mut process, self.address, Some("/readyz")).await?;
        self.process = Some(process);
        Ok(())
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.process = None;
        ensure!(self.nats.stop(LIMIT).await, "nats-server had to be killed");
        Ok(())
    }

    pub(super) async fn begin(&self, run: &str) -> anyhow::Result<Writer> {
        Writer::begin(self.bus.clone(), run).await
    }

    pub(super) fn target(&self, run: &str) -> Target {
        let path = format!("/api/v1/runs/{run}/stream");
        Target {
            address: self.address,
            request: get(self.address, &path).into(),
            watch: Watch::From("caught-up"),
        }
    }

    /// Who listens to everything that is shown live, at NATS itself: the least that a viewer can wait.
    pub(crate) fn bare(&self) -> Target {
        let live = aideator_contract::subject::LIVE_ALL;
        Target {
            address: self.nats.address(),
            request: format!(
                "CONNECT {{\"verbose\":false,\"headers\":true,\"protocol\":1}}\r\nSUB {live} 1\r\n"
            )
            .into(),
            watch: Watch::Nats,
        }
    }

    /// Whom to ask for the consumers of the stream of runs.
    pub(crate) fn consumers_are_told_by(&self) -> String {
        let stream = aideator_contract::subject::RUNS_STREAM;
        format!("$JS.API.CONSUMER.NAMES.{stream}")
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    pub(crate) fn nats_pid(&self) -> Option<u32> {
        self.nats.pid()
    }
}

impl Writer {
    async fn begin(bus: Bus, name: &str) -> anyhow::Result<Self> {
        let run: RunId = name.parse()?;
        let variation = Variation::at(0).context("the first variation")?;
        let spec = spec();
        let attempt = spec
            .attempt(&run, variation, Attempt::FIRST, u64::MAX)
            .context("an attempt")?;
        let record = serde_json::to_vec(&AttemptRecord::opened(attempt, now()))?;
        let attempt = Subject::attempt(&run, variation);
        let opened = bus
            .append(&attempt, record.into(), Append::default())
            .await?;
        let mut writer = Self {
            message: Message::of(name)?,
            summary: Summary::accepted(&spec, String::new(), 1, now()),
            fence: opened.sequence,
            last: 0,
            bus,
            run,
            variation,
            attempt,
        };
        let spec = Box::new(spec);
        writer.say(Change::Accepted { spec }).await?;
        writer.go(State::Running, None).await?;
        let start = writer.message.start();
        writer.out(0, start).await?;
        Ok(writer)
    }

    pub(super) async fn put(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        let json = self.message.json(stamp);
        self.out(stamp.n, json).await
    }

    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        let ending = Ending {
            out: self.last,
            ..Ending::default()
        };
        self.go(State::Succeeded, Some(ending)).await
    }

    async fn out(&mut self, n: u64, json: Vec<u8>) -> anyhow::Result<()> {
        let subject = Subject::out(&self.run, self.variation);
        let name = format!("{}.{}.1.bench.{n}", self.run, self.variation);
        let how = Append {
            msg_id: Some(&name),
            expect: Expect::LastOn {
                filter: &self.attempt,
                sequence: self.fence,
            },
            ..Append::default()
        };
        self.last = self.bus.append(&subject, json.into(), how).await?.sequence;
        Ok(())
    }

    async fn go(&mut self, to: State, ending: Option<Ending>) -> anyhow::Result<()> {
        let step = Move {
            variation: self.variation,
            attempt: Attempt::FIRST,
            to,
            reason: None,
            ending,
            command: None,
            at: now(),
        };
        let (summary, change) = self.summary.moved(step)?;
        self.summary = summary;
        self.say(change).await
    }

    async fn say(&self, change: Change) -> anyhow::Result<()> {
        let message = StateMessage::new(self.run.clone(), now(), change, self.summary.clone());
        let json = Bytes::from(serde_json::to_vec(&message)?);
        let subject = Subject::state(&self.run);
        self.bus.append(&subject, json, Append::default()).await?;
        Ok(())
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn spec() -> RunSpec {
    RunSpec {
        prompt: "measure".into(),
        source: None,
        mode: Mode::Analyze,
        variations: vec![VariationSpec {
            model: "scripted/lorem".into(),
            temperature: None,
            instructions: None,
        }],
        deadline_s: 3600,
        requester: None,
    }
}
