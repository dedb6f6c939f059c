//! A stored message of a track, with what must be known of it before it is passed on.

use aideator_bus::Stored;
use aideator_contract::event::OutHead;
use aideator_contract::subject::Place;
use aideator_contract::{Attempt, State, Status};
use bytes::Bytes;
use serde::Deserialize;

use crate::position::Track;

/// A stored message that viewers may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject.
    pub track: Track,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub ts: u64,
    /// What was sent.
    pub payload: Bytes,
    /// What must be known of it.
    pub head: Head,
}

/// What must be known of a message before it is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// The run as it is after this message.
    State(Knowledge),
    /// Where an event has its place.
    Out(OutHead),
    /// A state log message of a newer version is passed on and teaches nothing; an output message
    /// without attempt and `n` has no place and is never shown.
    Unreadable,
}

/// What the state log says that decides what may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Knowledge {
    /// Where the run is.
    pub status: Status,
    /// Its variations.
    pub variations: Vec<Known>,
}

/// What is known of a variation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// Where it is.
    pub state: State,
    /// At which attempt.
    pub attempt: Attempt,
    /// Terminal states: the last sequence of the attempt's output.
    #[serde(default)]
    pub end: Option<u64>,
}

impl Known {
    /// The sequence that must be reached before this is shown, and is not passed in this attempt.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        self.end.filter(|_| self.state.is_terminal())
    }
}

impl Knowledge {
    /// Nothing follows but a retry or a pick.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status, Status::Finished | Status::Rejected)
    }
}

impl Message {
    /// Reads a stored message; `None` for subjects that viewers do not see.
    #[must_use]
    pub fn read(stored: Stored) -> Option<Self> {
        let track = match Place::parse(&stored.subject)? {
            Place::State(_) => Track::State,
            Place::Out(_, variation) => Track::Out(variation),
            Place::Attempt(..) | Place::Report(..) => return None,
        };
        Some(Self {
            head: Head::read(track, &stored.payload),
            track,
            sequence: stored.sequence,
            ts: stored.ts,
            payload: stored.payload,
        })
    }
}

impl Head {
    /// Reads what must be known of a payload.
    #[must_use]
    pub fn read(track: Track, payload: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct StateHead {
            summary: Knowledge,
        }
        match track {
            Track::State => serde_json::from_slice::<StateHead>(payload)
                .map_or(Self::Unreadable, |head| Self::State(head.summary)),
            Track::Out(_) => {
                serde_json::from_slice::<OutHead>(payload).map_or(Self::Unreadable, Self::Out)
            }
        }
    }
}
