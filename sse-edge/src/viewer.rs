//! One viewer of one run: it waits, catches up and ends by itself, and says what is to be sent next. It
//! holds no frames of its own, has no timer of its own, and what is rare about it lies elsewhere.

mod alone;
mod finding;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::RunId;
use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use self::alone::Catching;
pub(crate) use self::sending::is_gone;
use crate::hub::Member;
use crate::hub::frame::{Frame, Kind, encode};
use crate::hub::window::Due;
use crate::position::Position;
use crate::problem::Problem;
use crate::pulse::Pulse;
use crate::resume::Wanted;
use crate::revocations::Lease;
use crate::token::Refused;

/// Frames are joined into chunks of about so many bytes.
const CHUNK: usize = 64 * 1024;
/// How often in a row a viewer may fall out of the window before it is closed; it resumes by its id.
const FALLS: u8 = 8;
/// What a client is asked to wait before it connects again.
pub(crate) const RETRY: &str = "retry: 1000\n\n";
pub(crate) const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// One viewer.
pub struct Viewer {
    member: Member,
    changes: watch::Receiver<()>,
    pulse: Arc<Pulse>,
    phase: Phase,
    position: Position,
    /// What its token allows, where it showed one that ends.
    lease: Option<Box<Lease>>,
    /// What was given out last: it has been sent when more is asked for.
    flight: Flight,
    /// How long a run nobody knows is waited for, and until when.
    patience: Duration,
    until: Instant,
    share_of_drain: f32,
    /// The last heartbeat of the hub that was answered.
    beat: u32,
    falls: u8,
    told_caught_up: bool,
    /// Where it has been shown nothing, it wants what was said so far at once.
    wants_snapshot: bool,
}

enum Phase {
    /// The hub's stream is not known yet; where it wants to begin.
    Waiting(Option<Box<Position>>),
    /// Waits for the hub to have read what there is, to have all of it at once.
    Gathering,
    /// Was shown more than the hub knows; given up at this time.
    Ahead(Instant),
    /// Looks for its place among the shared frames.
    Joining,
    /// Reads by itself up to where the shared frames go on.
    Catching(Box<Catching>),
    /// Takes the shared frames.
    Sharing(u64),
    Over,
}

/// A chunk on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Flight {
    /// It was taken from the window, up to the cursor.
    shared: bool,
    /// How many stored events are in it.
    events: u32,
    /// When the first of them that the viewer waited for was stored.
    live: Option<u64>,
}

enum Step {
    Chunk(Bytes),
    On,
    Wait,
    /// Waits for a run nobody knows.
    Unknown,
}

impl Viewer {
    /// A viewer that goes on where it was, or begins at the beginning.
    #[must_use]
    pub fn new(
        member: Member,
        wanted: Wanted,
        pulse: Arc<Pulse>,
        patience: Duration,
        lease: Option<Lease>,
    ) -> Self {
        let beat = member.window().beats;
        Self {
            changes: member.changes(),
            phase: Phase::Waiting(wanted.position.map(Box::new)),
            position: Position::origin(0),
            lease: lease.map(Box::new),
            flight: Flight::default(),
            patience,
            until: Instant::now() + patience,
            share_of_drain: pulse.share(rand::random()),
            beat,
            falls: 0,
            told_caught_up: false,
            wants_snapshot: wanted.snapshot,
            member,
            pulse,
        }
    }

    /// It is let go at this share of the drain, with others on its connection.
    #[must_use]
    pub(crate) fn leaving_at(mut self, share: f32) -> Self {
        self.share_of_drain = share;
        self
    }

