//! What the core shows goes into the window, and what it counts into the measurements.

use super::Driver;
use crate::hub::frame::Kind;
use crate::hub::registry::lock;
use crate::position::Position;

impl Driver {
    /// Puts what is to be shown into the window; true if anything changed for viewers.
    pub(super) fn fill_window(&mut self) -> bool {
        let opened = self.open_window();
        self.measure();
        let mut window = lock(&self.hub.window);
        let mut changed = opened || !self.frames.is_empty();
        let is_live = window.caught_up;
        for frame in self.frames.drain(..) {
            let live = is_live && matches!(frame.kind, Kind::Out(_));
            window.push(frame.encode(), frame.position, live.then_some(frame.ts));
        }
        let consumed = self.core.consumed();
        changed |= window.consumed != consumed;
        window.consumed = consumed;
        let mut note = |seen: bool, is: bool| {
            changed |= seen != is;
            is
        };
        window.known = note(window.known, self.core.is_known());
        window.caught_up = note(window.caught_up, self.core.is_caught_up());
        let ended = self.core.ended().filter(|_| window.joined == self.joined);
        note(window.ended.is_some(), ended.is_some());
        window.ended = ended;
        changed
    }

    /// Lets the viewers in, once the place where the first one says it was has been found. If nothing is
    /// there, the hub begins at the beginning, and only who asked for that place is told of a gap.
    fn open_window(&mut self) -> bool {
        let Some((stream, start)) = self.opening.filter(|_| self.core.is_verified()) else {
            return false;
        };
        self.opening = None;
        let mut window = lock(&self.hub.window);
        if self.core.has_restarted() {
            self.frames.clear();
            window.open(stream, Position::origin(stream.epoch));
            window.refused = Some(start);
        } else {
            window.open(stream, start);
        }
        true
    }

    fn measure(&mut self) {
        let meters = &self.hub.meters;
        meters.frames.increment(self.frames.len() as u64);
        let before = std::mem::replace(&mut self.counts, self.core.counts());
        let (holes, healed) = (self.counts.holes, self.counts.healed);
        meters.holes_found.increment(holes - before.holes);
        meters.holes_healed.increment(healed - before.healed);
        meters.gaps.increment(self.counts.gaps - before.gaps);
    }
}
