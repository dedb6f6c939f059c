//! What waits to be published, in order, deltas joined.

use std::collections::VecDeque;

use aideator_contract::limits::{AGENT_QUEUE_BYTES, EVENT_BYTES, JOINED_TEXT_BYTES};
use aideator_contract::usage::Digest;
use aideator_contract::{Event, Report, Timestamp};
use sha2::{Digest as _, Sha256};

/// Bytes a waiting entry counts beside its text.
const OVERHEAD: usize = 128;

/// An event above the limit of one event; see `limits::EVENT_BYTES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of {bytes} bytes is larger than the {EVENT_BYTES} one may have")]
pub struct TooLarge {
    /// Its size as JSON.
    pub bytes: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Out(Event),
    Report(Report),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) item: Item,
    pub(super) ts: Timestamp,
    /// How many pushes are settled when this is stored.
    pub(super) pushes: u64,
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    pushes: u64,
    text: Sha256,
    text_bytes: u64,
}

impl Queue {
    /// Whether an event of `bytes` may come now. An empty queue takes anything.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.entries.is_empty() || self.bytes + bytes + OVERHEAD <= AGENT_QUEUE_BYTES
    }

    pub(super) fn push(&mut self, item: Item, ts: Timestamp) {
        self.pushes += 1;
        if let Item::Out(Event::TextDelta { delta, .. }) = &item {
            self.text.update(delta);
            self.text_bytes += delta.len() as u64;
        }
        match item {
            Item::Out(Event::TextDelta { id, delta }) => {
                self.push_delta(&delta, ts, |delta| Event::TextDelta {
                    id: id.clone(),
                    delta,
                });
            }
            Item::Out(Event::ReasoningDelta { id, delta }) => {
                self.push_delta(&delta, ts, |delta| Event::ReasoningDelta {
                    id: id.clone(),
                    delta,
                });
            }
            other => self.append(other, ts),
        }
    }

    fn push_delta(&mut self, delta: &str, ts: Timestamp, event: impl Fn(String) -> Event) {
        for piece in pieces(delta) {
            let event = event(piece.to_owned());
            let joined = self.entries.back_mut().filter(|last| last.takes(&event));
            match joined {
                Some(last) => {
                    last.join(piece);
                    last.pushes = self.pushes;
                    self.bytes += piece.len();
                }
                None => self.append(Item::Out(event), ts),
            }
        }
    }

    fn append(&mut self, item: Item, ts: Timestamp) {
        let bytes = OVERHEAD
            + match &item {
                Item::Out(event) => size(event),
                Item::Report(report) => json_len(report),
            };
        self.bytes += bytes;
        self.entries.push_back(Entry {
            item,
            ts,
            pushes: self.pushes,
            bytes,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        Some(entry)
    }

    /// How many pushes there have been.
    pub(super) fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Of all text deltas so far, as they were pushed.
    pub(super) fn digest(&self) -> Digest {
        let hash = self.text.clone().finalize();
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Digest {
            sha256,
            bytes: self.text_bytes,
        }
    }
}

impl Entry {
    /// Whether a delta can be joined to this one: it is of the same part and both fit one message.
    fn takes(&self, next: &Event) -> bool {
        match (&self.item, next) {
            (
                Item::Out(Event::TextDelta { id, delta }),
                Event::TextDelta {
                    id: same,
                    delta: more,
                },
            )
            | (
                Item::Out(Event::ReasoningDelta { id, delta }),
                Event::ReasoningDelta {
                    id: same,
                    delta: more,
                },
            ) => id == same && delta.len() + more.len() <= JOINED_TEXT_BYTES,
            _ => false,
        }
    }

    fn join(&mut self, more: &str) {
        if let Item::Out(Event::TextDelta { delta, .. } | Event::ReasoningDelta { delta, .. }) =
            &mut self.item
        {
            delta.push_str(more);
            self.bytes += more.len();
        }
    }
}

/// Bytes of an event as JSON; of a delta, which is split where it is too long, the text alone.
pub(super) fn size(event: &Event) -> usize {
    match event {
        Event::TextDelta { delta, .. } | Event::ReasoningDelta { delta, .. } => delta.len(),
        other => json_len(other),
    }
}

fn json_len(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

/// Refuses what is too large for one message. Deltas never are: they are split.
pub(super) fn check(event: &Event) -> Result<(), TooLarge> {
    match size(event) {
        bytes if bytes > EVENT_BYTES && !is_delta(event) => Err(TooLarge { bytes }),
        _ => Ok(()),
    }
}

fn is_delta(event: &Event) -> bool {
    matches!(
        event,
        Event::TextDelta { .. } | Event::ReasoningDelta { .. }
    )
}

/// The text in pieces of at most one message, cut between characters. An empty text is one piece:
/// what was pushed is published.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = text.floor_char_boundary(JOINED_TEXT_BYTES);
        let (piece, after) = text.split_at(cut);
        rest = (!after.is_empty()).then_some(after);
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use aideator_contract::canonical::sha256_hex;
    use proptest::prelude::*;

    use super::*;

    fn delta(id: &str, delta: &str) -> Item {
        Item::Out(Event::TextDelta {
            id: id.into(),
            delta: delta.into(),
        })
    }

    fn drained(mut queue: Queue) -> Vec<Item> {
        std::iter::from_fn(|| queue.pop())
            .map(|entry| entry.item)
            .collect()
    }

    fn of(items: Vec<Item>) -> Queue {
        let mut queue = Queue::default();
        for item in items {
            queue.push(item, Timestamp::default());
        }
        queue
    }

    #[test]
    fn only_neighbours_of_one_part_are_joined() {
        let reasoning = Item::Out(Event::ReasoningDelta {
            id: "a".into(),
            delta: "4".into(),
        });
        let queue = of(vec![
            delta("a", "1"),
            delta("a", "2"),
            delta("b", "3"),
            reasoning.clone(),
            Item::Out(Event::StartStep),
            delta("b", "5"),
            Item::Report(Report::Ready),
            delta("b", "6"),
        ]);
        assert_eq!(
            drained(queue),
            [
                delta("a", "12"),
                delta("b", "3"),
                reasoning,
                Item::Out(Event::StartStep),
                delta("b", "5"),
                Item::Report(Report::Ready),
                delta("b", "6"),
            ]
        );
    }

    #[test]
    fn an_entry_settles_every_push_that_was_joined_into_it() {
        let mut queue = of(vec![delta("a", "1"), delta("a", "2"), delta("b", "3")]);
        assert_eq!(queue.pop().unwrap().pushes, 2);
        assert_eq!(queue.pop().unwrap().pushes, 3);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn a_full_queue_has_no_room_and_an_empty_one_always() {
        let mut queue = Queue::default();
        assert!(queue.has_room(AGENT_QUEUE_BYTES * 2));
        queue.push(
            delta("a", &"x".repeat(AGENT_QUEUE_BYTES)),
            Timestamp::default(),
        );
        assert!(!queue.has_room(1));
        while queue.pop().is_some() {}
        assert!(queue.has_room(1));
    }

    #[test]
    fn an_event_above_the_limit_is_refused_and_a_delta_is_split() {
        let log = |bytes| Event::Log {
            level: aideator_contract::event::Level::Info,
            message: "x".repeat(bytes),
        };
        assert!(check(&log(EVENT_BYTES)).is_err());
        assert!(check(&log(EVENT_BYTES - 100)).is_ok());
        let long = Event::TextDelta {
            id: "a".into(),
            delta: "x".repeat(EVENT_BYTES * 2),
        };
        assert!(check(&long).is_ok());
    }

    proptest! {
        #[test]
        fn text_is_kept_whole_in_messages_of_bounded_size(
            deltas in prop::collection::vec(("[ab]", "(é|x|𝄞){0,9000}"), 0..12)
        ) {
            let whole: String = deltas.iter().map(|(_, text)| text.as_str()).collect();
            let queue = of(deltas.iter().map(|(id, text)| delta(id, text)).collect());
            let digest = queue.digest();
            prop_assert_eq!(digest.bytes, whole.len() as u64);
            prop_assert_eq!(digest.sha256, sha256_hex(whole.as_bytes()));
            let mut joined = String::new();
            for item in drained(queue) {
                let Item::Out(Event::TextDelta { delta, .. }) = item else { panic!("{item:?}") };
                prop_assert!(delta.len() <= JOINED_TEXT_BYTES);
                joined.push_str(&delta);
            }
            prop_assert_eq!(joined, whole);
        }
    }
}
