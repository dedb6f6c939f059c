//! A server, an edge, and a hand that writes runs as submitter, watcher and agents would.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared};
use aideator_contract::spec::VariationSpec;
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, Change, Code, Event, Mode, OutMessage, Reason, RunId, RunSpec, State, StateMessage,
    Subject, Summary, Timestamp, Variation,
};
use aideator_edge::{Config, Deps};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) admin: Bus,
    pub(crate) edge: Edge,
}

pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), aideator_edge::Error>>,
}

impl World {
    pub(crate) async fn begin() -> Self {
        let server = TestServer::start_with_operator().await;
        let admin = connect(&server, User::Admin).await;
        admin.ensure(&Declared::default()).await.unwrap();
        let edge = Edge::start(&server, Config::default()).await;
        Self {
            server,
            admin,
            edge,
        }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.edge.address
    }

    /// A request that could not be used.
    pub(crate) async fn rejected(&self, name: &str) {
        let error = Reason::new(Code::BadValue, "no");
        let summary = Summary::rejected("sha".into(), 1, now());
        let id: RunId = name.parse().unwrap();
        let message = StateMessage::new(id.clone(), now(), Change::Rejected { error }, summary);
        let payload = serde_json::to_vec(&message).unwrap();
        put(&self.admin, &Subject::state(&id), payload).await;
    }

    /// A run that was just accepted.
    pub(crate) async fn run(&self, name: &str, variations: usize) -> Run {
        let one = VariationSpec {
            model: "scripted/lorem".into(),
            temperature: None,
            instructions: None,
        };
        let spec = RunSpec {
            prompt: "p".into(),
            source: None,
            mode: Mode::Analyze,
            variations: vec![one; variations],
            deadline_s: 60,
            requester: None,
        };
        let mut run = Run {
            bus: self.admin.clone(),
            id: name.parse().unwrap(),
            summary: Summary::accepted(&spec, "sha".into(), 1, now()),
            state: 0,
            n: [0; 5],
            out: [0; 5],
        };
        let spec = Box::new(spec);
        run.write_state(Change::Accepted { spec }).await;
        run
    }
}

impl Edge {
    pub(crate) async fn start(server: &TestServer, config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let deps = Deps {
            listener,
            live: connect(server, User::Edge).await,
            bulk: connect(server, User::Edge).await,
        };
        let task = tokio::spawn(aideator_edge::run(config, deps, stop.clone()));
        Self {
            address,
            stop,
            task,
        }
    }
}

/// A run, written by hand.
pub(crate) struct Run {
    bus: Bus,
    pub(crate) id: RunId,
    pub(crate) summary: Summary,
    pub(crate) state: u64,
    n: [u64; 5],
    out: [u64; 5],
}

impl Run {
    pub(crate) async fn say(&mut self, variation: usize, delta: &str) -> u64 {
        let v = Variation::at(variation).unwrap();
        let attempt = self.summary.variations[variation].attempt;
        let n = self.n[variation];
        let event = Event::TextDelta {
            id: "t".into(),
            delta: delta.into(),
        };
        let message = OutMessage::new(self.id.clone(), v, attempt, n, now(), event);
        self.n[variation] += 1;
        let payload = serde_json::to_vec(&message).unwrap();
        self.out[variation] = put(&self.bus, &Subject::out(&self.id, v), payload).await;
        self.out[variation]
    }

    pub(crate) async fn go(&mut self, variation: usize, to: State) {
        let ending = to.is_terminal().then(|| Ending {
            out: self.out[variation],
            ..Ending::default()
        });
        let moved = self.summary.moved(Move {
            variation: Variation::at(variation).unwrap(),
            attempt: self.summary.variations[variation].attempt,
            to,
            reason: None,
            ending,
            command: None,
            at: now(),
        });
        let (summary, change) = moved.unwrap();
        self.summary = summary;
        self.write_state(change).await;
    }

    pub(crate) async fn retry(&mut self, variation: usize) -> Attempt {
        let v = Variation::at(variation).unwrap();
        let (summary, change) = self.summary.retried(v, self.state + 1, now()).unwrap();
        self.summary = summary;
        self.n[variation] = 0;
        self.write_state(change).await;
        self.summary.variations[variation].attempt
    }

    async fn write_state(&mut self, change: Change) {
        let message = StateMessage::new(self.id.clone(), now(), change, self.summary.clone());
        let payload = serde_json::to_vec(&message).unwrap();
        self.state = put(&self.bus, &Subject::state(&self.id), payload).await;
    }
}

pub(crate) async fn connect(server: &TestServer, user: User) -> Bus {
    let credentials = server.credentials(user).unwrap();
    let connect = Connect::new(server.url(), user.name()).credentials(credentials);
    Bus::connect(connect).await.unwrap()
}

/// Stores a message, again and again while NATS is away.
pub(crate) async fn put(bus: &Bus, subject: &Subject, payload: Vec<u8>) -> u64 {
    let payload = Bytes::from(payload);
    let id = aideator_contract::canonical::sha256_hex(&payload);
    let storing = async {
        loop {
            let how = Append {
                msg_id: Some(&id),
                timeout: Duration::from_secs(1),
                ..Append::default()
            };
            match bus.append(subject, payload.clone(), how).await {
                Ok(stored) => return stored.sequence,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    };
    soon(storing).await
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// The future's value, which is due within twenty seconds.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}
