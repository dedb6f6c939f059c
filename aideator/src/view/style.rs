//! Colours, for terminals that want them.

use std::env;
use std::io::IsTerminal as _;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// What heads something.
    Bold,
    /// What is beside the point.
    Dim,
    /// What goes well.
    Good,
    /// What goes on.
    Busy,
    /// What wants attention.
    Warn,
    /// What went wrong.
    Bad,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Colours never.
    #[cfg(test)]
    pub(crate) const NEVER: Self = Self(false);

    /// Colours when standard output is a terminal and nobody said no (<https://no-color.org>).
    pub(crate) fn for_stdout() -> Self {
        Self::decide(
            std::io::stdout().is_terminal(),
            env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            env::var("TERM").is_ok_and(|term| term == "dumb"),
        )
    }

    fn decide(terminal: bool, no_color: bool, dumb: bool) -> Self {
        Self(terminal && !no_color && !dumb)
    }

    /// The text in this tone.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Busy => "36",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_is_coloured_and_no_color_is_respected() {
        assert_eq!(
            Paint::decide(true, false, false).tone(Tone::Bad, "x"),
            "\u{1b}[31mx\u{1b}[0m"
        );
        for plain in [
            Paint::decide(false, false, false),
            Paint::decide(true, true, false),
            Paint::decide(true, false, true),
        ] {
            assert_eq!(plain.tone(Tone::Bad, "x"), "x");
        }
    }
}
