//! A viewer finds its place among the shared frames.

use tokio::time::Instant;

use super::{Phase, Step, Viewer};
use crate::hub::LOST_AFTER;
use crate::hub::core::NO_LONGER_KEPT;
use crate::hub::frame::Frame;
use crate::hub::snapshot::Snapshot;
use crate::position::Position;
use crate::resume::{Start, start_at};

impl Viewer {
    pub(super) fn begin(&mut self) -> Step {
        let (stream, closed, refused, beats) = {
            let window = self.member.window();
            (window.stream, window.closed, window.refused, window.beats)
        };
        let Some(stream) = stream else {
            return if closed {
                self.close()
            } else {
                self.answer(beats)
            };
        };
        self.until = Instant::now() + self.patience;
        let wanted = match &mut self.phase {
            Phase::Waiting(wanted) => wanted.take().map(|wanted| *wanted),
            _ => None,
        };
        match start_at(wanted, stream) {
            Start::At(position) if refused == Some(position) => {
                self.lost(NO_LONGER_KEPT, stream.epoch)
            }
            Start::At(position) | Start::Ahead(position) => {
                self.position = position;
                self.wants_snapshot &= position == Position::origin(stream.epoch);
                self.phase = self.beginning();
                Step::On
            }
            Start::Lost(why) => self.lost(why, stream.epoch),
        }
    }

    /// What was said so far is had at once when all of it is known.
    pub(super) fn gather(&mut self) -> Step {
        let (ready, closed, known, beats) = {
            let window = self.member.window();
            (window.caught_up, window.closed, window.known, window.beats)
        };
        if closed {
            return self.close();
        }
        if !ready || !known {
            return self.wait(known, beats);
        }
        let snapshot = Snapshot::new(self.run().clone(), self.position);
        self.read_alone(Some(snapshot));
        Step::On
    }

    /// Shared frames are taken only from where the hub was exactly where this viewer is.
    pub(super) fn join(&mut self) -> Step {
        let window = self.member.window();
        let found = window.find(&self.position);
        let is_ahead = !window.consumed.covers(&self.position.shown);
        drop(window);
        match found {
            Some(cursor) => {
                self.member.meters().from_window.increment(1);
                self.phase = Phase::Sharing(cursor);
            }
            None if is_ahead => {
                self.member.doubt();
                self.phase = Phase::Ahead(Instant::now() + LOST_AFTER);
            }
            None => self.read_alone(None),
        }
        Step::On
    }

    /// How it looks for what it was not shown.
    pub(super) fn beginning(&self) -> Phase {
        if self.wants_snapshot {
            Phase::Gathering
        } else {
            Phase::Joining
        }
    }

    pub(super) fn lost(&mut self, why: &'static str, epoch: u64) -> Step {
        self.phase = self.beginning();
        self.position = Position::origin(epoch);
        Step::Chunk(Frame::gap(why, None, self.position).encode())
    }
}
