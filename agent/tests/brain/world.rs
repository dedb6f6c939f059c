//! A server with our streams, one open attempt, and what the agent of it stored.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aideator_agent::Error;
use aideator_agent::brain::{self, Deps, Tools};
use aideator_agent::hands::HandsAt;
use aideator_agent::model::Settings;
use aideator_agent::redact::Secrets;
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared};
use aideator_contract::attempt::Cause;
use aideator_contract::control::Control;
use aideator_contract::event::OutMessage;
use aideator_contract::local::AttemptName;
use aideator_contract::report::{Done, Outcome, Report, ReportMessage};
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{
    AttemptRecord, AttemptSpec, Event, Mode, Source, Subject, Timestamp, VariationSpec,
};
use bytes::Bytes;
use futures::TryStreamExt as _;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_aideator-agent");

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) bus: Bus,
    /// A test that restarts it takes it out.
    pub(crate) server: Option<TestServer>,
}

/// The future's value, which is due within twenty seconds.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}

pub(crate) fn spec(name: &str, model: &str) -> AttemptSpec {
    let name: AttemptName = name.parse().unwrap();
    AttemptSpec {
        run: name.run,
        variation: name.variation,
        attempt: name.attempt,
        prompt: "What is this?".into(),
        source: None,
        mode: Mode::Analyze,
        variation_spec: VariationSpec {
            model: model.into(),
            temperature: None,
            instructions: None,
        },
        deadline_s: 60,
        output_bytes: 1 << 20,
    }
}

pub(crate) fn exec(name: &str, command: &str) -> AttemptSpec {
    AttemptSpec {
        prompt: command.into(),
        mode: Mode::Exec,
        ..spec(name, "none")
    }
}

impl World {
    pub(crate) async fn begin() -> Self {
        let server = TestServer::start().await;
        let connect = Connect::new(server.url(), "test");
        Self::of(server, connect).await
    }

    pub(crate) async fn of(server: TestServer, connect: Connect) -> Self {
        let bus = Bus::connect(connect).await.unwrap();
        bus.ensure(&Declared::default()).await.unwrap();
        Self {
            url: server.url(),
            bus,
            server: Some(server),
        }
    }

    pub(crate) async fn open(&self, spec: AttemptSpec) -> AttemptName {
        let name = AttemptName {
            run: spec.run.clone(),
            variation: spec.variation,
            attempt: spec.attempt,
        };
        self.record(&name, &AttemptRecord::opened(spec, Timestamp::default()))
            .await;
        name
    }

    pub(crate) async fn close(&self, name: &AttemptName) {
        let closed = AttemptRecord::closed(name.attempt, Cause::Vanished, Timestamp::default());
        self.record(name, &closed).await;
    }

    async fn record(&self, name: &AttemptName, record: &AttemptRecord) {
        let payload = Bytes::from(serde_json::to_vec(record).unwrap());
        let subject = Subject::attempt(&name.run, name.variation);
        self.bus
            .append(&subject, payload, Append::default())
            .await
            .unwrap();
    }

    /// Runs a brain in this process until its last word or `shutdown`.
    pub(crate) async fn run(
        &self,
        name: &AttemptName,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        self.run_with(name, &[], shutdown).await
    }

    pub(crate) async fn run_with(
        &self,
        name: &AttemptName,
        environment: &[(&str, &str)],
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let bus = Bus::connect(Connect::new(&self.url, "agent"))
            .await
            .unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let environment = || {
            environment
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        };
        let deps = Deps {
            bus,
            name: AttemptName {
                run: name.run.clone(),
                variation: name.variation,
                attempt: name.attempt,
            },
            tools: Tools {
                hands: HandsAt::Child {
                    program: PathBuf::from(BINARY),
                    arguments: vec!["hands".into()],
                    workspace: workspace.path().to_owned(),
                },
                tip: false,
                settings: Settings::from_environment(environment()),
                secrets: Secrets::in_environment(environment()),
                digest_tokens: None,
            },
        };
        soon(brain::run(deps, shutdown)).await
    }

