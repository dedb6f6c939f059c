//! The edge as it ships, behind nats-server in operator mode as `aideator up` runs it. Runs are written to
//! JetStream as submitter, watcher and agent write them: a state log, an attempt, fenced and named output.

use std::path::Path;
use std::time::Duration;

use aideator_bus::archive::Archiver;
use aideator_bus::credentials::{Keys, User};
use aideator_bus::server::{Auth, Binary, Server, ServerConfig};
use aideator_bus::{Append, Bus, Connect, Declared, Expect};
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{RunId, Subject, Variation};
use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use tempfile::TempDir;

use super::{Message, free, get};
use crate::crowd::Target;
use crate::instance::{Instance, Setup};
use crate::runs::StateLog;
use crate::stamp::Stamp;
use crate::viewer::Watch;

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Edge {
    instance: Instance,
    nats: Server,
    pub bus: Bus,
    _folder: TempDir,
}

/// Writes one run of one variation.
#[derive(Debug)]
pub struct Writer {
    bus: Bus,
    log: StateLog,
    run: RunId,
    variation: Variation,
    message: Message,
    attempt: Subject,
    /// The sequence that opened the attempt: what is written stands behind it.
    fence: u64,
    /// The sequence of the last message.
    last: u64,
    /// Messages so far.
    length: u64,
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
        let creds = folder.path().join("edge.creds");
        keys.credentials(User::Edge)?.save(&creds)?;
        let address = free()?;
        let setup = Setup {
            program: program.to_owned(),
            listen: address,
            asked_at: address,
            nats: nats.url(),
            creds,
            token: None,
            namespace: None,
            log: folder.path().join("edge.log"),
        };
        Ok(Self {
            instance: Instance::start(setup).await?,
            nats,
            bus,
            _folder: folder,
        })
    }

    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.instance.restart().await
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.instance.end().await;
        ensure!(self.nats.stop(LIMIT).await, "nats-server had to be killed");
        Ok(())
    }

    pub(super) async fn begin(&self, run: &str) -> anyhow::Result<Writer> {
        Writer::begin(self.bus.clone(), run).await
    }

    pub(super) fn target(&self, run: &str) -> Target {
        let path = format!("/api/v1/runs/{run}/stream");
        Target {
            address: self.instance.address(),
            request: get(self.instance.address(), &path).into(),
            watch: Watch::From("caught-up"),
        }
    }

    /// Who listens to everything that is shown live, at NATS itself: the least that a viewer can wait.
    pub fn bare(&self) -> Target {
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
    pub fn consumers_are_told_by(&self) -> String {
        let stream = aideator_contract::subject::RUNS_STREAM;
        format!("$JS.API.CONSUMER.NAMES.{stream}")
    }

    pub(super) fn pid(&self) -> u32 {
        self.instance.pid()
    }

    pub fn nats_pid(&self) -> Option<u32> {
        self.nats.pid()
    }
}

impl Writer {
    async fn begin(bus: Bus, name: &str) -> anyhow::Result<Self> {
        let run: RunId = name.parse()?;
        let variation = Variation::at(0).context("the first variation")?;
        let mut log = StateLog::accept(bus.clone(), run.clone(), 1).await?;
        let mut writer = Self {
            fence: log.open(variation).await?,
            message: Message::of(name)?,
            attempt: Subject::attempt(&run, variation),
            last: 0,
            length: 0,
            bus,
            log,
            run,
            variation,
        };
        let start = writer.message.start();
        writer.out(start).await?;
        Ok(writer)
    }

    pub(super) async fn put(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        self.say(stamp.text()).await
    }

    /// Stores words without a stamp, or with one.
    pub async fn say(&mut self, words: String) -> anyhow::Result<()> {
        let json = self.message.text(self.length, words);
        self.out(json).await
    }

    /// The run is over, and archived as the watcher does it.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        self.log.succeed(self.variation, self.last).await?;
        let epoch = self.bus.stream_state(RUNS_STREAM).await?.epoch;
        let mut archiver = Archiver::new(epoch);
        let all = Subject::run_all(&self.run);
        let mut all = self.bus.scan(RUNS_STREAM, all.as_str(), 1, None);
        while let Some(stored) = all.next().await {
            archiver.push(&stored?);
        }
        let archives = self.bus.archives();
        archives.put(&self.run, &archiver.finish()).await?;
        Ok(())
    }

    async fn out(&mut self, json: Vec<u8>) -> anyhow::Result<()> {
        let subject = Subject::out(&self.run, self.variation);
        let name = format!("{}.{}.1.bench.{}", self.run, self.variation, self.length);
        self.length += 1;
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
}
