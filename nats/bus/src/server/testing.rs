//! Real servers for tests and benchmarks: in a temporary folder, on a free port, killed when
//! dropped. They panic where other code returns an error, as a test wants it.

#![expect(
    clippy::missing_panics_doc,
    reason = "every panic here is a test that fails"
)]

mod cluster;

pub use cluster::TestCluster;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{Auth, Binary, Server, ServerConfig};
use crate::credentials::{Credentials, Keys, User};

/// A free port of this machine's own.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LIMIT: Duration = Duration::from_secs(30);
/// Room for streams of their usual size; nothing is taken before it is used.
const FILE_STORE: u64 = 24 * 1024 * 1024 * 1024;

/// One server that can be killed and started again on the same port and store.
pub struct TestServer {
    binary: Binary,
    config: ServerConfig,
    keys: Option<Keys>,
    running: Option<Server>,
    folder: TempDir,
}

impl TestServer {
    /// A server that lets anybody in.
    pub async fn start() -> Self {
        Self::with(None, LOOPBACK).await
    }

    /// A server in operator mode, as `aideator up` runs it.
    pub async fn start_with_operator() -> Self {
        Self::start_with_operator_at(LOOPBACK).await
    }

    /// The same at an address; with port 0 at a free one there.
    pub async fn start_with_operator_at(listen: SocketAddr) -> Self {
        let keys = Keys::generate().expect("keys are made");
        Self::with(Some(keys), listen).await
    }

    async fn with(keys: Option<Keys>, listen: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = ServerConfig::local(folder.path().join("nats"), auth(keys.as_ref()));
        config.max_file_store = FILE_STORE;
        config.listen = listen;
        let binary = binary().await;
        let mut server = Self {
            binary,
            config,
            keys,
            running: None,
            folder,
        };
        server.restart().await;
        server
    }

    /// Where clients connect; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// The same as an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.config.listen
    }

    /// A folder for whatever else the test keeps; it goes with the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The keys, in operator mode.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.keys
            .as_ref()
            .expect("the server was started in operator mode")
    }

    /// A service's credential; `None` where anybody is let in.
    #[must_use]
    pub fn credentials(&self, user: User) -> Option<Credentials> {
        self.keys
            .as_ref()
            .map(|keys| keys.credentials(user).expect("the seeds are ours"))
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        if let Some(server) = self.running.take() {
            server.kill().await;
        }
    }

    /// Ends it as an operator does.
    pub async fn stop(&mut self) {
        if let Some(server) = self.running.take() {
            server.stop(LIMIT).await;
        }
    }

    /// Starts it again (after [`kill`](Self::kill)ing it if it runs) where it was.
    pub async fn restart(&mut self) {
        self.kill().await;
        let server = Server::start(&self.binary, &self.config, LIMIT).await;
        let server = server.expect("nats-server starts");
        self.config.listen = server.address();
        self.running = Some(server);
    }
}

async fn binary() -> Binary {
    Binary::find(None, None)
        .await
        .expect("the tests need a nats-server")
}

fn auth(keys: Option<&Keys>) -> Auth {
    keys.map_or(Auth::Open, |keys| Auth::Operator(keys.trust().clone()))
}