    pub(crate) async fn cancel(&self, name: &AttemptName) {
        let control = Control::Cancel {
            attempt: name.attempt,
        };
        let subject = Subject::control(&name.run, name.variation);
        self.bus
            .publish(
                subject.as_str(),
                serde_json::to_vec(&control).unwrap().into(),
            )
            .await
            .unwrap();
    }

    /// Ends once this client has connected again after the call.
    pub(crate) fn reconnected(&self) -> impl Future<Output = ()> + use<> {
        let mut reconnects = self.bus.reconnects();
        reconnects.mark_unchanged();
        async move { soon(reconnects.changed()).await.unwrap() }
    }

    /// What is stored on `.out`, checked to count from 0 without a gap.
    pub(crate) async fn out(&self, name: &AttemptName) -> Vec<Event> {
        let subject = Subject::out(&name.run, name.variation);
        let stored: Vec<_> = self
            .bus
            .scan(RUNS_STREAM, subject.as_str(), 0, None)
            .try_collect()
            .await
            .unwrap();
        let messages: Vec<OutMessage> = stored
            .iter()
            .map(|stored| serde_json::from_slice(&stored.payload).unwrap())
            .collect();
        for (n, message) in messages.iter().enumerate() {
            assert_eq!((message.attempt, message.n), (name.attempt, n as u64));
        }
        messages.into_iter().map(|message| message.event).collect()
    }

    pub(crate) async fn reports(&self, name: &AttemptName) -> Vec<Report> {
        let subject = Subject::report(&name.run, name.variation);
        let stored: Vec<_> = self
            .bus
            .scan(RUNS_STREAM, subject.as_str(), 0, None)
            .try_collect()
            .await
            .unwrap();
        let read = |payload: &[u8]| {
            serde_json::from_slice::<ReportMessage>(payload)
                .unwrap()
                .report
        };
        stored.iter().map(|stored| read(&stored.payload)).collect()
    }

    /// The last word, checked against what is stored.
    pub(crate) async fn done(&self, name: &AttemptName) -> Done {
        let Some(Report::Done(done)) = self.reports(name).await.pop() else {
            panic!("no last word")
        };
        let out = self.out(name).await;
        assert_eq!(done.out_n, out.len() as u64 - 1);
        assert_eq!(
            done.digest.sha256,
            aideator_contract::canonical::sha256_hex(text(&out).as_bytes())
        );
        *done
    }

    /// Waits until the text on `.out` holds `words`.
    pub(crate) async fn until_said(&self, name: &AttemptName, words: &str) {
        let waiting = async {
            while !text(&self.out(name).await).contains(words) {
                tokio::task::yield_now().await;
            }
        };
        soon(waiting).await;
    }
}

/// Waits until none of these processes runs any more.
pub(crate) async fn until_gone(pids: &str) {
    let gone = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    let waiting = async {
        while !pids.split_whitespace().all(gone) {
            tokio::task::yield_now().await;
        }
    };
    soon(waiting).await;
}

pub(crate) fn text(events: &[Event]) -> String {
    let deltas = events.iter().filter_map(|event| match event {
        Event::TextDelta { delta, .. } => Some(delta.as_str()),
        _ => None,
    });
    deltas.collect()
}

pub(crate) fn names(events: &[Event]) -> Vec<String> {
    let mut names: Vec<String> = events
        .iter()
        .map(|event| {
            serde_json::to_value(event).unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.dedup();
    names
}

pub(crate) fn code(done: &Done) -> String {
    match &done.outcome {
        Outcome::Failed { reason } => reason.code.wire(),
        other => panic!("{other:?}"),
    }
}

/// A repository with one commit.
pub(crate) fn repository(files: &[(&str, &str)]) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    for (path, content) in files {
        std::fs::write(folder.path().join(path), content).unwrap();
    }
    git(folder.path(), &["add", "--all"]);
    git(
        folder.path(),
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "-m",
            "x",
        ],
    );
    let commit = git(folder.path(), &["rev-parse", "HEAD"]).trim().to_owned();
    let repo = folder.path().to_str().unwrap().to_owned();
    (
        folder,
        Source {
            repo,
            reference: None,
            commit: Some(commit),
            trusted: false,
        },
    )
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
