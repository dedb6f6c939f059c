//! The built-in scripted model `scripted/lorem?chunks=N&rate=R&seed=S&reasoning=K`.
//!
//! Its text is a pure function of its parameters, the same on every machine and in every version, so
//! that anybody can check a stream against it. It is never mistaken for a real model: its name says so.

use std::str::FromStr;
use std::time::Duration;

use aideator_contract::{Code, Reason};

/// The name before the parameters.
pub(super) const LOREM_NAME: &str = "scripted/lorem";

/// Chunks of text and of reasoning at most, each.
const MOST_CHUNKS: u64 = 1_000_000;

const WORDS: [&str; 32] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua",
    "enim",
    "minim",
    "veniam",
    "quis",
    "nostrud",
    "naïve",
    "größe",
    "日本",
    "→",
    "`code`",
    "**bold**",
    "🦀",
    "\"quote\"",
];

/// The parameters of one lorem.
#[derive(Debug, Clone, PartialEq)]
pub struct Lorem {
    /// Text chunks.
    pub chunks: u64,
    /// Chunks a second; 0 is as fast as possible.
    pub rate: f64,
    /// What the words depend on.
    pub seed: u64,
    /// Reasoning chunks before the text.
    pub reasoning: u64,
}

impl Default for Lorem {
    fn default() -> Self {
        Self {
            chunks: 200,
            rate: 50.0,
            seed: 1,
            reasoning: 0,
        }
    }
}

impl Lorem {
    /// Text chunk number `index`.
    pub fn chunk(&self, index: u64) -> String {
        words(self.seed, index)
    }

    /// Reasoning chunk number `index`.
    pub fn reasoning_chunk(&self, index: u64) -> String {
        words(!self.seed, index)
    }

    /// The whole text.
    pub fn text(&self) -> String {
        (0..self.chunks).map(|index| self.chunk(index)).collect()
    }

    /// The whole reasoning.
    pub fn reasoning_text(&self) -> String {
        (0..self.reasoning)
            .map(|index| self.reasoning_chunk(index))
            .collect()
    }

    /// When chunk number `index` (reasoning first) is due, from the start.
    pub fn due(&self, index: u64) -> Duration {
        if self.rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "at most two million chunks")]
            Duration::from_secs_f64(index as f64 / self.rate)
        } else {
            Duration::ZERO
        }
    }
}

impl FromStr for Lorem {
    type Err = Reason;

    fn from_str(model: &str) -> Result<Self, Reason> {
        let bad = |what: String| {
            Reason::new(
                Code::UnknownModel,
                format!("{model:?} is not understood: expected {what}"),
            )
        };
        let rest = model
            .strip_prefix(LOREM_NAME)
            .ok_or_else(|| bad(format!("a name that begins with {LOREM_NAME}")))?;
        let query = match rest.strip_prefix('?') {
            Some(query) => query,
            None if rest.is_empty() => "",
            None => return Err(bad(format!("nothing or '?' after {LOREM_NAME}"))),
        };
        let mut lorem = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let whole = || {
                value
                    .parse::<u64>()
                    .map_err(|_| bad(format!("a whole number for {name}")))
            };
            let chunks = || match whole()? {
                count if count <= MOST_CHUNKS => Ok(count),
                _ => Err(bad(format!("at most {MOST_CHUNKS} for {name}"))),
            };
            match name {
                "chunks" => lorem.chunks = chunks()?,
                "reasoning" => lorem.reasoning = chunks()?,
                "seed" => lorem.seed = whole()?,
                "rate" => {
                    lorem.rate = value
                        .parse()
                        .ok()
                        .filter(|rate: &f64| *rate == 0.0 || (0.01..=1_000_000.0).contains(rate))
                        .ok_or_else(|| bad("0 or 0.01 to 1000000 for rate".to_owned()))?;
                }
                _ => {
                    return Err(bad(format!(
                        "chunks, rate, seed or reasoning, not {name:?}"
                    )));
                }
            }
        }
        Ok(lorem)
    }
}

/// One to three words with what follows them, from the seed and the place alone.
fn words(seed: u64, index: u64) -> String {
    let mut random = mix(seed ^ mix(index));
    let mut chunk = String::new();
    for _ in 0..=random % 3 {
        random = mix(random);
        chunk.push_str(WORDS[usize::try_from(random % 32).unwrap_or_default()]);
        chunk.push_str(match (random >> 8) % 24 {
            0 => ".\n\n",
            1 => ",\n    ",
            2 => ". ",
            3 => ", ",
            _ => " ",
        });
    }
    chunk
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): fixed here, so that no library changes the text.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_never_changes() {
        let lorem: Lorem = "scripted/lorem?chunks=4&seed=7".parse().unwrap();
        assert_eq!(
            lorem.text(),
            "日本 tempor veniam veniam → dolore lorem dolor incididunt ipsum nostrud "
        );
    }

    #[test]
    fn parameters_are_read_and_the_rest_is_default() {
        let lorem: Lorem = "scripted/lorem?chunks=3&rate=0&seed=9&reasoning=2"
            .parse()
            .unwrap();
        assert_eq!(
            lorem,
            Lorem {
                chunks: 3,
                rate: 0.0,
                seed: 9,
                reasoning: 2
            }
        );
        assert_eq!("scripted/lorem".parse::<Lorem>().unwrap(), Lorem::default());
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (model, word) in [
            ("scripted/lorem?chunk=3", "\"chunk\""),
            ("scripted/lorem?chunks=-1", "chunks"),
            ("scripted/lorem?rate=NaN", "rate"),
            ("scripted/lorem?chunks=2000000", "at most"),
            ("scripted/loremipsum", "after"),
        ] {
            let failure = model.parse::<Lorem>().unwrap_err();
            assert!(
                failure.message.contains(word),
                "{model}: {}",
                failure.message
            );
        }
    }

    #[test]
    fn chunks_are_due_by_the_rate_from_the_start() {
        let lorem = Lorem {
            rate: 4.0,
            ..Lorem::default()
        };
        assert_eq!(lorem.due(10), Duration::from_millis(2500));
        assert_eq!(Lorem { rate: 0.0, ..lorem }.due(10), Duration::ZERO);
    }
}
