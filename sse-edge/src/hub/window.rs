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

#[derive(Debug)]
struct Shared {
    frame: Bytes,
    /// Where a viewer is who was shown it.
    position: Position,
    /// When it was stored, if it came live.
    live: Option<u64>,
}

/// What is due from one cursor, joined: kept for the next viewer at the same cursor.
#[derive(Debug)]
struct Joined {
    from: u64,
    most: usize,
    bytes: Bytes,
    to: u64,
}

/// The window. A cursor counts the frames of the hub from its beginning.
#[derive(Debug, Default)]
pub struct Window {
    bounds: Bounds,
    frames: VecDeque<Shared>,
    bytes: usize,
    first: u64,
    before: Option<Position>,
    joined_last: Option<Joined>,
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
    /// How often the viewers were asked to show that their streams are alive.
    pub beats: u32,
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
        /// When the first of them that came live was stored, in milliseconds since the Unix epoch.
        live: Option<u64>,
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

    /// Appends a frame; the oldest ones go where the bounds demand it. `live` is when it was stored, if
    /// it is shown as it comes.
    pub fn push(&mut self, frame: Bytes, position: Position, live: Option<u64>) {
        // The stream has grown since the hub began: a viewer that has seen this has not lost its place.
        if let Some(stream) = &mut self.stream {
            stream.last = stream.last.max(position.shown.largest());
        }
        self.joined_last = None;
        self.bytes += frame.len();
        self.frames.push_back(Shared {
            frame,
            position,
            live,
        });
        while self.frames.len() > 1
            && (self.bytes > self.bounds.bytes || self.frames.len() > self.bounds.frames)
        {
            if let Some(oldest) = self.frames.pop_front() {
                self.bytes -= oldest.frame.len();
                self.first += 1;
                self.before = Some(oldest.position);
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

    /// The cursor from where a viewer at `position` can go on with the shared frames. Positions only
    /// grow, so it is looked up, not searched for.
    #[must_use]
    pub fn find(&self, position: &Position) -> Option<u64> {
        if self.before.as_ref() == Some(position) {
            return Some(self.first);
        }
        let shown = &position.shown;
        let at = self
            .frames
            .partition_point(|frame| !frame.position.shown.covers(shown));
        let found = self.frames.get(at)?;
        (found.position == *position).then_some(self.first + at as u64 + 1)
    }

    /// What is due for a viewer at `cursor`: frames up to `most` bytes, one at least.
    #[must_use]
    pub fn due(&mut self, cursor: u64, most: usize) -> Due {
        let Some(skip) = cursor.checked_sub(self.first) else {
            return Due::Behind;
        };
        if cursor >= self.end() {
            return Due::Nothing;
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let (bytes, to) = self.joined(cursor, skip, most);
        let count = usize::try_from(to - cursor).unwrap_or(usize::MAX);
        let mut due = self.frames.range(skip..skip + count);
        Due::Chunk {
            live: due.find_map(|frame| frame.live),
            bytes,
            cursor: to,
            position: self.frames[skip + count - 1].position,
        }
    }

    /// The frames from `cursor` on, as many as fit, and the cursor behind them. Viewers who wake together
    /// are at the same cursor, so what one of them needs is kept for the next.
    fn joined(&mut self, cursor: u64, skip: usize, most: usize) -> (Bytes, u64) {
        if let Some(last) = &self.joined_last
            && (last.from, last.most) == (cursor, most)
        {
            return (last.bytes.clone(), last.to);
        }
        let mut room = most;
        let due = self.frames.range(skip..).take_while(|shared| {
            let fits = room >= shared.frame.len() || room == most;
            room = room.saturating_sub(shared.frame.len());
            fits
        });
        let count = due.count();
        let to = cursor + count as u64;
        if count == 1 {
            return (self.frames[skip].frame.clone(), to);
        }
        let frames = || self.frames.range(skip..skip + count);
        let mut joined = BytesMut::with_capacity(frames().map(|shared| shared.frame.len()).sum());
        for shared in frames() {
            joined.extend_from_slice(&shared.frame);
        }
        let bytes = joined.freeze();
        self.joined_last = Some(Joined {
            from: cursor,
            most,
            bytes: bytes.clone(),
            to,
        });
        (bytes, to)
    }

    /// Where a viewer is of whose frames before `cursor` the last `unsent` bytes are not sent: the rest of
    /// the frame that was cut, the cursor behind that frame, and the position there. Holding this, a viewer
    /// that stalls holds no frame but one. `None` if the frame has left the window meanwhile.
    #[must_use]
    pub fn cut(&self, cursor: u64, unsent: usize) -> Option<(Bytes, u64, Position)> {
        let mut behind = usize::try_from(cursor.checked_sub(self.first)?).ok()?;
        let mut unsent = unsent;
        loop {
            let shared = self.frames.get(behind.checked_sub(1)?)?;
            let length = shared.frame.len();
            if unsent <= length {
                let rest = shared.frame.slice(length - unsent..);
                return Some((rest, self.first + behind as u64, shared.position));
            }
            unsent -= length;
            behind -= 1;
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
        window.push(Bytes::from_static(text.as_bytes()), at(sequence), None);
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
            live: None,
        };
        assert_eq!(window.due(0, 100), chunk("aabbcc", 3));
        assert_eq!(window.due(0, 5), chunk("aabb", 2));
        assert_eq!(window.due(1, 1), chunk("bb", 2));
        assert_eq!(window.due(3, 100), Due::Nothing);
    }

    #[test]
    fn what_is_joined_for_one_viewer_is_shared_by_the_next_and_holds_what_came_since() {
        let mut window = window(10);
        push(&mut window, "aa", 1);
        push(&mut window, "bb", 2);
        let mut address = || match window.due(0, 100) {
            Due::Chunk { bytes, .. } => bytes.as_ptr(),
            due => panic!("{due:?}"),
        };
        assert_eq!(address(), address(), "joined once");
        push(&mut window, "cc", 3);
        let Due::Chunk { bytes, cursor, .. } = window.due(0, 100) else {
            panic!("nothing is due");
        };
        assert_eq!((&bytes[..], cursor), (&b"aabbcc"[..], 3));
    }

    #[test]
    fn who_is_cut_short_holds_the_rest_of_one_frame() {
        let mut window = window(10);
        for (text, sequence) in [("aaa", 1), ("bbb", 2), ("ccc", 3)] {
            push(&mut window, text, sequence);
        }
        let all = b"aaabbbccc";
        for sent in 0..all.len() {
            let (rest, cursor, position) = window.cut(3, all.len() - sent).unwrap();
            assert!(rest.len() <= 3, "{rest:?}");
            assert_eq!(position, at(cursor));
            let mut whole = all[..sent].to_vec();
            whole.extend_from_slice(&rest);
            if let Due::Chunk { bytes, .. } = window.due(cursor, 100) {
                whole.extend_from_slice(&bytes);
            }
            assert_eq!(whole, all, "cut after {sent}");
        }
        assert!(window.cut(3, 10).is_none(), "that frame is not here");
    }

    #[test]
    fn what_came_live_is_dated_by_its_first_event() {
        let mut window = window(10);
        push(&mut window, "a", 1);
        window.push(Bytes::from_static(b"b"), at(2), Some(70));
        window.push(Bytes::from_static(b"c"), at(3), Some(80));
        let mut live = |cursor| match window.due(cursor, 100) {
            Due::Chunk { live, .. } => live,
            due => panic!("{due:?}"),
        };
        assert_eq!((live(0), live(1), live(2)), (Some(70), Some(70), Some(80)));
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
        window.push(Bytes::from(vec![b'x'; 500]), at(2), None);
        assert_eq!(window.due(0, 10), Due::Behind);
        assert!(matches!(window.due(1, 10), Due::Chunk { cursor: 2, .. }));
    }
}
