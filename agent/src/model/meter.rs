//! Counts tokens, time to first token, tokens per second and cost of an attempt.

use std::time::Duration;

use aideator_contract::{Usage, UsageSource};

use super::{Tokens, price};

/// Tokens in this many bytes of text, as estimated where nobody counts: four bytes a token.
pub(crate) fn estimated_tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

/// The state of one attempt's counting. Times are given from the moment the model was asked.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    model: String,
    asked_bytes: usize,
    said_bytes: usize,
    reasoned_bytes: usize,
    reported: Option<Tokens>,
    first: Option<Duration>,
    last: Duration,
}

impl Meter {
    /// A meter of one call with `asked_bytes` of input.
    pub(crate) fn new(model: &str, asked_bytes: usize) -> Self {
        Self {
            model: model.to_owned(),
            asked_bytes,
            said_bytes: 0,
            reasoned_bytes: 0,
            reported: None,
            first: None,
            last: Duration::ZERO,
        }
    }

    /// Text or reasoning of `bytes` came at `at`. Gives the time to the first token, if this is it.
    pub(crate) fn said(&mut self, bytes: usize, reasoning: bool, at: Duration) -> Option<Duration> {
        self.said_bytes += bytes;
        if reasoning {
            self.reasoned_bytes += bytes;
        }
        self.last = at;
        let is_first = self.first.is_none();
        is_first.then(|| *self.first.insert(at))
    }

    /// The model's server counted. What it says last is true.
    pub(crate) fn reported(&mut self, tokens: Tokens) {
        self.reported = Some(tokens);
    }

    /// The counts so far.
    pub(crate) fn usage(&self) -> Usage {
        let tokens = self.reported.unwrap_or_else(|| self.estimate());
        let seconds = self
            .first
            .map(|first| self.last.saturating_sub(first).as_secs_f64());
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let tokens_per_second = seconds
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| rounded(tokens.output as f64 / seconds));
        Usage {
            source: if self.reported.is_some() {
                UsageSource::Reported
            } else {
                UsageSource::Estimated
            },
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cached_tokens: tokens.cached,
            reasoning_tokens: tokens.reasoning,
            ttft_ms: self
                .first
                .map(|first| u64::try_from(first.as_millis()).unwrap_or(u64::MAX)),
            tokens_per_second,
            cost_usd: price::cost(&self.model, &tokens),
        }
    }

    fn estimate(&self) -> Tokens {
        Tokens {
            input: estimated_tokens(self.asked_bytes),
            output: estimated_tokens(self.said_bytes),
            cached: None,
            reasoning: (self.reasoned_bytes > 0).then(|| estimated_tokens(self.reasoned_bytes)),
        }
    }
}

/// Two digits after the point: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_counts_is_estimated_and_says_so() {
        let mut meter = Meter::new("m", 400);
        assert_eq!(
            meter.said(40, true, Duration::from_millis(250)),
            Some(Duration::from_millis(250))
        );
        assert_eq!(meter.said(40, false, Duration::from_millis(1250)), None);
        let usage = meter.usage();
        assert_eq!(usage.source, UsageSource::Estimated);
        assert_eq!((usage.input_tokens, usage.output_tokens), (100, 20));
        assert_eq!(usage.reasoning_tokens, Some(10));
        assert_eq!(usage.ttft_ms, Some(250));
        assert_eq!(usage.tokens_per_second, Some(20.0));
        assert_eq!(usage.cost_usd, None);
    }

    #[test]
    fn reported_counts_replace_and_never_add() {
        let mut meter = Meter::new("gpt-4o-mini", 4);
        meter.reported(Tokens {
            input: 10,
            output: 5,
            ..Tokens::default()
        });
        meter.reported(Tokens {
            input: 10,
            output: 9,
            ..Tokens::default()
        });
        let usage = meter.usage();
        assert_eq!(usage.source, UsageSource::Reported);
        assert_eq!(usage.output_tokens, 9);
        assert!(usage.cost_usd.is_some());
    }
}
