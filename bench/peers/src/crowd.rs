//! Thousands of viewers on one thread: one epoll, one buffer, one read per readiness.
//!
//! A thread of its own, so that what the client costs can be told, and nothing else delays a read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::tally::Tally;
use crate::viewer::{Viewer, Watch};

/// Connections that may be opening at the same time: fewer than a listener queues.
const OPENING: usize = 100;
const BUFFER: usize = 256 * 1024;
const TICK: Duration = Duration::from_millis(20);
const READY: Duration = Duration::from_secs(60);

/// What one viewer connects to and says.
#[derive(Debug, Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub request: Arc<str>,
    pub watch: Watch,
}

/// Viewers at work.
#[derive(Debug)]
pub struct Crowd {
    thread: JoinHandle<anyhow::Result<Report>>,
    shared: Arc<Shared>,
    viewers: usize,
}

/// What all of them saw.
#[derive(Debug, Default)]
pub struct Report {
    /// Of each viewer, in the order of the targets; none of [`Watch::Nats`].
    pub tallies: Vec<Tally>,
    /// Microseconds from when a message was due until it was read.
    pub delays: Vec<u32>,
    /// The same of the viewers of [`Watch::Nats`].
    pub bare: Vec<u32>,
    /// Connections that ended before they were told to, and why the first did.
    pub closed: usize,
    pub why: Option<String>,
    /// From the first connection's opening until the last message was read.
    pub took: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    ready: AtomicUsize,
    shown: AtomicU64,
    stop: AtomicBool,
    thread: AtomicI32,
}

impl Crowd {
    /// Opens a connection to each target; times count from `begin`.
    pub fn open(targets: Vec<Target>, begin: Instant) -> Self {
        let shared = Arc::new(Shared::default());
        let viewers = targets.len();
        let client = Arc::clone(&shared);
        let thread = std::thread::spawn(move || Client::new(targets, begin, client)?.run());
        Self {
            thread,
            shared,
            viewers,
        }
    }

    /// Waits until all have been let in.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + READY;
        while self.shared.ready.load(Ordering::Relaxed) < self.viewers {
            let ready = self.shared.ready.load(Ordering::Relaxed);
            if self.thread.is_finished() || Instant::now() > until {
                bail!("{ready} of {} viewers were let in", self.viewers);
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// Waits until so many messages were shown in all, or none was for `silence`.
    pub async fn shown(&self, messages: u64, silence: Duration) {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < messages && since.elapsed() < silence && !self.thread.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let now = self.shared.shown.load(Ordering::Relaxed);
            if now > seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    /// The id of its thread, for its CPU time.
    pub fn thread(&self) -> i32 {
        self.shared.thread.load(Ordering::Relaxed)
    }

    /// Hangs up, all of them.
    pub async fn close(self) -> anyhow::Result<Report> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the client panicked"))?
    }
}

struct Client {
    poll: Poll,
    targets: Vec<Target>,
    connections: Vec<Connection>,
    begin: Instant,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
    opening: usize,
    report: Report,
}

struct Connection {
    /// `None` once it has ended.
    socket: Option<TcpStream>,
    viewer: Viewer,
    /// What it says once it is connected.
    request: Option<Arc<str>>,
}

impl Client {
    fn new(targets: Vec<Target>, begin: Instant, shared: Arc<Shared>) -> anyhow::Result<Self> {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        shared.thread.store(thread, Ordering::Relaxed);
        Ok(Self {
            poll: Poll::new().context("no epoll")?,
            connections: Vec::with_capacity(targets.len()),
            targets,
            begin,
            shared,
            buffer: vec![0; BUFFER],
            opening: 0,
            report: Report::default(),
        })
    }

    fn run(mut self) -> anyhow::Result<Report> {
        let opened = Instant::now();
        let mut last = opened;
        let mut events = Events::with_capacity(1024);
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.open()?;
            match self.poll.poll(&mut events, Some(TICK)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                if self.drive(event.token().0)? {
                    last = Instant::now();
                }
            }
        }
        self.report.took = last - opened;
        let viewers = self.connections.iter().map(|connection| &connection.viewer);
        self.report.tallies = viewers
            .filter(|viewer| !viewer.is_bare())
            .map(|viewer| viewer.tally)
            .collect();
        Ok(self.report)
    }

    /// Opens as many connections as may be opening.
    fn open(&mut self) -> anyhow::Result<()> {
        while self.opening < OPENING && self.connections.len() < self.targets.len() {
            let target = &self.targets[self.connections.len()];
            let mut socket = TcpStream::connect(target.address)?;
            let token = Token(self.connections.len());
            self.poll
                .registry()
                .register(&mut socket, token, Interest::WRITABLE)?;
            self.connections.push(Connection {
                socket: Some(socket),
                viewer: Viewer::new(target.watch.clone()),
                request: Some(Arc::clone(&target.request)),
            });
            self.opening += 1;
        }
        Ok(())
    }

    /// Does what a connection is ready for; whether messages were shown.
    fn drive(&mut self, at: usize) -> anyhow::Result<bool> {
        let Some(connection) = self.connections.get_mut(at) else {
            return Ok(false);
        };
        let Some(socket) = &mut connection.socket else {
            return Ok(false);
        };
        if let Some(request) = connection.request.take() {
            if let Err(error) = ask(socket, &request) {
                self.ended(at, &format!("can't connect: {error:#}"));
                return Ok(false);
            }
            let registry = self.poll.registry();
            registry.reregister(socket, Token(at), Interest::READABLE)?;
            if connection.viewer.ready {
                self.let_in();
            }
            return Ok(false);
        }
        let (was_ready, before) = (connection.viewer.ready, connection.viewer.shown);
        let delays = if connection.viewer.is_bare() {
            &mut self.report.bare
        } else {
            &mut self.report.delays
        };
        let read = read(
            socket,
            &mut connection.viewer,
            &mut self.buffer,
            self.begin,
            delays,
        );
        let shown = connection.viewer.shown - before;
        if !was_ready && connection.viewer.ready {
            self.let_in();
        }
        if shown > 0 {
            self.shared.shown.fetch_add(shown, Ordering::Relaxed);
        }
        if let Err(error) = read {
            self.ended(at, &format!("{error:#}"));
        }
        Ok(shown > 0)
    }

    fn let_in(&mut self) {
        self.opening -= 1;
        self.shared.ready.fetch_add(1, Ordering::Relaxed);
    }

    fn ended(&mut self, at: usize, why: &str) {
        let connection = &mut self.connections[at];
        connection.socket = None;
        self.opening -= usize::from(!connection.viewer.ready);
        self.report.closed += 1;
        self.report.why.get_or_insert_with(|| why.to_owned());
    }
}

fn ask(socket: &mut TcpStream, request: &str) -> anyhow::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error.into());
    }
    socket.set_nodelay(true)?;
    // A new socket has room for more than a request.
    Ok(socket.write_all(request.as_bytes())?)
}

