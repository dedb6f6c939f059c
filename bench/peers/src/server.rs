//! The servers that are measured: each started, written to and ended in the same words.

mod durable;
pub mod edge;
mod floor;
mod message;
mod nchan;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::crowd::Target;
use crate::http::Http;
use crate::process::Process;
use crate::stamp::Stamp;

use self::durable::Durable;
use self::edge::Edge;
use self::floor::Floor;
use self::message::Message;
use self::nchan::Nchan;

const READY: Duration = Duration::from_secs(20);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Peer {
    /// The edge of this project, behind nats-server.
    Edge,
    /// nginx with the nchan module: memory only.
    Nchan,
    /// The server of Durable Streams in Rust: a write-ahead log, synced before it acknowledges.
    Durable,
    /// Bare sockets that know one run and store nothing: a write to each viewer for each event.
    Bare,
    /// The same, events joined for 25 ms.
    Joined,
}

impl Peer {
    pub const ALL: [Self; 5] = [
        Self::Edge,
        Self::Nchan,
        Self::Durable,
        Self::Bare,
        Self::Joined,
    ];

    /// Whether it does what the edge does, so that the edge is compared with it.
    pub fn is_rival(self) -> bool {
        matches!(self, Self::Nchan | Self::Durable)
    }

    /// Whether it holds one run alone.
    pub fn holds_one_run(self) -> bool {
        matches!(self, Self::Bare | Self::Joined)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "edge",
            Self::Nchan => "nchan",
            Self::Durable => "Durable Streams",
            Self::Bare => "bare sockets",
            Self::Joined => "bare sockets, joined for 25 ms",
        })
    }
}

/// A running server.
#[derive(Debug)]
pub enum Server {
    Edge(Box<Edge>),
    Nchan(Nchan),
    Durable(Durable),
    Floor(Floor),
}

/// What writes one run.
#[derive(Debug)]
pub enum Writer {
    Edge(Box<edge::Writer>),
    Http(HttpWriter),
}

/// Posts one run's messages.
#[derive(Debug)]
pub struct HttpWriter {
    http: Http,
    path: String,
    message: Message,
}

impl Server {
    /// Starts a server with nothing in it and waits until it serves.
    pub async fn start(peer: Peer, edge: &std::path::Path) -> anyhow::Result<Self> {
        Ok(match peer {
            Peer::Edge => Self::Edge(Box::new(Edge::start(edge).await?)),
            Peer::Nchan => Self::Nchan(Nchan::start().await?),
            Peer::Durable => Self::Durable(Durable::start().await?),
            Peer::Bare => Self::Floor(Floor::start(0).await?),
            Peer::Joined => Self::Floor(Floor::start(25).await?),
        })
    }

    /// Begins a run.
    pub async fn begin(&self, run: &str) -> anyhow::Result<Writer> {
        Ok(match self {
            Self::Edge(edge) => Writer::Edge(Box::new(edge.begin(run).await?)),
            Self::Nchan(nchan) => Writer::Http(nchan.begin(run).await?),
            Self::Durable(durable) => Writer::Http(durable.begin(run).await?),
            Self::Floor(floor) => Writer::Http(floor.begin(run).await?),
        })
    }

    /// What a viewer of a run connects to and says.
    pub fn target(&self, run: &str) -> Target {
        match self {
            Self::Edge(edge) => edge.target(run),
            Self::Nchan(nchan) => nchan.target(run),
            Self::Durable(durable) => durable.target(run),
            Self::Floor(floor) => floor.target(),
        }
    }

    /// The processes that serve viewers.
    pub fn processes(&self) -> Vec<u32> {
        match self {
            Self::Edge(edge) => vec![edge.pid()],
            Self::Nchan(nchan) => nchan.pids(),
            Self::Durable(durable) => vec![durable.pid()],
            Self::Floor(floor) => vec![floor.pid()],
        }
    }

    /// The same and those that store for them.
    pub fn with_storage(&self) -> Vec<u32> {
        let mut pids = self.processes();
        if let Self::Edge(edge) = self {
            pids.extend(edge.nats_pid());
        }
        pids
    }

    /// The edge, if it is one.
    pub fn edge(&mut self) -> Option<&mut Edge> {
        match self {
            Self::Edge(edge) => Some(edge),
            Self::Nchan(_) | Self::Durable(_) | Self::Floor(_) => None,
        }
    }

    /// Forgets what it holds in memory, where it stores anything: its program is started again. Whether it
    /// does.
    pub async fn forget(&mut self) -> anyhow::Result<bool> {
        match self {
            Self::Edge(edge) => edge.restart().await?,
            Self::Durable(durable) => durable.restart().await?,
            Self::Nchan(_) | Self::Floor(_) => return Ok(false),
        }
        Ok(true)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Edge(edge) => edge.stop().await,
            Self::Nchan(_) | Self::Durable(_) | Self::Floor(_) => Ok(()),
        }
    }
}

impl Writer {
    /// Stores one message; done when the server says so.
    pub async fn put(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        match self {
            Self::Edge(writer) => writer.put(stamp).await,
            Self::Http(writer) => {
                let body = writer.message.json(stamp);
                writer.http.send("POST", &writer.path, &body).await
            }
        }
    }

    /// Says that no more will come, where that can be said.
    pub async fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Edge(writer) => writer.finish().await,
            Self::Http(_) => Ok(()),
        }
    }
}

/// The request of an event stream.
pub fn get(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n")
}

/// An address on loopback that is free now.
pub fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until the program listens, and answers `path` with success.
pub(crate) async fn serves(
    process: &mut Process,
    address: SocketAddr,
    path: Option<&str>,
) -> anyhow::Result<()> {
    let until = Instant::now() + READY;
    loop {
        if let Ok(mut http) = Http::connect(address).await {
            let Some(path) = path else { return Ok(()) };
            if http.send("GET", path, b"").await.is_ok() {
                return Ok(());
            }
        }
        if !process.runs() || Instant::now() > until {
            bail!("it does not serve {address}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A program by its name, in the folders of `PATH` and where distributions keep servers.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("there is no {name}; scripts/install-peers installs it"))
}
