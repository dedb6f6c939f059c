//! nats-server and edges, each a process of its own.

use std::net::SocketAddr;
use std::path::Path;

use aideator_bench_peers::instance::{Instance, Setup};
use aideator_bench_peers::server::free;
use aideator_bus::credentials::{Credentials, User};
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Bus, Connect, Declared};
use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What faults happen to.
pub(crate) struct Stage {
    pub(crate) edges: Vec<Instance>,
    pub(crate) bus: Bus,
    pub(crate) nats: TestServer,
}

impl Stage {
    /// One nats-server in operator mode, with so many edges.
    pub(crate) async fn start(edge: &Path, edges: usize) -> anyhow::Result<Self> {
        let nats = TestServer::start_with_operator().await;
        let bus = administer(&nats.url(), nats.credentials(User::Admin), 1).await?;
        let mut stage = Self {
            edges: Vec::new(),
            bus,
            nats,
        };
        for _ in 0..edges {
            let credentials = stage.nats.credentials(User::Edge);
            let setup = setup(edge, &stage.nats.url(), credentials, stage.nats.folder())?;
            stage.edges.push(Instance::start(setup).await?);
        }
        Ok(stage)
    }

    /// Where the edges are.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.edges.iter().map(Instance::address).collect()
    }
}

/// A connection that may do everything, to streams of so many replicas.
pub(crate) async fn administer(
    url: &str,
    credentials: Option<Credentials>,
    replicas: u8,
) -> anyhow::Result<Bus> {
    let mut connect = Connect::new(url, "bench");
    connect.credentials = credentials;
    let bus = Bus::connect(connect).await?;
    let declared = Declared {
        replicas,
        ..Declared::default()
    };
    bus.ensure(&declared).await?;
    Ok(bus)
}

/// An edge on loopback that keeps its files in `folder`.
pub(crate) fn setup(
    program: &Path,
    nats: &str,
    credentials: Option<Credentials>,
    folder: &Path,
) -> anyhow::Result<Setup> {
    let address = free()?;
    let creds = folder.join("edge.creds");
    credentials.context("a credential")?.save(&creds)?;
    Ok(Setup {
        program: program.to_owned(),
        listen: address,
        asked_at: address,
        nats: nats.to_owned(),
        creds,
        token: None,
        namespace: None,
        log: folder.join(format!("edge-{}.log", address.port())),
    })
}

/// How many viewers an edge holds, as it says itself to who shows the token (which loopback does not need).
pub(crate) async fn viewers(door: SocketAddr, token: &str) -> anyhow::Result<u64> {
    let mut socket = TcpStream::connect(door).await?;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {door}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "no metrics");
    let mut lines = answer.lines();
    let line = lines.find_map(|line| line.strip_prefix("aideator_edge_viewers "));
    Ok(line.context("no number of viewers")?.trim().parse()?)
}
