//! What goes into the merge and what comes out of it.

use crate::hub::frame::Frame;
use crate::hub::message::Message;
use crate::position::Track;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A message was heard as it was stored.
    Live {
        /// The message.
        message: Message,
        /// The sequence of its predecessor on the track; 0 if there is none.
        previous: u64,
    },
    /// A page was read.
    Page {
        /// What was asked.
        read: Read,
        /// What came.
        page: Page,
    },
    /// The leader said what a track's last sequence is; 0 if it has none.
    Tail {
        /// The track.
        track: Track,
        /// The sequence.
        sequence: u64,
    },
    /// A read failed.
    Failed(Read),
    /// Live messages may have been missed: the link was lost, or they came too fast.
    Missed,
    /// Somebody joined who must not be told an end that is no longer true.
    Joined,
    /// Time passed.
    Tick,
}

/// What came of a read.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The messages viewers may see, in order.
    pub messages: Vec<Message>,
    /// The last sequence in the page, of any subject; 0 if it is empty.
    pub last: u64,
    /// How many more there are.
    pub pending: u64,
}

/// Something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Read {
    /// A page of all subjects of the run.
    All {
        /// The first sequence.
        from: u64,
    },
    /// A page of one track.
    Track {
        /// The track.
        track: Track,
        /// The first sequence.
        from: u64,
    },
    /// A track's last sequence, from the leader.
    Tail(Track),
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Output {
    /// To be shown, in this order.
    pub frames: Vec<Frame>,
    /// To be read; each is answered by a page, a tail, or a failure.
    pub reads: Vec<Read>,
}
