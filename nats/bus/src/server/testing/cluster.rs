//! Three servers that replicate.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use async_nats::jetstream;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{FILE_STORE, LIMIT, auth, binary};
use crate::credentials::{Credentials, Keys, User};
use crate::server::{Binary, Cluster, Server, ServerConfig};

const SIZE: usize = 3;
/// Electing leaders takes seconds, and more on a busy machine.
const ELECTION: Duration = Duration::from_secs(60);

/// A cluster of three servers, for streams with three replicas.
pub struct TestCluster {
    binary: Binary,
    members: Vec<Member>,
    keys: Option<Keys>,
    _folder: TempDir,
}

struct Member {
    config: ServerConfig,
    running: Option<Server>,
}

impl TestCluster {
    /// A cluster that lets anybody in, ready to make streams.
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// A cluster in operator mode, ready to make streams.
    pub async fn start_with_operator() -> Self {
        Self::with(Some(Keys::generate().expect("keys are made"))).await
    }

    /// A cluster in operator mode with these keys, ready to make streams.
    pub async fn start_with_keys(keys: Keys) -> Self {
        Self::with(Some(keys)).await
    }

    async fn with(keys: Option<Keys>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = free_addresses(SIZE * 2);
        let (clients, routes) = ports.split_at(SIZE);
        let member = |index: usize| {
            let name = format!("n{index}");
            let mut config = ServerConfig::local(folder.path().join(&name), auth(keys.as_ref()));
            config.max_file_store = FILE_STORE;
            config.listen = clients[index];
            config.name = name;
            config.cluster = Some(Cluster {
                name: "test".to_owned(),
                listen: routes[index],
                routes: routes.to_vec(),
            });
            Member {
                config,
                running: None,
            }
        };
        let members = (0..SIZE).map(member).collect();
        let mut cluster = Self {
            binary: binary().await,
            members,
            keys,
            _folder: folder,
        };
        for index in 0..SIZE {
            cluster.restart(index).await;
        }
        cluster.wait_for_leaders().await;
        cluster
    }

    /// Where clients connect: all servers, with commas between.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().join(",")
    }

    /// Where clients connect, one by one.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|member| format!("nats://{}", member.config.listen))
            .collect()
    }

    /// The keys, in operator mode.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.keys
            .as_ref()
            .expect("the cluster was started in operator mode")
    }

    /// A service's credential; `None` where anybody is let in.
    #[must_use]
    pub fn credentials(&self, user: User) -> Option<Credentials> {
        self.keys
            .as_ref()
            .map(|keys| keys.credentials(user).expect("the seeds are ours"))
    }

    /// `kill -9` of the server that leads a stream; returns which one it was.
    pub async fn kill_leader(&mut self, stream: &str) -> usize {
        let index = self.leader(stream).await;
        self.kill(index).await;
        index
    }

    /// Which server leads a stream, waiting until one does.
    pub async fn leader(&self, stream: &str) -> usize {
        let jetstream = jetstream::new(self.client().await);
        let end = Instant::now() + ELECTION;
        loop {
            if let Ok(stream) = jetstream.get_stream(stream).await
                && let Some(name) = stream
                    .cached_info()
                    .cluster
                    .as_ref()
                    .and_then(|c| c.leader.clone())
                && let Some(index) = self.members.iter().position(|m| m.config.name == name)
            {
                return index;
            }
            assert!(Instant::now() < end, "no server leads {stream}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// `kill -9` of one server.
    pub async fn kill(&mut self, index: usize) {
        if let Some(server) = self.members[index].running.take() {
            server.kill().await;
        }
    }

    /// Starts one server (after killing it if it runs) where it was.
    pub async fn restart(&mut self, index: usize) {
        self.kill(index).await;
        let member = &mut self.members[index];
        let server = Server::start(&self.binary, &member.config, LIMIT).await;
        member.running = Some(server.expect("nats-server starts"));
    }

    async fn client(&self) -> async_nats::Client {
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let options = match self.credentials(User::Admin) {
            Some(admin) => options.credentials(&admin.to_text()).expect("our own form"),
            None => options,
        };
        options
            .connect(self.urls())
            .await
            .expect("the addresses are well formed")
    }

    /// A cluster takes no stream before it has elected who decides about streams.
    async fn wait_for_leaders(&self) {
        let jetstream = jetstream::new(self.client().await);
        let end = Instant::now() + ELECTION;
        let probe = jetstream::stream::Config {
            name: "PROBE".to_owned(),
            subjects: vec!["probe".to_owned()],
            num_replicas: SIZE,
            ..Default::default()
        };
        while jetstream.create_stream(&probe).await.is_err() {
            assert!(Instant::now() < end, "the cluster elects no leader");
            sleep(Duration::from_millis(50)).await;
        }
        jetstream
            .delete_stream("PROBE")
            .await
            .expect("what was made can be deleted");
    }
}

/// Addresses nobody listens on now. Routes have to be known before the servers start.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
        .collect();
    listeners
        .iter()
        .map(|l| l.local_addr().expect("it is bound"))
        .collect()
}
