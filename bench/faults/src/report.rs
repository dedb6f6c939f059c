//! The section that is written: what was done, what came of it, what was to come of it.

use std::fmt::Write as _;
use std::time::Duration;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) result: String,
    pub(crate) bar: String,
    /// Whether the bar is met; a line without a bar meets it.
    pub(crate) met: bool,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            result: result.into(),
            bar: "–".to_owned(),
            met: true,
        }
    }

    /// With a bar that is met or not.
    pub(crate) fn bar(mut self, bar: impl Into<String>, met: bool) -> Self {
        self.bar = bar.into();
        self.met = met;
        self
    }
}

/// The section as text.
pub(crate) fn section(rows: &[Row], note: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "Made by `make bench-faults` on a machine with {cores} cores: edges, nats-server, publishers and viewers \
         share it. Viewers resume with the id of the last event they received whole. What each was shown is \
         compared with what was said, message by message, and by the SHA-256 of each variation's text. A time of \
         recovery is the longest that any viewer was without a new event, counted from the end of the cause."
    );
    if !note.is_empty() {
        let _ = write!(text, " {note}");
    }
    text.push_str("\n\n| what | result | bar |\n|---|---|---|\n");
    for Row {
        what,
        result,
        bar,
        met,
    } in rows
    {
        let missed = if *met { "" } else { " (**missed**)" };
        let _ = writeln!(text, "| {what} | {result}{missed} | {bar} |");
    }
    text
}

/// Seconds, to a hundredth.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_missed_is_told() {
        let rows = [
            Row::new("a", seconds(Duration::from_millis(1234))).bar("≤ 1 s", false),
            Row::new("b", "2"),
        ];
        let text = section(&rows, "Loud.");
        assert!(text.contains("cause. Loud.\n\n| what"), "{text}");
        assert!(text.ends_with("| a | 1.23 s (**missed**) | ≤ 1 s |\n| b | 2 | – |\n"));
    }
}
