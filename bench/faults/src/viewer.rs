//! One viewer: it comes back with the id of the last event it received whole, as an `EventSource` does, until
//! it has been told that the run is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aideator_bench_peers::response::{Refusal, Response};
use aideator_bench_peers::sse::Events;
use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::cut::{Cuts, Places};
use crate::seen::Seen;

/// A connection that takes longer to be made is tried again.
const CONNECTING: Duration = Duration::from_secs(2);
/// Longer than a heartbeat: a connection that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(20);
const BUFFER: usize = 8 * 1024;

/// How viewers behave.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// Whom they ask.
    pub(crate) door: SocketAddr,
    /// What lets them in.
    pub(crate) token: Option<String>,
    /// How long they wait before they come again.
    pub(crate) pause: Duration,
    /// What cuts their connections.
    pub(crate) cuts: Option<Arc<Cuts>>,
}

/// What viewers tell while they watch.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Those who are shown events now.
    pub(crate) connected: AtomicUsize,
}

/// A viewer and what it has been through.
#[derive(Debug)]
pub(crate) struct Viewer {
    manner: Manner,
    pub(crate) run: String,
    begin: Instant,
    counters: Arc<Counters>,
    random: StdRng,
    /// Of the last event received whole.
    id: Option<String>,
    left: Option<Instant>,
    pub(crate) seen: Seen,
    /// When it was shown each message, since `begin`.
    pub(crate) arrivals: Vec<Duration>,
    /// The longest from the end of a connection to the first event of the next.
    pub(crate) away: Duration,
    pub(crate) resumes: u64,
    pub(crate) places: Places,
    /// Answers of 503 that said when to come again.
    pub(crate) announced: u64,
    /// Any other answer that is no stream, and the first one.
    pub(crate) refused: u64,
    pub(crate) why: Option<String>,
}

/// How a connection ended.
enum End {
    /// It was cut, or ended by the server.
    Lost,
    /// There is no more to come.
    Complete,
}

impl Viewer {
    pub(crate) fn new(
        manner: Manner,
        run: String,
        begin: Instant,
        counters: Arc<Counters>,
        seed: u64,
    ) -> Self {
        Self {
            manner,
            run,
            begin,
            counters,
            random: StdRng::seed_from_u64(seed),
            id: None,
            left: None,
            seen: Seen::default(),
            arrivals: Vec::new(),
            away: Duration::ZERO,
            resumes: 0,
            places: Places::default(),
            announced: 0,
            refused: 0,
            why: None,
        }
    }

    /// Watches until the run is over.
    pub(crate) async fn watch(&mut self) {
        loop {
            match self.connection().await {
                Ok(End::Complete) => return,
                Ok(End::Lost) => sleep(self.manner.pause).await,
                Err(error) => {
                    let wait = self.refused(&error);
                    sleep(wait).await;
                }
            }
            self.resumes += u64::from(self.id.is_some());
        }
    }

    fn refused(&mut self, error: &anyhow::Error) -> Duration {
        match error.downcast_ref::<Refusal>() {
            Some(Refusal {
                retry_after: Some(seconds),
                ..
            }) => {
                self.announced += 1;
                Duration::from_secs(*seconds)
            }
            Some(refusal) => {
                self.refused += 1;
                self.why.get_or_insert_with(|| refusal.to_string());
                Duration::from_secs(1)
            }
            // The connection failed.
            None => self.manner.pause.max(Duration::from_millis(50)),
        }
    }

    async fn connection(&mut self) -> anyhow::Result<End> {
        let cut = self.manner.cuts.clone();
        let cut = cut.and_then(|cuts| cuts.take(&mut self.random));
        let mut stream = Stream::default();
        let ended = self.read(&mut stream, cut).await;
        if stream.is_shown {
            self.counters.connected.fetch_sub(1, Ordering::Relaxed);
            self.left = Some(Instant::now());
        }
        if let Err(error) = ended {
            return match error.downcast_ref::<Refusal>() {
                Some(refusal) if refusal.status() == 204 => {
                    self.seen.ended = true;
                    Ok(End::Complete)
                }
                _ => Err(error),
            };
        }
        if self.seen.ended {
            return Ok(End::Complete);
        }
        if cut.is_some() {
            self.places += Places::of(stream.response.is_open(), stream.events.rest());
        }
        Ok(End::Lost)
    }

    /// Reads a stream until it ends, or as many bytes of it as are not cut off.
    async fn read(&mut self, stream: &mut Stream, cut: Option<usize>) -> anyhow::Result<()> {
        let connecting = timeout(CONNECTING, TcpStream::connect(self.manner.door));
        let mut socket = connecting.await.context("nobody answers")??;
        socket.write_all(self.request().as_bytes()).await?;
        let mut left = cut.unwrap_or(usize::MAX);
        while left > 0 && !self.seen.ended {
            timeout(SILENCE, socket.readable())
                .await
                .context("silence")??;
            // Only while it reads has a viewer a buffer: there are thousands.
            let read = {
                let mut buffer = [0; BUFFER];
                let room = left.min(BUFFER);
                match socket.try_read(&mut buffer[..room]) {
                    Ok(0) => return Ok(()),
                    Ok(read) => {
                        self.take(stream, &buffer[..read])?;
                        read
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
                    Err(error) => return Err(error.into()),
                }
            };
            left -= read;
        }
        Ok(())
    }

    fn take(&mut self, stream: &mut Stream, bytes: &[u8]) -> anyhow::Result<()> {
        let now = Instant::now();
        let Stream {
            response,
            events,
            is_shown,
        } = stream;
        let mut wrong = None;
        let mut shown = false;
        response.feed(bytes, |body| {
            events.feed(body, |event| {
                let data: Vec<&[u8]> = event.data().collect();
                if data.is_empty() {
                    return;
                }
                shown = true;
                let name = event.name().unwrap_or_default();
                match self.seen.event(&name, &data.join(&b'\n')) {
                    Ok(true) => self.arrivals.push(now - self.begin),
                    Ok(false) => {}
                    Err(error) => wrong = Some(error.context(format!("an event {name:?}"))),
                }
                if let Some(id) = event.id() {
                    self.id = Some(String::from_utf8_lossy(id).into_owned());
                }
            });
        })?;
        if shown && !*is_shown {
            *is_shown = true;
            self.counters.connected.fetch_add(1, Ordering::Relaxed);
            let away = self.left.take().map_or(Duration::ZERO, |left| now - left);
            self.away = self.away.max(away);
        }
        match wrong {
            Some(error) => {
                self.refused += 1;
                self.why.get_or_insert_with(|| format!("{error:#}"));
                bail!(error)
            }
            None => Ok(()),
        }
    }

    fn request(&self) -> String {
        let Manner { door, token, .. } = &self.manner;
        let token = token.iter();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let id = self.id.iter().map(|id| format!("Last-Event-ID: {id}\r\n"));
        let more: String = token.chain(id).collect();
        format!(
            "GET /api/v1/runs/{}/stream HTTP/1.1\r\nHost: {door}\r\nAccept: text/event-stream\r\n{more}\r\n",
            self.run
        )
    }
}

/// An answer as far as it came.
#[derive(Debug)]
struct Stream {
    response: Response,
    events: Events,
    /// Whether an event of it was shown.
    is_shown: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            response: Response::default(),
            events: Events::server_sent(),
            is_shown: false,
        }
    }
}
