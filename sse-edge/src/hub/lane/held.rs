//! Live messages kept behind a hole, until what is missing before them has come.

use std::collections::BTreeMap;

use crate::hub::message::Message;

/// So many are kept; what comes above them is read again from the stream.
const MESSAGES: usize = 4096;
/// So many bytes of them.
const BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// By sequence, each with that of the one before it.
    messages: BTreeMap<u64, (Message, u64)>,
    bytes: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn holds(&self, sequence: u64) -> bool {
        self.messages.contains_key(&sequence)
    }

    /// The highest sequence; 0 if there is none.
    pub(super) fn last(&self) -> u64 {
        let last = self.messages.last_key_value();
        last.map_or(0, |(sequence, _)| *sequence)
    }

    /// Keeps a message that follows the one at `previous`. False if there is no room.
    pub(super) fn keep(&mut self, message: Message, previous: u64) -> bool {
        let has_room = self.messages.len() < MESSAGES && self.bytes < BYTES;
        if has_room {
            self.bytes += message.payload.len();
            self.messages.insert(message.sequence, (message, previous));
        }
        has_room
    }

    /// The next one, if nothing is missing between it and `through`. What is not above that goes.
    pub(super) fn next_behind(&mut self, through: u64) -> Option<Message> {
        while let Some(entry) = self.messages.first_entry() {
            let (sequence, previous) = (*entry.key(), entry.get().1);
            if sequence > through && previous > through {
                return None;
            }
            let (message, _) = entry.remove();
            self.bytes -= message.payload.len();
            if sequence > through {
                return Some(message);
            }
        }
        None
    }
}
