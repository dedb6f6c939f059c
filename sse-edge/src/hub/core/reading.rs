//! What follows from where everything is: what is to be read, and what can be said.

use super::{Core, Read};
use crate::hub::lane::Lane;
use crate::hub::message::Knowledge;
use crate::position::Track;

impl Core {
    pub(super) fn count(&mut self) {
        for (lane, was) in self.lanes.iter().zip(&mut self.behind) {
            let is = lane.is_behind();
            self.counts.holes += u64::from(self.caught_up && is && !*was);
            self.counts.healed += u64::from(self.caught_up && *was && !is);
            *was = is;
        }
    }

    /// Notes what follows from where everything is now.
    pub(super) fn look(&mut self, now: u64) {
        if !self.follows {
            return;
        }
        let waits = |lane: &Lane| lane.track != Track::State && lane.head().is_some();
        if self.lanes.iter().any(waits) {
            // Its state was lost on the way, or is about to come.
            self.lane(Track::State).tail.watch(now);
        }
        if self.known.as_ref().is_some_and(Knowledge::is_over) {
            for lane in self.lanes.iter_mut().take(1 + self.variations) {
                if lane.is_quiet() && !lane.tail.is_confirmed() {
                    lane.tail.hasten(now);
                }
            }
        }
        let met = |lane: &Lane| {
            lane.tail
                .first()
                .is_some_and(|first| lane.has_reached(first))
        };
        let reading = self.scan.is_some() || !self.is_verified();
        if !self.caught_up && self.is_known() && !reading {
            let all_met = self.active().all(met);
            self.caught_up = all_met;
        }
    }

    pub(super) fn ask(&mut self, now: u64, reads: &mut Vec<Read>) {
        match &mut self.scan {
            Some(scan) => {
                if !scan.reading && scan.retry.at() <= now {
                    scan.reading = true;
                    reads.push(Read::All { from: scan.from });
                }
            }
            None => reads.extend(self.lanes.iter_mut().filter_map(|lane| {
                let (track, from) = (lane.track, lane.read(now)?);
                Some(Read::Track { track, from })
            })),
        }
        let due = self
            .lanes
            .iter_mut()
            .filter(|lane| lane.tail.due().is_some());
        reads.extend(due.filter_map(|lane| lane.tail.ask(now).then_some(Read::Tail(lane.track))));
    }
}
