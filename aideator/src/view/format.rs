//! Figures and words as people read them.

use aideator_contract::{Startup, State, Usage, UsageSource, Variation};

use super::Tone;

/// The number people call a variation by.
pub(crate) fn number(variation: Variation) -> usize {
    variation.index() + 1
}

/// A length of time.
pub(crate) fn duration(millis: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let seconds = millis as f64 / 1000.0;
    match millis / 1000 {
        0..=59 => format!("{seconds:.1} s"),
        whole @ 60..=3599 => format!("{}:{:02} min", whole / 60, whole % 60),
        whole => format!("{}:{:02} h", whole / 3600, whole / 60 % 60),
    }
}

/// How long ago something was.
pub(crate) fn ago(millis: u64) -> String {
    match millis / 1000 {
        0..=9 => String::from("now"),
        s @ 10..=59 => format!("{s}s ago"),
        s @ 60..=3599 => format!("{}m ago", s / 60),
        s @ 3600..=86_399 => format!("{}h ago", s / 3600),
        s => format!("{}d ago", s / 86_400),
    }
}

/// Tokens, speed and cost.
pub(crate) fn tokens(usage: &Usage) -> String {
    let about = match usage.source {
        UsageSource::Reported => "",
        UsageSource::Estimated => "~",
    };
    let mut text = format!(
        "{about}{} → {about}{} tokens",
        usage.input_tokens, usage.output_tokens
    );
    if let Some(speed) = usage.tokens_per_second {
        text.push_str(&format!(" · {speed:.0} tok/s"));
    }
    if let Some(ttft) = usage.ttft_ms {
        text.push_str(&format!(" · first after {}", duration(ttft)));
    }
    if let Some(cost) = usage.cost_usd {
        text.push_str(&format!(" · ${cost:.4}"));
    }
    text
}

/// How an attempt began: each step with the time since the one before; empty if there is but one.
pub(crate) fn beginning(startup: Startup) -> String {
    let steps: Vec<_> = startup.steps().collect();
    let taken = steps.windows(2).map(|pair| {
        let ((_, before), (step, at)) = (pair[0], pair[1]);
        format!("{step} +{}", duration(at.since(before)))
    });
    taken.collect::<Vec<_>>().join(" · ")
}

/// A state in words, and how it looks.
pub(crate) fn state_word(state: State) -> (&'static str, Tone) {
    match state {
        State::Queued => ("queued", Tone::Dim),
        State::Scheduling => ("scheduling", Tone::Busy),
        State::Starting => ("starting", Tone::Busy),
        State::Running => ("running", Tone::Busy),
        State::Cancelling => ("cancelling", Tone::Warn),
        State::Succeeded => ("succeeded", Tone::Good),
        State::Failed => ("failed", Tone::Bad),
        State::Cancelled => ("cancelled", Tone::Warn),
        State::TimedOut => ("timed out", Tone::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(duration(1_250), "1.2 s");
        assert_eq!(duration(61_000), "1:01 min");
        assert_eq!(duration(3_660_000), "1:01 h");
        assert_eq!(ago(5_000), "now");
        assert_eq!(ago(7_300_000), "2h ago");
    }
}
