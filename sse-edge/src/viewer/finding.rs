//! A viewer finds its place among the shared frames.

use tokio::time::{Instant, sleep_until};

use super::{PING, Phase, Step, Viewer, join};
use crate::hub::core::NO_LONGER_KEPT;
use crate::hub::frame::Frame;
use crate::hub::{LOST_AFTER, Past};
use crate::position::Position;
use crate::resume::{LOST_END, Start, start_at};

impl Viewer {
    pub(super) fn begin(&mut self) -> Step {
        let (stream, closed, refused) = {
            let window = self.member.window();
            (window.stream, window.closed, window.refused)
        };
        let Some(stream) = stream else {
            return if closed { self.close() } else { Step::Wait };
        };
        self.until = Instant::now() + self.patience;
        match start_at(self.wanted, stream) {
            Start::At(position) if refused == Some(position) => {
                self.lost(NO_LONGER_KEPT, stream.epoch)
            }
            Start::At(position) | Start::Ahead(position) => {
                self.position = position;
                self.phase = Phase::Joining;
                Step::On
            }
            Start::Lost(why) => self.lost(why, stream.epoch),
        }
    }

    /// Shared frames are taken only from where the hub was exactly where this viewer is.
    pub(super) fn join(&mut self) -> Step {
        let window = self.member.window();
        let found = window.find(&self.position);
        let is_ahead = !window.consumed.covers(&self.position.shown);
        drop(window);
        match found {
            Some(cursor) => self.phase = Phase::Sharing(cursor),
            None if is_ahead => {
                self.member.doubt();
                self.phase = Phase::Ahead(Instant::now() + LOST_AFTER);
            }
            None => self.read_alone(),
        }
        Step::On
    }

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
            changed = self.changes.changed() => return match changed {
                Ok(()) => Step::On,
                Err(_) => self.close(),
            },
            Ok(()) = self.beat.changed() => return Step::Chunk(PING),
            () = self.pulse.drained(self.share_of_drain) => return self.close(),
            () = sleep_until(give_up) => {}
        }
        match self.member.source().stream().await {
            Ok(stream) if stream.epoch != self.position.epoch => self.close(),
            Ok(stream) if stream.last < self.position.shown.largest() => {
                self.lost(LOST_END, stream.epoch)
            }
            Ok(_) if !reading => {
                // The hub will not come by what this viewer was shown: it may be no longer kept.
                self.read_alone();
                Step::On
            }
            Ok(_) | Err(_) => {
                self.phase = Phase::Ahead(Instant::now() + LOST_AFTER);
                Step::On
            }
        }
    }

    fn read_alone(&mut self) {
        let source = self.member.source().apart();
        let (end, consumed) = {
            let window = self.member.window();
            (window.end(), window.consumed)
        };
        let past = Past::new(source, self.position, consumed);
        self.phase = Phase::Catching(Box::new(past), end);
    }

    pub(super) async fn catch_up(&mut self) -> Step {
        let Phase::Catching(past, cursor) = &mut self.phase else {
            return Step::On;
        };
        let frames = tokio::select! {
            frames = past.next() => frames,
            Ok(()) = self.beat.changed() => return Step::Chunk(PING),
            () = self.pulse.drained(self.share_of_drain) => return self.close(),
        };
        if let Some(frames) = frames {
            self.position = past.position();
            return Step::Chunk(join(&frames));
        }
        let window = self.member.window();
        if window.holds(*cursor) {
            self.phase = Phase::Sharing(*cursor);
        } else {
            past.raise(window.consumed);
            *cursor = window.end();
        }
        Step::On
    }

    fn lost(&mut self, why: &'static str, epoch: u64) -> Step {
        self.phase = Phase::Joining;
        self.position = Position::origin(epoch);
        Step::Chunk(Frame::gap(why, None, self.position).encode())
    }
}
