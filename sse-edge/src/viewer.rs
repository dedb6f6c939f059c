//! One viewer of one run: a body that ends, waits and catches up by itself. It runs inside its
//! connection's task and holds no frames of its own.

mod finding;

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::RunId;
use bytes::{Bytes, BytesMut};
use futures::Stream;
use futures::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::hub::frame::{Frame, encode};
use crate::hub::window::Due;
use crate::hub::{Member, Past};
use crate::position::Position;
use crate::problem::Problem;
use crate::pulse::Pulse;
use crate::revocations::Lease;
use crate::token::Refused;

/// Frames are joined into chunks of about so many bytes.
const CHUNK: usize = 64 * 1024;
/// How often in a row a viewer may fall out of the window before it is closed; it resumes by its id.
const FALLS: u32 = 8;
/// What a client is asked to wait before it connects again.
const RETRY: &[u8] = b"retry: 1000\n\n";
const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// One viewer.
pub struct Viewer {
    member: Member,
    changes: watch::Receiver<()>,
    pulse: Arc<Pulse>,
    beat: watch::Receiver<u64>,
    wanted: Option<Position>,
    phase: Phase,
    position: Position,
    told_caught_up: bool,
    /// How long a run nobody knows is waited for, and until when.
    patience: Duration,
    until: Instant,
    falls: u32,
    share_of_drain: f64,
    /// What its token allows, where it showed one that ends.
    lease: Option<Lease>,
}

enum Phase {
    /// The hub's stream is not known yet.
    Waiting,
    /// Was shown more than the hub knows; given up at this time.
    Ahead(Instant),
    /// Looks for its place among the shared frames.
    Joining,
    /// Reads by itself up to where the shared frames go on at a cursor.
    Catching(Box<Past>, u64),
    /// Takes the shared frames.
    Sharing(u64),
    Over,
}

enum Woken {
    Changed,
    Beat,
    Impatient,
    Drained,
}

impl Viewer {
    /// A viewer that goes on at `wanted`, or begins at the beginning.
    #[must_use]
    pub fn new(
        member: Member,
        wanted: Option<Position>,
        pulse: Arc<Pulse>,
        patience: Duration,
        lease: Option<Lease>,
    ) -> Self {
        Self {
            changes: member.changes(),
            beat: pulse.beats(),
            member,
            pulse,
            wanted,
            phase: Phase::Waiting,
            position: Position::origin(0),
            told_caught_up: false,
            patience,
            until: Instant::now() + patience,
            falls: 0,
            share_of_drain: rand::random_range(0.0..0.8),
            lease,
        }
    }

    /// The body of its response.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        let opening = stream::iter([Ok(Bytes::from_static(RETRY))]);
        let chunks = stream::unfold(self, |mut viewer| async move {
            let chunk = viewer.next().await?;
            metrics::counter!("aideator_edge_bytes_total").increment(chunk.len() as u64);
            Some((Ok(chunk), viewer))
        });
        futures::StreamExt::chain(opening, chunks)
    }

    /// The next chunk, when one is due; `None` when there will be none.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(refused) = self.lease.as_mut().and_then(Lease::over) {
                return Some(self.refused(refused));
            }
            let due = match self.phase {
                Phase::Waiting => self.begin(),
                Phase::Ahead(give_up) => self.ahead(give_up).await,
                Phase::Joining => self.join(),
                Phase::Catching(..) => self.catch_up().await,
                Phase::Sharing(cursor) => self.share(cursor),
                Phase::Over => return None,
            };
            match due {
                Step::Chunk(bytes) => return Some(bytes),
                Step::On => {}
                Step::Wait => match self.wait().await {
                    Woken::Changed => {}
                    Woken::Beat => return Some(PING),
                    Woken::Impatient => return Some(self.unknown()),
                    Woken::Drained => return None,
                },
            }
        }
    }

    fn share(&mut self, cursor: u64) -> Step {
        let window = self.member.window();
        match window.due(cursor, CHUNK) {
            Due::Chunk {
                bytes,
                cursor,
                position,
            } => {
                drop(window);
                self.position = position;
                self.phase = Phase::Sharing(cursor);
                return Step::Chunk(bytes);
            }
            Due::Behind => {
                drop(window);
                return self.fell();
            }
            Due::Nothing => {}
        }
        let (caught_up, ended, closed) = (window.caught_up, window.ended, window.closed);
        drop(window);
        self.falls = 0;
        if caught_up && !self.told_caught_up {
            self.told_caught_up = true;
            return Step::Chunk(encode(Some("caught-up"), Some(&self.position), b"{}"));
        }
        if let Some(status) = ended.filter(|_| caught_up) {
            self.phase = Phase::Over;
            let data = json!({ "run_id": self.run(), "status": status }).to_string();
            return Step::Chunk(encode(Some("end"), Some(&self.position), data.as_bytes()));
        }
        if closed {
            return self.close();
        }
        Step::Wait
    }

    fn fell(&mut self) -> Step {
        metrics::counter!("aideator_edge_slow_viewers_total").increment(1);
        self.falls += 1;
        if self.falls > FALLS {
            tracing::debug!(run_id = %self.run(), "a viewer that can't keep up is closed");
            return self.close();
        }
        self.phase = Phase::Joining;
        Step::On
    }

    fn close(&mut self) -> Step {
        self.phase = Phase::Over;
        Step::On
    }

    fn unknown(&mut self) -> Bytes {
        let problem = Problem::unknown_run(self.run());
        self.fail(&problem)
    }

    fn refused(&mut self, refused: Refused) -> Bytes {
        self.lease = None;
        self.fail(&refused.into())
    }

    fn fail(&mut self, problem: &Problem) -> Bytes {
        self.phase = Phase::Over;
        encode(Some("error"), None, problem.document().to_json().as_bytes())
    }

    fn run(&self) -> &RunId {
        self.member.source().run()
    }

    async fn wait(&mut self) -> Woken {
        // While NATS is away nobody can say that a run is unknown.
        let asked = self.member.source().bus().is_connected();
        let unknown = {
            let window = self.member.window();
            asked && window.stream.is_some() && !window.known
        };
        tokio::select! {
            biased;
            () = self.pulse.drained(self.share_of_drain) => Woken::Drained,
            changed = self.changes.changed() => match changed {
                Ok(()) => Woken::Changed,
                Err(_) => Woken::Drained,
            },
            Ok(()) = self.beat.changed() => Woken::Beat,
            () = sleep_until(self.until), if unknown => Woken::Impatient,
        }
    }
}

enum Step {
    Chunk(Bytes),
    On,
    Wait,
}

fn join(frames: &[Frame]) -> Bytes {
    let mut chunk = BytesMut::new();
    for frame in frames {
        chunk.extend_from_slice(&frame.encode());
    }
    chunk.freeze()
}
