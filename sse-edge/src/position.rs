//! Where a viewer is in a run, as the `id:` of a server-sent event: the stream's epoch and the last
//! sequence of each subject that the viewer has been shown.

use std::fmt;
use std::str::FromStr;

use aideator_contract::Variation;
use aideator_contract::canonical::base36;
use thiserror::Error;

/// Subjects of a run that viewers see: the state log and each variation's output.
pub const TRACKS: usize = 1 + Variation::MAX;

/// One of the subjects of a run that viewers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// The state log.
    State,
    /// A variation's output.
    Out(Variation),
}

impl Track {
    /// All tracks, the state log first.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::State).chain(Variation::first(Variation::MAX).map(Self::Out))
    }

    /// Its place in a list of all tracks.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::State => 0,
            Self::Out(variation) => 1 + variation.index(),
        }
    }
}

/// A sequence for each track; 0 where there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sequences([u64; TRACKS]);

impl Sequences {
    /// The sequence of a track.
    #[must_use]
    pub fn get(&self, track: Track) -> u64 {
        self.0[track.index()]
    }

    /// Sets the sequence of a track.
    pub fn set(&mut self, track: Track, sequence: u64) {
        self.0[track.index()] = sequence;
    }

    /// Whether each track is at least where it is in `other`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(own, other)| *own >= other)
    }

    /// The largest.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.0.into_iter().max().unwrap_or(0)
    }
}

/// Where a viewer is in a run. As text: `<epoch>.<largest>` and then, per track, how far below the
/// largest it is; all in base 36, empty for a track of which nothing was shown, and cut behind the
/// last that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// When the stream was created (milliseconds): its sequences mean nothing in another stream.
    pub epoch: u64,
    /// The last sequence shown of each track.
    pub shown: Sequences,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a position of an event stream; send back the id of an event as it came")]
pub struct Malformed;

impl Position {
    /// Before the first event.
    #[must_use]
    pub fn origin(epoch: u64) -> Self {
        Self {
            epoch,
            shown: Sequences::default(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.shown.largest();
        write!(f, "{}.{}", base36(self.epoch), base36(largest))?;
        let tracks = self.shown.0;
        let last = tracks.iter().rposition(|sequence| *sequence > 0);
        for sequence in &tracks[..last.map_or(0, |last| last + 1)] {
            f.write_str(".")?;
            if *sequence > 0 {
                f.write_str(&base36(largest - sequence))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split('.');
        let epoch = number(parts.next())?;
        let largest = number(parts.next())?;
        let mut tracks = [0; TRACKS];
        for (at, part) in parts.enumerate() {
            let track = tracks.get_mut(at).ok_or(Malformed)?;
            if !part.is_empty() {
                *track = largest.checked_sub(number(Some(part))?).ok_or(Malformed)?;
            }
        }
        let position = Self {
            epoch,
            shown: Sequences(tracks),
        };
        // One position has one text: whatever else reads the same was not written by us.
        if position.to_string() == text {
            Ok(position)
        } else {
            Err(Malformed)
        }
    }
}

fn number(part: Option<&str>) -> Result<u64, Malformed> {
    let part = part.ok_or(Malformed)?;
    u64::from_str_radix(part, 36).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::corpus::{corpus, spoil};

    fn any_position() -> impl Strategy<Value = Position> {
        let sequence = prop_oneof![Just(0), 1u64..2000, any::<u64>()];
        (any::<u64>(), prop::array::uniform6(sequence)).prop_map(|(epoch, tracks)| Position {
            epoch,
            shown: Sequences(tracks),
        })
    }

    proptest! {
        #[test]
        fn every_position_reads_back(position in any_position()) {
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn a_text_is_a_position_only_if_it_is_written_as_we_write_it(
            text in prop_oneof!["[0-9a-z.+-]{0,30}", any::<String>()]
        ) {
            is_ours_or_refused(&text)?;
        }

        #[test]
        fn a_spoilt_position_is_another_one_or_none(
            position in any_position(), at: prop::sample::Index, byte in any::<u8>(), how: u8
        ) {
            let mut text = position.to_string().into_bytes();
            spoil(&mut text, at, byte, how);
            let text = String::from_utf8_lossy(&text);
            is_ours_or_refused(&text)?;
            prop_assert!(text == position.to_string() || text.parse() != Ok(position));
        }
    }

    /// Each position has one text.
    fn is_ours_or_refused(text: &str) -> Result<(), TestCaseError> {
        if let Ok(position) = text.parse::<Position>() {
            prop_assert_eq!(position.to_string(), text);
        }
        Ok(())
    }

    #[test]
    fn a_known_text_is_what_its_name_says() {
        for (name, text) in corpus("ids") {
            let text = String::from_utf8_lossy(&text);
            is_ours_or_refused(&text).unwrap();
            let is_good = name.starts_with("good-");
            assert_eq!(text.parse::<Position>().is_ok(), is_good, "{name}");
        }
    }

    #[test]
    fn it_is_short_where_tracks_are_close() {
        let mut position = Position::origin(1_795_000_000_000);
        assert_eq!(position.to_string(), "mwm0nk74.0");
        for (track, sequence) in Track::all().zip([1_000_000, 1_000_010, 0, 1_000_036]) {
            position.shown.set(track, sequence);
        }
        assert_eq!(position.to_string(), "mwm0nk74.lfms.10.q..0");
    }
}
