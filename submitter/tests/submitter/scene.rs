//! A server, a submitter that can be killed and started again, and eyes on what is stored.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared};
use aideator_contract::repository::RepositoryPolicy;
use aideator_contract::request::Installation;
use aideator_contract::subject::{Command, DEAD_ALL, DEAD_STREAM, RUNS_STREAM};
use aideator_contract::{
    AttemptRecord, DeadLetter, RunId, State, StateMessage, Subject, Variation, limits,
};
use aideator_submitter::decide::schedule::Limits;
use aideator_submitter::{Settings, serve};
use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::launcher::Memory;

pub(crate) struct Scene {
    pub(crate) server: TestServer,
    /// As an administrator.
    pub(crate) bus: Bus,
    pub(crate) launcher: Arc<Memory>,
    pub(crate) settings: Settings,
    running: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Scene {
    /// A server with a submitter.
    pub(crate) async fn begin() -> Self {
        let mut scene = Self::without_submitter().await;
        scene.start().await;
        scene
    }

    pub(crate) async fn without_submitter() -> Self {
        let server = TestServer::start_with_operator().await;
        let bus = connect(&server, User::Admin).await;
        let settings = settings();
        bus.ensure(&settings.declared).await.unwrap();
        Self {
            server,
            bus,
            launcher: Arc::default(),
            settings,
            running: None,
        }
    }

    pub(crate) async fn start(&mut self) {
        let bus = connect(&self.server, User::Submitter).await;
        let stop = CancellationToken::new();
        let serving = serve(
            bus,
            self.settings.clone(),
            Arc::clone(&self.launcher),
            self.server.keys().minter().unwrap(),
            stop.clone(),
        );
        let task = tokio::spawn(async move { serving.await.unwrap() });
        self.running = Some((task, stop));
    }

    /// As `kill -9` does it: in the middle of whatever it is doing.
    pub(crate) async fn kill(&mut self) {
        if let Some((task, _)) = self.running.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// As an operator does it.
    pub(crate) async fn stop(&mut self) {
        if let Some((task, stop)) = self.running.take() {
            stop.cancel();
            soon(task).await.unwrap();
        }
    }

    /// Sends a command as a script does; returns its sequence.
    pub(crate) async fn send(&self, command: Command, what: &str) -> u64 {
        self.send_as(command, what, None).await
    }

    pub(crate) async fn send_as(&self, command: Command, what: &str, id: Option<&str>) -> u64 {
        let append = Append {
            msg_id: id,
            ..Append::default()
        };
        let payload = Bytes::copy_from_slice(what.as_bytes());
        let stored = self.bus.append(&command.subject(), payload, append).await;
        stored.unwrap().sequence
    }

    pub(crate) async fn state(&self, run: &str) -> Option<StateMessage> {
        let stored = self.bus.last(&Subject::state(&id(run))).await.unwrap()?;
        Some(serde_json::from_slice(&stored.payload).unwrap())
    }

    pub(crate) async fn fence(&self, run: &str, index: usize) -> Option<AttemptRecord> {
        let subject = Subject::attempt(&id(run), variation(index));
        let stored = self.bus.last(&subject).await.unwrap()?;
        Some(serde_json::from_slice(&stored.payload).unwrap())
    }

    /// Everything on the run's `.state`.
    pub(crate) async fn log(&self, run: &str) -> Vec<StateMessage> {
        let subject = Subject::state(&id(run));
        let scan = self.bus.scan(RUNS_STREAM, subject.as_str(), 1, None);
        let stored: Vec<_> = scan.try_collect().await.unwrap();
        let read = |s: &aideator_bus::Stored| serde_json::from_slice(&s.payload).unwrap();
        stored.iter().map(read).collect()
    }

    pub(crate) async fn dead(&self) -> Vec<DeadLetter> {
        let scan = self.bus.scan(DEAD_STREAM, DEAD_ALL, 1, None);
        let stored: Vec<_> = scan.try_collect().await.unwrap();
        let read = |s: &aideator_bus::Stored| serde_json::from_slice(&s.payload).unwrap();
        stored.iter().map(read).collect()
    }

    /// The letter about the command with this sequence, once it is there.
    pub(crate) async fn letter(&self, sequence: u64) -> DeadLetter {
        until(async || {
            let dead = self.dead().await;
            dead.into_iter().find(|letter| letter.sequence == sequence)
        })
        .await
    }

    /// Waits until the run's variations are in these states.
    pub(crate) async fn states(&self, run: &str, states: &[State]) -> StateMessage {
        until(async || {
            let message = self.state(run).await?;
            let are: Vec<_> = message.summary.variations.iter().map(|v| v.state).collect();
            (are == states).then_some(message)
        })
        .await
    }

    /// Waits until all commands are acknowledged.
    pub(crate) async fn quiet(&self) {
        until(async || {
            let state = self.bus.stream_state("AIDEATOR_REQUESTS").await.unwrap();
            (state.messages == 0).then_some(())
        })
        .await;
    }
}

pub(crate) async fn connect(server: &TestServer, user: User) -> Bus {
    let connect = Connect::new(server.url(), user.name());
    let credentials = server.credentials(user).unwrap();
    Bus::connect(connect.credentials(credentials))
        .await
        .unwrap()
}

fn settings() -> Settings {
    Settings {
        installation: Installation {
            default_model: "scripted/lorem".into(),
            models: vec!["scripted/*".into()],
            allow_exec: false,
            repositories: RepositoryPolicy {
                paths: true,
                trusted_hosts: Vec::new(),
            },
        },
        model_note: None,
        start_allowance: limits::START_ALLOWANCE,
        limits: Limits {
            running: 5,
            per_requester: 20,
            queued: 100,
        },
        declared: Declared {
            duplicate_window: Duration::from_secs(1),
            runs_bytes: 1024 * 1024 * 1024,
            ..Declared::default()
        },
    }
}

pub(crate) fn id(run: &str) -> RunId {
    run.parse().unwrap()
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

/// What `look` finds, looked for again and again.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
