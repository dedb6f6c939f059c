//! A server, a data directory, and somebody who plays submitter, supervisor and agent.

use std::fs::{self, File};
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared, Expect};
use aideator_contract::local::{
    ATTEMPTS, AttemptName, CREDENTIALS, ExitStatus, LOCK, STATUS, WORKSPACE,
};
use aideator_contract::report::Done;
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::summary::Move;
use aideator_contract::usage::Digest;
use aideator_contract::{
    Attempt, AttemptRecord, Change, Event, Mode, OutMessage, Outcome, Report, ReportMessage, RunId,
    RunSpec, Startup, State, StateMessage, Subject, Summary, Timestamp, VERSION, Variation,
    VariationSpec,
};
use aideator_watcher::Config;
use aideator_watcher::decide::Limits;
use futures::TryStreamExt as _;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Stage {
    pub(crate) server: TestServer,
    pub(crate) bus: Bus,
    pub(crate) limits: Limits,
}

/// A watcher that runs.
pub(crate) struct Watching {
    stop: CancellationToken,
    task: JoinHandle<Result<(), aideator_watcher::Error>>,
}

/// A supervisor's hold on its lock.
pub(crate) struct Supervisor {
    folder: PathBuf,
    lock: Option<File>,
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(crate) fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

pub(crate) fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

/// The future's value, which is due within twenty seconds.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}

pub(crate) fn spec(model: &str, variations: usize) -> RunSpec {
    RunSpec {
        prompt: format!("What does {model} do?"),
        source: None,
        mode: Mode::Analyze,
        variations: vec![
            VariationSpec {
                model: model.to_owned(),
                temperature: None,
                instructions: None,
            };
            variations
        ],
        deadline_s: 60,
        requester: None,
    }
}

pub(crate) fn done(outcome: Outcome) -> Report {
    Report::Done(Box::new(Done {
        outcome,
        usage: None,
        digest: Digest {
            sha256: "d".repeat(64),
            bytes: 5,
        },
        out_n: 1,
    }))
}

async fn connect(server: &TestServer, user: User) -> Bus {
    let connect = Connect::new(server.url(), user.name());
    let credentials = server.credentials(user).unwrap();
    Bus::connect(connect.credentials(credentials))
        .await
        .unwrap()
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let server = TestServer::start_with_operator().await;
        let bus = connect(&server, User::Admin).await;
        bus.ensure(&Declared::default()).await.unwrap();
        Self {
            server,
            bus,
            limits: Limits::default(),
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.server.folder().join("data")
    }

    pub(crate) async fn watch(&self) -> Watching {
        let bus = connect(&self.server, User::Watcher).await;
        let stop = CancellationToken::new();
        let config = Config {
            limits: self.limits,
            ..Config::new(self.data_dir())
        };
        let task = tokio::spawn(aideator_watcher::run(config, bus, stop.clone()));
        Watching { stop, task }
    }

    /// Plays the submitter: the run is accepted.
    pub(crate) async fn accept(&self, run: &RunId, spec: &RunSpec) {
        self.bus.open_runs().put(run).await.unwrap();
        let summary = Summary::accepted(spec, "sha".to_owned(), 1, now());
        let spec = Box::new(spec.clone());
        let message = StateMessage::new(run.clone(), now(), Change::Accepted { spec }, summary);
        self.put(&Subject::state(run), &message, Expect::LastOnSubject(0))
            .await;
    }

    /// Plays the submitter: an attempt is opened and launched.
    pub(crate) async fn launch(&self, run: &RunId, index: usize, spec: &RunSpec) -> Supervisor {
        self.open(run, index, spec).await;
        let supervisor = self.supervise(run, index);
        self.move_to(run, index, State::Scheduling).await;
        supervisor
    }

    pub(crate) async fn open(&self, run: &RunId, index: usize, spec: &RunSpec) -> Attempt {
        let attempt = self.summary(run).await.variations[index].attempt;
        let spec = spec
            .attempt(run, variation(index), attempt, 1 << 20)
            .unwrap();
        let record = AttemptRecord::opened(spec, now());
        self.put(
            &Subject::attempt(run, variation(index)),
            &record,
            Expect::Any,
        )
        .await;
        attempt
    }

    /// Plays the supervisor of the first attempt.
    pub(crate) fn supervise(&self, run: &RunId, index: usize) -> Supervisor {
        self.supervise_attempt(run, index, Attempt::FIRST)
    }

    /// Plays a supervisor: folder, lock, workspace, credential.
    pub(crate) fn supervise_attempt(
        &self,
        run: &RunId,
        index: usize,
        attempt: Attempt,
    ) -> Supervisor {
        let name = AttemptName {
            run: run.clone(),
            variation: variation(index),
            attempt,
        };
        let folder = self.data_dir().join(ATTEMPTS).join(name.to_string());
        fs::create_dir_all(folder.join(WORKSPACE)).unwrap();
        fs::write(folder.join(CREDENTIALS), "secret").unwrap();
        let lock = File::create(folder.join(LOCK)).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        Supervisor {
            folder,
            lock: Some(lock),
        }
    }

    /// Plays the submitter: moves a variation on.
    pub(crate) async fn move_to(&self, run: &RunId, index: usize, to: State) {
        loop {
            let (sequence, state) = self.state(run).await;
            let wanted = Move {
                variation: variation(index),
                attempt: state.summary.variations[index].attempt,
                to,
                reason: None,
                ending: None,
                command: None,
                at: now(),
            };
            let Ok((summary, change)) = state.summary.moved(wanted) else {
                return;
            };
            let message = StateMessage::new(run.clone(), now(), change, summary);
            let how = Append {
                expect: Expect::LastOnSubject(sequence),
                ..Append::default()
            };
            let payload = serde_json::to_vec(&message).unwrap().into();
            if self
                .bus
                .append(&Subject::state(run), payload, how)
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// Plays the submitter: a variation is to be tried again.
    pub(crate) async fn retry(&self, run: &RunId, index: usize, request: u64) {
        self.bus.open_runs().put(run).await.unwrap();
        let (sequence, state) = self.state(run).await;
        let retried = state.summary.retried(variation(index), request, now());
        let (summary, change) = retried.unwrap();
        let message = StateMessage::new(run.clone(), now(), change, summary);
        let expect = Expect::LastOnSubject(sequence);
        self.put(&Subject::state(run), &message, expect).await;
    }

    /// Plays the agent: says something; returns its sequence.
    pub(crate) async fn say(&self, run: &RunId, index: usize, n: u64, delta: &str) -> u64 {
        let event = Event::TextDelta {
            id: "t".to_owned(),
            delta: delta.to_owned(),
        };
        let v = variation(index);
        let out = OutMessage::new(run.clone(), v, Attempt::FIRST, n, now(), event);
        self.put(&Subject::out(run, v), &out, Expect::Any).await
    }

    /// Plays the agent: reports.
    pub(crate) async fn report(&self, run: &RunId, index: usize, report: Report) -> u64 {
        let message = ReportMessage {
            v: VERSION,
            run: run.clone(),
            variation: variation(index),
            attempt: Attempt::FIRST,
            ts: now(),
            startup: Startup::default(),
            report,
        };
        self.put(
            &Subject::report(run, variation(index)),
            &message,
            Expect::Any,
        )
        .await
    }

    pub(crate) async fn put(
        &self,
        subject: &Subject,
        message: &impl Serialize,
        expect: Expect<'_>,
    ) -> u64 {
        let how = Append {
            expect,
            ..Append::default()
        };
        let payload = serde_json::to_vec(message).unwrap().into();
        self.bus
            .append(subject, payload, how)
            .await
            .unwrap()
            .sequence
    }

    pub(crate) async fn last_sequence(&self) -> u64 {
        self.bus.stream_state(RUNS_STREAM).await.unwrap().last
    }

    /// Up to where a consumer has settled everything.
    pub(crate) async fn floor(&self, durable: &str) -> u64 {
        self.bus
            .consumer_ack_floor(RUNS_STREAM, durable)
            .await
            .unwrap()
    }

    /// How many records the variation's `.attempt` has.
    pub(crate) async fn records(&self, run: &RunId, index: usize) -> usize {
        let subject = Subject::attempt(run, variation(index));
        let all = self.bus.scan(RUNS_STREAM, subject.as_str(), 1, None);
        all.try_collect::<Vec<_>>().await.unwrap().len()
    }

    pub(crate) async fn state(&self, run: &RunId) -> (u64, StateMessage) {
        let stored = self
            .bus
            .last_from_leader(&Subject::state(run))
            .await
            .unwrap()
            .unwrap();
        (
            stored.sequence,
            serde_json::from_slice(&stored.payload).unwrap(),
        )
    }

    pub(crate) async fn summary(&self, run: &RunId) -> Summary {
        self.state(run).await.1.summary
    }

    /// Waits until the run's summary is as wanted.
    pub(crate) async fn until(&self, run: &RunId, wanted: impl Fn(&Summary) -> bool) -> Summary {
        let mut last = None;
        let watching = async {
            loop {
                let summary = self.summary(run).await;
                if wanted(&summary) {
                    return summary;
                }
                last = Some(summary);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), watching).await {
            Ok(summary) => summary,
            Err(_) => panic!("it takes too long; the run is {last:#?}"),
        }
    }

    /// Waits until the run's open key is gone.
    pub(crate) async fn until_closed(&self, run: &RunId) {
        let gone = async {
            while self.bus.open_runs().get(run).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon(gone).await;
    }

    /// Every state the variation went through, in order.
    pub(crate) async fn history(&self, run: &RunId, index: usize) -> Vec<State> {
        let subject = Subject::state(run);
        let all = self.bus.scan(RUNS_STREAM, subject.as_str(), 1, None);
        let all: Vec<_> = all.try_collect().await.unwrap();
        let mut states = Vec::new();
        for stored in all {
            let message: StateMessage = serde_json::from_slice(&stored.payload).unwrap();
            states.push(message.summary.variations[index].state);
        }
        states.dedup();
        states
    }
}

impl Watching {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        soon(self.task).await.unwrap().unwrap();
    }

    /// As `kill -9`: at whatever await it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl Supervisor {
    pub(crate) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// The brain exits and the supervisor says how.
    pub(crate) fn exit(&mut self, code: Option<i32>, signal: Option<i32>) {
        let status = ExitStatus {
            code,
            signal,
            at: now(),
        };
        let temporary = self.folder.join("status.tmp");
        fs::write(&temporary, serde_json::to_vec(&status).unwrap()).unwrap();
        fs::rename(temporary, self.folder.join(STATUS)).unwrap();
        self.lock = None;
    }

    /// The supervisor is killed.
    pub(crate) fn vanish(&mut self) {
        self.lock = None;
    }
}
