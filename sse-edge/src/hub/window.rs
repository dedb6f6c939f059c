//! The frames viewers share: the last ones of a run, encoded once, bounded in bytes and number.

use std::collections::VecDeque;

use aideator_contract::Status;
use bytes::{Bytes, BytesMut};

use super::source::Stream;
use crate::position::{Position, Sequences};

/// What a window keeps at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of frames.
    pub bytes: usize,
    /// Frames.
    pub frames: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 2 * 1024 * 1024,
            frames: 16 * 1024,
        }
    }
}

/// The window. A cursor counts the frames of the hub from its beginning.
#[derive(Debug, Default)]
pub struct Window {
    bounds: Bounds,
    frames: VecDeque<(Bytes, Position)>,
    bytes: usize,
    first: u64,
    before: Option<Position>,
    /// The stream that is read, once it is known.
    pub stream: Option<Stream>,
    /// The place of a viewer where nothing is any more.
    pub refused: Option<Position>,
    /// Up to where everything is shown or dropped at the end of the window.
    pub consumed: Sequences,
    /// The run is known to exist.
    pub known: bool,
    /// All that was there when the hub began is shown.
    pub caught_up: bool,
    /// The run is over and all of it is shown.
    pub ended: Option<Status>,
    /// Nothing more will come here; who wants more asks again.
    pub closed: bool,
    /// How many viewers have joined; the end is told anew for each.
    pub joined: u64,
    /// How many viewers came that were shown more than the hub knows.
    pub doubted: u64,
}

/// What is due for a viewer.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// These frames, joined; where the viewer is then.
    Chunk {
        /// The frames.
        bytes: Bytes,
        /// The cursor behind them.
        cursor: u64,
        /// The position behind them.
        position: Position,
    },
    /// Nothing: it has all.
    Nothing,
    /// It fell out of the window.
    Behind,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// The hub begins at `start` of `stream`.
    pub fn open(&mut self, stream: Stream, start: Position) {
        self.stream = Some(stream);
        self.consumed = start.shown;
        self.before = Some(start);
    }

    /// Appends a frame; the oldest ones go where the bounds demand it.
    pub fn push(&mut self, frame: Bytes, position: Position) {
        // The stream has grown since the hub began: a viewer that has seen this has not lost its place.
        if let Some(stream) = &mut self.stream {
            stream.last = stream.last.max(position.shown.largest());
        }
        self.bytes += frame.len();
        self.frames.push_back((frame, position));
        while self.frames.len() > 1
            && (self.bytes > self.bounds.bytes || self.frames.len() > self.bounds.frames)
        {
            if let Some((frame, position)) = self.frames.pop_front() {
                self.bytes -= frame.len();
                self.first += 1;
                self.before = Some(position);
            }
        }
    }

    /// The cursor behind the last frame.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Whether the frames from `cursor` on are here.
    #[must_use]
    pub fn holds(&self, cursor: u64) -> bool {
        cursor >= self.first
    }

    /// The cursor from where a viewer at `position` can go on with the shared frames.
    #[must_use]
    pub fn find(&self, position: &Position) -> Option<u64> {
        if self.before.as_ref() == Some(position) {
            return Some(self.first);
        }
        let at = self.frames.iter().position(|(_, at)| at == position)?;
        Some(self.first + at as u64 + 1)
    }

    /// What is due for a viewer at `cursor`: frames up to `most` bytes, one at least.
    #[must_use]
    pub fn due(&self, cursor: u64, most: usize) -> Due {
        let Some(skip) = cursor.checked_sub(self.first) else {
            return Due::Behind;
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut room = most;
        let due = self.frames.iter().skip(skip).take_while(|(frame, _)| {
            let fits = room >= frame.len() || room == most;
            room = room.saturating_sub(frame.len());
            fits
        });
        let count = due.count();
        if count == 0 {
            return Due::Nothing;
        }
        let frames = || self.frames.range(skip..skip + count);
        let position = self.frames[skip + count - 1].1;
        let bytes = if count == 1 {
            self.frames[skip].0.clone()
        } else {
            let length = frames().map(|(frame, _)| frame.len()).sum();
            let mut joined = BytesMut::with_capacity(length);
            for (frame, _) in frames() {
                joined.extend_from_slice(frame);
            }
            joined.freeze()
        };
        Due::Chunk {
            bytes,
            cursor: cursor + count as u64,
            position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Track;

    fn at(sequence: u64) -> Position {
        let mut position = Position::origin(1);
        position.shown.set(Track::State, sequence);
        position
    }

    fn window(frames: usize) -> Window {
        let mut window = Window::new(Bounds { bytes: 100, frames });
        let stream = Stream { epoch: 1, last: 9 };
        window.open(stream, at(0));
        window
    }

    fn push(window: &mut Window, text: &'static str, sequence: u64) {
        window.push(Bytes::from_static(text.as_bytes()), at(sequence));
    }

    #[test]
    fn what_is_due_is_joined_up_to_a_bound() {
        let mut window = window(10);
        for (text, sequence) in [("aa", 1), ("bb", 2), ("cc", 3)] {
            push(&mut window, text, sequence);
        }
        let chunk = |bytes: &'static str, cursor| Due::Chunk {
            bytes: Bytes::from_static(bytes.as_bytes()),
            cursor,
            position: at(cursor),
        };
        assert_eq!(window.due(0, 100), chunk("aabbcc", 3));
        assert_eq!(window.due(0, 5), chunk("aabb", 2));
        assert_eq!(window.due(1, 1), chunk("bb", 2));
        assert_eq!(window.due(3, 100), Due::Nothing);
    }

    #[test]
    fn who_falls_out_is_told_and_who_is_inside_is_found() {
        let mut window = window(2);
        assert_eq!(window.find(&at(0)), Some(0));
        for (text, sequence) in [("a", 3), ("b", 5), ("c", 7)] {
            push(&mut window, text, sequence);
        }
        assert_eq!(window.due(0, 10), Due::Behind);
        assert_eq!(window.find(&at(0)), None);
        assert_eq!(window.find(&at(3)), Some(1));
        assert_eq!(window.find(&at(5)), Some(2));
        assert_eq!(window.find(&at(7)), Some(window.end()));
        assert_eq!(window.find(&at(6)), None);
    }

    #[test]
    fn a_frame_larger_than_the_window_is_kept_alone() {
        let mut window = window(9);
        push(&mut window, "a", 1);
        window.push(Bytes::from(vec![b'x'; 500]), at(2));
        assert_eq!(window.due(0, 10), Due::Behind);
        assert!(matches!(window.due(1, 10), Due::Chunk { cursor: 2, .. }));
    }
}
