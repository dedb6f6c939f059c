//! What each message says of itself: which of its run it is, and when it was due.

use std::sync::LazyLock;
use std::time::Duration;

use memchr::memmem::Finder;

static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"due="));
/// Behind the stamp, so that a message is as long as a few words of a model.
const WORDS: &str = " the quick brown fox jumps";

/// Which message of its run, and when it was due after the measurement began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts from 1 within a run.
    pub n: u64,
    /// `None` for a message that only warms up.
    pub due: Option<Duration>,
}

impl Stamp {
    /// A stamp as the text of a message. No character of it is escaped in JSON.
    pub fn text(self) -> String {
        let due = self.due.map_or(0, |due| due.as_micros().max(1));
        format!("due={},{due};{WORDS}", self.n)
    }

    /// The stamps in the data of an event. One server sends several messages as one event.
    pub fn find(data: &[u8]) -> impl Iterator<Item = Self> {
        let behind = MARK.needle().len();
        MARK.find_iter(data)
            .filter_map(move |at| Self::read(&data[at + behind..]))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (n, rest) = number(text, b',')?;
        let (due, _) = number(rest, b';')?;
        let due = (due > 0).then(|| Duration::from_micros(due));
        Some(Self { n, due })
    }
}

/// The digits up to `end`, and what is behind it.
fn number(text: &[u8], end: u8) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            byte if *byte == end && at > 0 => return Some((value, &text[at + 1..])),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        let stamps = [
            Stamp {
                n: 1,
                due: Some(Duration::from_micros(1_234_567)),
            },
            Stamp { n: 20, due: None },
        ];
        let data = format!(
            "[{{\"delta\":\"{}\"}},{{\"delta\":\"{}\"}}]",
            stamps[0].text(),
            stamps[1].text()
        );
        assert_eq!(Stamp::find(data.as_bytes()).collect::<Vec<_>>(), stamps);
    }

    #[test]
    fn half_a_stamp_is_none() {
        for text in [
            "due=",
            "due=1",
            "due=1,",
            "due=1,5",
            "due=,5;",
            "due=1;5,",
            "due=99999999999999999999,1;",
        ] {
            assert_eq!(Stamp::find(text.as_bytes()).count(), 0, "{text}");
        }
    }
}
