//! What has come is shown, as far as the rules let it.

use aideator_contract::Variation;
use aideator_contract::event::OutHead;

use super::Core;
use crate::hub::frame::{Frame, Kind};
use crate::hub::message::{Head, Knowledge, Known, Message};
use crate::hub::visible::{self, Verdict};
use crate::position::Track;

impl Core {
    /// Shows all that may be shown, lowest sequence first.
    pub(super) fn show(&mut self, now: u64, frames: &mut Vec<Frame>) {
        if !self.is_verified() {
            return;
        }
        loop {
            let next = self
                .lanes
                .iter()
                .filter_map(|lane| Some((lane.head()?, self.verdict(lane.head()?))))
                .filter(|(_, verdict)| *verdict != Verdict::Wait)
                .min_by_key(|(head, _)| head.sequence);
            let Some((track, verdict)) = next.map(|(head, verdict)| (head.track, verdict)) else {
                break;
            };
            let Some(message) = self.lane(track).consume() else {
                break;
            };
            if verdict == Verdict::Show {
                self.shown(message, now, frames);
            }
        }
    }

    fn verdict(&self, message: &Message) -> Verdict {
        match (message.track, &message.head) {
            (Track::State, Head::State(knowledge)) => {
                if self.blocking(knowledge).next().is_some() {
                    Verdict::Wait
                } else {
                    Verdict::Show
                }
            }
            (Track::State, _) => Verdict::Show,
            (Track::Out(variation), Head::Out(head)) => {
                self.verdict_of_event(variation, *head, message.sequence)
            }
            (Track::Out(_), _) => Verdict::Drop,
        }
    }

    /// The variations whose end the state waits for.
    fn blocking(&self, knowledge: &Knowledge) -> impl Iterator<Item = Variation> {
        Variation::first(knowledge.variations.len().min(Variation::MAX)).filter(|variation| {
            let end = knowledge.variations[variation.index()].bound();
            let lane = &self.lanes[Track::Out(*variation).index()];
            end.is_some_and(|end| !lane.has_reached(end))
        })
    }

    fn verdict_of_event(&self, variation: Variation, head: OutHead, sequence: u64) -> Verdict {
        let at = variation.index();
        let of = |knowledge: &Knowledge| knowledge.variations.get(at).copied();
        let known = self.known.as_ref().and_then(of);
        let states = &self.lanes[Track::State.index()];
        let coming = || {
            states.waiting().filter_map(|message| match &message.head {
                Head::State(knowledge) => of(knowledge),
                _ => None,
            })
        };
        let verdict = visible::judge(head, sequence, self.last[at], known.as_ref(), coming());
        if verdict != Verdict::Wait {
            return verdict;
        }
        // The state that knows the attempt itself waits for this output (entries before it are no
        // longer kept), or there is no more of the state log to wait for.
        let waits_for_this = coming().next().is_some_and(|next: Known| {
            next.attempt >= head.attempt && next.bound().is_some_and(|end| sequence <= end)
        });
        if self.blind || states.is_done() || waits_for_this {
            Verdict::Show
        } else {
            Verdict::Wait
        }
    }

    fn shown(&mut self, message: Message, now: u64, frames: &mut Vec<Frame>) {
        let kind = match (message.track, message.head) {
            (Track::State, head) => {
                if std::mem::take(&mut self.fresh) && !is_beginning(&message.payload) {
                    self.gap(None, frames);
                }
                self.tell_ends(&head, frames);
                self.know(head, now);
                Kind::State
            }
            (Track::Out(variation), head) => {
                if let Head::Out(head) = head {
                    let last = self.last[variation.index()].replace(head);
                    if visible::is_gap(last, head) {
                        self.gap(Some(variation), frames);
                    }
                }
                Kind::Out(variation)
            }
        };
        self.lane(message.track).shown = message.sequence;
        frames.push(Frame {
            kind,
            payload: message.payload,
            ts: message.ts,
            position: self.position(),
        });
    }

    /// Says which outputs end before the end that a state speaks of: their last events are no longer kept.
    fn tell_ends(&mut self, head: &Head, frames: &mut Vec<Frame>) {
        for (variation, end) in ends(head) {
            let lane = self.lane(Track::Out(variation));
            if !lane.accounts_for(end) {
                lane.tell(end);
                self.gap(Some(variation), frames);
            }
        }
    }

    fn know(&mut self, head: Head, now: u64) {
        match head {
            Head::State(knowledge) => {
                if knowledge.is_over() {
                    self.demand_tails(now);
                }
                self.known = Some(knowledge);
            }
            _ => self.blind = true,
        }
    }
}

/// The variations that are over in a state, each with the last sequence of its attempt's output.
pub(super) fn ends(head: &Head) -> impl Iterator<Item = (Variation, u64)> {
    let variations = match head {
        Head::State(knowledge) => knowledge.variations.as_slice(),
        _ => &[],
    };
    Variation::first(variations.len().min(Variation::MAX))
        .zip(variations)
        .filter_map(|(variation, known)| Some((variation, known.bound()?)))
}

/// Whether a state log begins with this message.
fn is_beginning(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Changed {
        change: Change,
    }
    #[derive(serde::Deserialize)]
    struct Change {
        r#type: String,
    }
    serde_json::from_slice::<Changed>(payload)
        .is_ok_and(|changed| matches!(changed.change.r#type.as_str(), "accepted" | "rejected"))
}
