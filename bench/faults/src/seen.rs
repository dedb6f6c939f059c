//! What one viewer was shown of a run, against what was said in it: nothing missing, nothing twice, nothing
//! out of order, and the text of each variation byte for byte. Pure.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use aideator_contract::{Event, OutMessage, Variation};
use sha2::{Digest as _, Sha256};

/// What was said in a variation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Messages, numbered from 0.
    pub(crate) messages: u64,
    /// Of its whole text, lower-case hexadecimal.
    pub(crate) sha256: String,
}

/// What a viewer was shown so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    variations: [Shown; Variation::MAX],
    /// Words of the edge that something is no longer kept.
    gaps: u64,
    /// Whether it was told that the run is over.
    pub(crate) ended: bool,
}

#[derive(Debug, Default)]
struct Shown {
    next: u64,
    missing: BTreeSet<u64>,
    repeated: u64,
    reordered: u64,
    text: Sha256,
}

/// What is wrong with what viewers were shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrongs {
    /// Messages that were never shown.
    pub(crate) lost: u64,
    /// Messages that were shown again.
    pub(crate) repeated: u64,
    /// Messages that were shown behind a later one.
    pub(crate) reordered: u64,
    /// Variations whose text is another one.
    pub(crate) altered: u64,
    pub(crate) gaps: u64,
}

impl Seen {
    /// An event of this name was shown; whether it was one of a variation's messages.
    pub(crate) fn event(&mut self, name: &str, data: &[u8]) -> anyhow::Result<bool> {
        match name {
            "" | "message" => {
                self.message(serde_json::from_slice(data)?);
                return Ok(true);
            }
            "gap" => self.gaps += 1,
            "end" => self.ended = true,
            _ => {}
        }
        Ok(false)
    }

    fn message(&mut self, message: OutMessage) {
        let shown = &mut self.variations[message.variation.index()];
        let n = message.n;
        if n >= shown.next {
            shown.missing.extend(shown.next..n);
            shown.next = n + 1;
        } else if shown.missing.remove(&n) {
            shown.reordered += 1;
        } else {
            shown.repeated += 1;
        }
        if let Event::TextDelta { delta, .. } = message.event {
            shown.text.update(delta);
        }
    }

    /// What is wrong with it, if this was said, a variation each.
    pub(crate) fn wrongs(&self, said: &[Said]) -> Wrongs {
        let mut wrongs = Wrongs {
            gaps: self.gaps,
            ..Wrongs::default()
        };
        let nothing = Said {
            messages: 0,
            sha256: hex(&Sha256::new()),
        };
        for (at, shown) in self.variations.iter().enumerate() {
            let said = said.get(at).unwrap_or(&nothing);
            wrongs += Wrongs {
                lost: shown.missing.len() as u64 + said.messages.saturating_sub(shown.next),
                repeated: shown.repeated,
                reordered: shown.reordered,
                altered: u64::from(hex(&shown.text) != said.sha256),
                gaps: 0,
            };
        }
        wrongs
    }
}

impl AddAssign for Wrongs {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.reordered += other.reordered;
        self.altered += other.altered;
        self.gaps += other.gaps;
    }
}

fn hex(text: &Sha256) -> String {
    let digest = text.clone().finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use aideator_contract::Attempt;

    use super::*;

    fn data(variation: u8, n: u64, text: &str) -> Vec<u8> {
        let (id, delta) = ("t".into(), text.to_owned());
        let variation = Variation::at(variation.into()).unwrap();
        let run = "a-run".parse().unwrap();
        let (attempt, now) = (Attempt::FIRST, SystemTime::now().into());
        let event = Event::TextDelta { id, delta };
        serde_json::to_vec(&OutMessage::new(run, variation, attempt, n, now, event)).unwrap()
    }

    fn said(texts: &[&str]) -> Said {
        let mut text = Sha256::new();
        texts.iter().for_each(|words| text.update(words));
        Said {
            messages: texts.len() as u64,
            sha256: hex(&text),
        }
    }

    /// The wrongs of a viewer who was shown these messages of a variation that said a, ö, c.
    fn wrongs(shown: &[(u64, &str)]) -> Wrongs {
        let mut seen = Seen::default();
        for (n, text) in shown {
            assert!(seen.event("message", &data(1, *n, text)).unwrap());
        }
        seen.wrongs(&[said(&[]), said(&["a", "ö", "c"])])
    }

    #[test]
    fn who_was_shown_everything_once_and_in_order_misses_nothing() {
        assert_eq!(wrongs(&[(0, "a"), (1, "ö"), (2, "c")]), Wrongs::default());
    }

    #[test]
    fn what_is_missing_at_any_place_is_lost() {
        for shown in [
            &[(1, "ö"), (2, "c")][..],
            &[(0, "a"), (2, "c")],
            &[(0, "a"), (1, "ö")],
        ] {
            let found = wrongs(shown);
            let (lost, altered) = (found.lost, found.altered);
            assert_eq!((lost, altered, found.repeated), (1, 1, 0), "{shown:?}");
        }
        assert_eq!(wrongs(&[]).lost, 3);
    }

    #[test]
    fn what_comes_twice_is_repeated_and_what_comes_late_is_reordered() {
        let twice = wrongs(&[(0, "a"), (1, "ö"), (1, "ö"), (2, "c")]);
        assert_eq!((twice.repeated, twice.lost, twice.altered), (1, 0, 1));
        let late = wrongs(&[(0, "a"), (2, "c"), (1, "ö")]);
        let (reordered, lost, repeated) = (late.reordered, late.lost, late.repeated);
        assert_eq!((reordered, lost, repeated, late.altered), (1, 0, 0, 1));
    }

    #[test]
    fn another_text_of_the_same_messages_is_altered() {
        let other = wrongs(&[(0, "a"), (1, "o"), (2, "c")]);
        assert_eq!((other.altered, other.lost), (1, 0));
    }

    #[test]
    fn a_variation_that_nobody_said_anything_in_is_altered_by_any_word() {
        let mut seen = Seen::default();
        seen.event("", &data(0, 0, "x")).unwrap();
        assert_eq!(seen.wrongs(&[]).altered, 1);
    }

    #[test]
    fn gaps_and_the_end_are_noticed_and_what_is_no_message_is_an_error() {
        let mut seen = Seen::default();
        assert!(!seen.event("gap", b"{}").unwrap() && !seen.event("state", b"{}").unwrap());
        assert!(!seen.ended);
        assert!(!seen.event("end", b"{}").unwrap());
        assert!(seen.ended);
        assert_eq!(seen.wrongs(&[]).gaps, 1);
        assert!(seen.event("message", b"{\"n\":").is_err());
    }
}