/// Reads what is there. A read that does not fill the buffer has emptied the socket.
fn read(
    socket: &mut TcpStream,
    viewer: &mut Viewer,
    buffer: &mut [u8],
    begin: Instant,
    delays: &mut Vec<u32>,
) -> anyhow::Result<()> {
    loop {
        let length = match socket.read(buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let at = begin.elapsed();
        viewer.feed(&buffer[..length], at, delays)?;
        if length < buffer.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::stamp::Stamp;

    const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

    /// Lets each in and shows it messages 1 to `shown`; then waits for it to go.
    async fn serve(listener: TcpListener, shown: u64) -> anyhow::Result<()> {
        loop {
            let (mut socket, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(HEAD.as_bytes()).await;
                for n in 1..=shown {
                    let due = Some(Duration::from_micros(1));
                    let frame = format!("data: {}\n\n", Stamp { n, due }.text());
                    let _ = socket.write_all(frame.as_bytes()).await;
                }
                let _ = socket.read(&mut request).await;
            });
        }
    }

    async fn watch(viewers: usize, shown: u64) -> Report {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            request: "GET / HTTP/1.1\r\n\r\n".into(),
            watch: Watch::Answered,
        };
        let serving = tokio::spawn(serve(listener, shown));
        let crowd = Crowd::open(vec![target; viewers], Instant::now());
        crowd.ready().await.unwrap();
        let silence = Duration::from_secs(5);
        crowd.shown(viewers as u64 * shown, silence).await;
        let report = crowd.close().await.unwrap();
        serving.abort();
        report
    }

    #[tokio::test]
    async fn each_viewer_is_counted_for_itself() {
        let report = watch(300, 4).await;
        assert_eq!(report.tallies.len(), 300);
        assert!(report.tallies.iter().all(|tally| tally.lost(4) == 0));
        assert!(report.tallies.iter().all(|tally| tally.lost(6) == 2));
        assert_eq!((report.delays.len(), report.closed), (1200, 0));
    }

    #[tokio::test]
    async fn a_refusal_is_told_with_its_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            request: "GET / HTTP/1.1\r\n\r\n".into(),
            watch: Watch::Answered,
        };
        drop(listener);
        let crowd = Crowd::open(vec![target], Instant::now());
        crowd.shown(1, Duration::from_millis(200)).await;
        let report = crowd.close().await.unwrap();
        assert_eq!(report.closed, 1);
        assert!(report.why.unwrap().contains("can't connect"));
    }
}
