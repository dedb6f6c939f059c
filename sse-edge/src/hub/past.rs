//! Reads a run from one place to another, for one reader alone.

use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::core::{Core, Input, Output};
use super::frame::Frame;
use super::source::Source;
use crate::position::{Position, Sequences};

/// A reading of the past. Cancelling [`next`](Self::next) loses nothing.
pub struct Past {
    source: Source,
    core: Core,
    reads: FuturesUnordered<BoxFuture<'static, Input>>,
    began: Instant,
    begun: bool,
}

impl Past {
    /// Reads from `start` up to `limit` on each track.
    #[must_use]
    pub fn new(source: Source, start: Position, limit: Sequences) -> Self {
        Self {
            source,
            core: Core::until(start, limit),
            reads: FuturesUnordered::new(),
            began: Instant::now(),
            begun: false,
        }
    }

    /// The next frames; `None` when all up to the limit is shown.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        loop {
            if !std::mem::replace(&mut self.begun, true) {
                let frames = self.step(Input::Tick);
                if !frames.is_empty() {
                    return Some(frames);
                }
            }
            if self.core.is_done() {
                return None;
            }
            let due = self
                .core
                .due()
                .map(|due| self.began + Duration::from_millis(due));
            let input = tokio::select! {
                biased;
                Some(input) = self.reads.next(), if !self.reads.is_empty() => input,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Input::Tick,
                else => Input::Tick,
            };
            let frames = self.step(input);
            if !frames.is_empty() {
                return Some(frames);
            }
        }
    }

    /// Reads on, up to `limit`.
    pub fn raise(&mut self, limit: Sequences) {
        self.core.raise(limit);
        self.begun = false;
    }

    /// Where a reader is who was shown all frames so far.
    #[must_use]
    pub fn position(&self) -> Position {
        self.core.position()
    }

    fn step(&mut self, input: Input) -> Vec<Frame> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Output { frames, reads } = self.core.step(input, now);
        for read in reads {
            let source = self.source.clone();
            self.reads
                .push(Box::pin(async move { source.read(read).await }));
        }
        frames
    }
}
