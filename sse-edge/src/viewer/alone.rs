//! What a viewer does by itself, apart from what is shared: all of it is rare and may cost something.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::{CHUNK, Flight, PING, Phase, Step, Viewer, join};
use crate::hub::frame::Frame;
use crate::hub::snapshot::Snapshot;
use crate::hub::{LOST_AFTER, Past};
use crate::problem::Problem;
use crate::resume::LOST_END;

/// A viewer that reads by itself, up to where the shared frames go on at a cursor.
pub(super) struct Catching {
    past: Past,
    /// Gathers what is read, to send it at once.
    snapshot: Option<Snapshot>,
    /// Read and not sent.
    frames: VecDeque<Frame>,
    cursor: u64,
}

impl Viewer {
    /// The hub is still reading, another edge heard more, or a new leader does not know all yet: waits
    /// until the hub knows as much as this viewer was shown.
    pub(super) async fn ahead(&mut self, give_up: Instant) -> Step {
        let (reached, closed, reading) = {
            let window = self.member.window();
            let reached = window.consumed.covers(&self.position.shown);
            (reached, window.closed, !window.caught_up)
        };
        if closed {
            return self.close();
        }
        if reached {
            self.phase = Phase::Joining;
            return Step::On;
        }
        tokio::select! {
            changed = self.changes.changed() => {
                let beats = self.member.window().beats;
                return match (changed, self.answer(beats)) {
                    (Err(_), _) => self.close(),
                    (Ok(()), Step::Wait) => Step::On,
                    (Ok(()), ping) => ping,
                };
            }
            () = sleep_until(give_up) => {}
        }
        match self.member.source().stream().await {
            Ok(stream) if stream.epoch != self.position.epoch => self.close(),
            Ok(stream) if stream.last < self.position.shown.largest() => {
                self.lost(LOST_END, stream.epoch)
            }
            Ok(_) if !reading => {
                // The hub will not come by what this viewer was shown: it may be no longer kept.
                self.read_alone(None);
                Step::On
            }
            Ok(_) | Err(_) => {
                self.phase = Phase::Ahead(Instant::now() + LOST_AFTER);
                Step::On
            }
        }
    }

    pub(super) fn read_alone(&mut self, snapshot: Option<Snapshot>) {
        let source = self.member.source().alone();
        let (cursor, consumed) = {
            let window = self.member.window();
            (window.end(), window.consumed)
        };
        self.phase = Phase::Catching(Box::new(Catching {
            past: Past::new(source, self.position, consumed),
            snapshot,
            frames: VecDeque::new(),
            cursor,
        }));
    }

    pub(super) async fn catch_up(&mut self) -> Step {
        let Phase::Catching(catching) = &mut self.phase else {
            return Step::On;
        };
        if !catching.frames.is_empty() {
            let frames = catching.some();
            let (chunk, events) = join(&frames);
            if let Some(last) = frames.last() {
                self.position = last.position;
            }
            self.flight = Flight {
                events,
                ..Flight::default()
            };
            return Step::Chunk(chunk);
        }
        let mut beat = self.pulse.beats();
        let frames = tokio::select! {
            frames = catching.past.next() => frames,
            Ok(()) = beat.changed() => return Step::Chunk(PING),
            () = self.pulse.drained(self.share_of_drain) => return self.close(),
        };
        if let Some(frames) = frames {
            match &mut catching.snapshot {
                Some(snapshot) => catching.frames.extend(snapshot.take(frames)),
                None => catching.frames.extend(frames),
            }
            return Step::On;
        }
        if let Some(snapshot) = catching.snapshot.take() {
            self.wants_snapshot = false;
            catching.frames.extend(snapshot.finish());
            return Step::On;
        }
        let window = self.member.window();
        if window.holds(catching.cursor) {
            let cursor = catching.cursor;
            self.phase = Phase::Sharing(cursor);
        } else {
            catching.past.raise(window.consumed);
            catching.cursor = window.end();
        }
        Step::On
    }

    /// This viewer's connection takes nothing for a while: it keeps its place and nothing else.
    pub(super) fn let_go(&mut self) {
        if matches!(self.phase, Phase::Catching(_)) {
            self.phase = self.beginning();
        }
    }

    /// Waits for a run nobody knows. Returns the last word, when the patience is at its end.
    pub(super) async fn hope(&mut self) -> Option<Bytes> {
        // While NATS is away nobody can say that a run is unknown.
        let asked = self.member.source().bus().is_connected();
        tokio::select! {
            changed = self.changes.changed() => {
                if changed.is_err() {
                    self.phase = Phase::Over;
                }
                None
            }
            () = sleep_until(self.until), if asked => {
                let problem = Problem::unknown_run(self.run());
                Some(self.fail(&problem))
            }
        }
    }
}

impl Catching {
    /// Bytes of events it holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.frames.iter().map(|frame| frame.payload.len()).sum()
    }

    /// The next frames, about a chunk of them.
    fn some(&mut self) -> Vec<Frame> {
        let mut room = CHUNK;
        let fits = self.frames.iter().take_while(|frame| {
            let fits = room > 0;
            room = room.saturating_sub(frame.payload.len());
            fits
        });
        let count = fits.count();
        self.frames.drain(..count).collect()
    }
}