    /// The next chunk, when one is due; `None` when there will be none.
    async fn next(&mut self) -> Option<Bytes> {
        self.arrived();
        loop {
            if self.pulse.is_over(self.share_of_drain) {
                return None;
            }
            if let Some(refused) = self.lease.as_mut().and_then(|lease| lease.over()) {
                return Some(self.refused(refused));
            }
            let step = match self.phase {
                Phase::Waiting(_) => self.begin(),
                Phase::Gathering => self.gather(),
                Phase::Joining => self.join(),
                Phase::Sharing(cursor) => self.share(cursor),
                // What is rare is put elsewhere, so that a viewer at rest is small.
                Phase::Ahead(give_up) => Box::pin(self.ahead(give_up)).await,
                Phase::Catching(_) => Box::pin(self.catch_up()).await,
                Phase::Over => return None,
            };
            match step {
                Step::Chunk(bytes) => return Some(bytes),
                Step::On => {}
                Step::Wait => self.changes.changed().await.ok()?,
                Step::Unknown => {
                    if let Some(word) = Box::pin(self.hope()).await {
                        return Some(word);
                    }
                }
            }
        }
    }

    fn share(&mut self, cursor: u64) -> Step {
        let mut window = self.member.window();
        match window.due(cursor, CHUNK) {
            Due::Chunk {
                bytes,
                cursor: to,
                position,
                live,
            } => {
                self.beat = window.beats;
                drop(window);
                self.position = position;
                self.phase = Phase::Sharing(to);
                self.flight = Flight {
                    shared: true,
                    events: u32::try_from(to - cursor).unwrap_or(u32::MAX),
                    live: live.filter(|_| self.told_caught_up),
                };
                return Step::Chunk(bytes);
            }
            Due::Behind => {
                drop(window);
                return self.fell();
            }
            Due::Nothing => {}
        }
        let (caught_up, ended, closed) = (window.caught_up, window.ended, window.closed);
        let (known, beats) = (window.known, window.beats);
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
        self.wait(known, beats)
    }

    /// Nothing is due; of a run nobody knows perhaps nothing ever will be.
    fn wait(&mut self, known: bool, beats: u32) -> Step {
        match self.answer(beats) {
            Step::Wait if !known => Step::Unknown,
            step => step,
        }
    }

    /// Nothing is due but, once a heartbeat, a sign that the stream is alive.
    fn answer(&mut self, beats: u32) -> Step {
        if std::mem::replace(&mut self.beat, beats) == beats {
            Step::Wait
        } else {
            Step::Chunk(PING)
        }
    }

    fn fell(&mut self) -> Step {
        self.member.meters().slow.increment(1);
        self.falls += 1;
        if self.falls <= FALLS {
            self.phase = Phase::Joining;
            return Step::On;
        }
        tracing::debug!(run_id = %self.run(), "a viewer that can't keep up is closed");
        self.member.meters().slow_closed.increment(1);
        self.phase = Phase::Over;
        let data = json!({ "reason": "this connection can't keep up; come back with the last id" });
        let data = data.to_string();
        Step::Chunk(encode(Some("slow"), Some(&self.position), data.as_bytes()))
    }

    fn close(&mut self) -> Step {
        self.phase = Phase::Over;
        Step::On
    }

    fn refused(&mut self, refused: Refused) -> Bytes {
        self.lease = None;
        self.fail(&refused.into())
    }

    fn fail(&mut self, problem: &Problem) -> Bytes {
        self.phase = Phase::Over;
        encode(Some("error"), None, problem.document().to_json().as_bytes())
    }

    /// The last chunk was sent.
    fn arrived(&mut self) {
        let Flight { events, live, .. } = std::mem::take(&mut self.flight);
        if events > 0 {
            self.member.meters().deliveries.increment(events.into());
        }
        if let Some(stored) = live {
            self.member.meters().arrived(stored);
        }
    }

    fn run(&self) -> &RunId {
        self.member.source().run()
    }
}

/// The frames in one chunk, and how many of them are stored events.
fn join(frames: &[Frame]) -> (Bytes, u32) {
    let mut chunk = BytesMut::new();
    let mut events = 0;
    for frame in frames {
        chunk.extend_from_slice(&frame.encode());
        events += u32::from(frame.kind != Kind::Gap);
    }
    (chunk.freeze(), events)
}
