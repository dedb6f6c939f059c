//! Who may do what, as the real server enforces it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent;
mod keys;
mod rotation;
mod users;
mod walls;

use std::time::Duration;

use aideator_bus::credentials::{Credentials, User};
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Bus, Connect, Declared};
use aideator_contract::{Attempt, RunId, Timestamp, Variation};
use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::mpsc;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// A connection that remembers what the server refused.
struct Peer {
    client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

impl Peer {
    async fn connect(url: &str, credentials: Option<&Credentials>) -> Self {
        let (sender, refusals) = mpsc::unbounded_channel();
        let mut options = ConnectOptions::new().event_callback(move |event| {
            let sender = sender.clone();
            async move {
                if let Event::ServerError(error) = event {
                    let _ = sender.send(error.to_string());
                }
            }
        });
        if let Some(credentials) = credentials {
            options = options.credentials(&credentials.to_text()).unwrap();
            options = options.custom_inbox_prefix(credentials.inbox_prefix().unwrap());
        }
        let client = options.connect(url).await.unwrap();
        Self { client, refusals }
    }

    /// Whether the server lets this peer publish there. Errors arrive in order, before the PONG.
    async fn may_publish(&mut self, subject: &str) -> bool {
        self.client
            .publish(subject.to_owned(), "x".into())
            .await
            .unwrap();
        self.let_through(subject).await
    }

    async fn may_subscribe(&mut self, subject: &str) -> bool {
        let _subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.let_through(subject).await
    }

    /// A refusal comes back before the answer to the next round trip on the same connection: the
    /// server's own refusal of a subject nobody may use marks the end.
    async fn let_through(&mut self, subject: &str) -> bool {
        const MARK: &str = "$SYS.mark";
        self.client.publish(MARK, "x".into()).await.unwrap();
        self.client.flush().await.unwrap();
        let mut refused = false;
        loop {
            let said = timeout(LIMIT, self.refusals.recv())
                .await
                .expect("the mark is refused")
                .unwrap();
            let said = said.to_lowercase();
            if said.contains(&MARK.to_lowercase()) {
                return !refused;
            }
            assert!(said.contains(&subject.to_lowercase()), "{said}");
            refused = true;
        }
    }
}

/// A server with our streams, declared by the submitter, and a connection that may do anything.
async fn server_with_streams() -> (TestServer, jetstream::Context) {
    let server = TestServer::start_with_operator().await;
    let submitter = bus(&server, User::Submitter).await;
    submitter.ensure(&Declared::default()).await.unwrap();
    let admin = peer(&server, Some(User::Admin)).await;
    (server, jetstream::new(admin.client))
}

/// A user's connection; `None` brings no credential.
async fn peer(server: &TestServer, user: Option<User>) -> Peer {
    let credentials = user.and_then(|user| server.credentials(user));
    Peer::connect(&server.url(), credentials.as_ref()).await
}

async fn bus(server: &TestServer, user: User) -> Bus {
    let connect = Connect::new(server.url(), user.name());
    let connect = connect.credentials(server.credentials(user).unwrap());
    Bus::connect(connect).await.unwrap()
}

fn run() -> RunId {
    "r-1".parse().unwrap()
}

fn variation(index: usize) -> Variation {
    Variation::at(index).unwrap()
}

fn later() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now() + Duration::from_secs(600))
}

fn agent_of(server: &TestServer) -> Credentials {
    server
        .keys()
        .minter()
        .unwrap()
        .agent(&run(), variation(0), Attempt::FIRST, later())
        .unwrap()
}
