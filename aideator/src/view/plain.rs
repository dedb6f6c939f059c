//! What is written when no terminal watches: whole lines, each with its variation's number. Pure.

use aideator_contract::{Event, State, Variation};

use super::{harmless, number};
use crate::api::Told;

/// Turns what is told into lines of text and of news.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// More than one variation: lines bear numbers.
    numbered: bool,
    pending: [String; Variation::MAX],
    states: [Option<State>; Variation::MAX],
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Text of an answer, as it is, for standard output.
    Text(String),
    /// Something about the run, for standard error.
    News(String),
}

impl Plain {
    /// The lines that `told` completes. What a viewer has seen before must not be given.
    pub(crate) fn lines(&mut self, told: &Told) -> Vec<Line> {
        match told {
            Told::Out(out, _) => self.event(out.variation, &out.event),
            Told::State(state, _) => self.states(state),
            Told::CaughtUp => Vec::new(),
            Told::Gap(reason) => vec![Line::News(format!("something is missing here: {reason}"))],
            Told::Lost(why) => vec![Line::News(format!(
                "the line broke ({why}); going on where it was"
            ))],
        }
    }

    /// What is left when nothing follows.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let all: Vec<Variation> = Variation::first(Variation::MAX).collect();
        all.into_iter()
            .flat_map(|variation| self.flush(variation))
            .collect()
    }

    fn event(&mut self, variation: Variation, event: &Event) -> Vec<Line> {
        match event {
            Event::TextDelta { delta, .. } => self.text(variation, delta),
            Event::ResetStep { reason } => {
                let mut lines = self.flush(variation);
                lines.push(Line::News(
                    self.about(variation, &format!("begins this answer again: {reason}")),
                ));
                lines
            }
            Event::Log { message, .. } => vec![Line::News(self.about(variation, message))],
            Event::ToolInputAvailable {
                tool_name, input, ..
            } => {
                vec![Line::News(
                    self.about(variation, &format!("uses {tool_name} {input}")),
                )]
            }
            _ => Vec::new(),
        }
    }

    fn text(&mut self, variation: Variation, delta: &str) -> Vec<Line> {
        if !self.numbered {
            return vec![Line::Text(delta.to_owned())];
        }
        let pending = &mut self.pending[variation.index()];
        pending.push_str(delta);
        let Some(end) = pending.rfind('\n') else {
            return Vec::new();
        };
        let rest = pending.split_off(end + 1);
        let whole = std::mem::replace(pending, rest);
        whole
            .lines()
            .map(|line| numbered(variation, line))
            .collect()
    }

    fn flush(&mut self, variation: Variation) -> Vec<Line> {
        let pending = std::mem::take(&mut self.pending[variation.index()]);
        pending
            .lines()
            .map(|line| numbered(variation, line))
            .collect()
    }

    fn states(&mut self, state: &aideator_contract::StateMessage) -> Vec<Line> {
        self.numbered = state.summary.variations.len() > 1;
        let mut lines = Vec::new();
        for (variation, summary) in Variation::first(Variation::MAX).zip(&state.summary.variations)
        {
            let before = self.states[variation.index()].replace(summary.state);
            if before == Some(summary.state) {
                continue;
            }
            if summary.state.is_terminal() {
                lines.extend(self.flush(variation));
            }
            let why = summary
                .reason
                .as_ref()
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            let word = super::state_word(summary.state).0;
            lines.push(Line::News(self.about(variation, &format!("{word}{why}"))));
        }
        lines
    }

    fn about(&self, variation: Variation, news: &str) -> String {
        let news = harmless(news);
        if self.numbered {
            format!("{}· {news}", number(variation))
        } else {
            format!("· {news}")
        }
    }
}

fn numbered(variation: Variation, line: &str) -> Line {
    Line::Text(format!("{}│ {line}\n", number(variation)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::tests::{delta, moved};
    use super::*;

    fn text(lines: Vec<Line>) -> String {
        lines
            .into_iter()
            .filter_map(|line| match line {
                Line::Text(text) => Some(text),
                Line::News(_) => None,
            })
            .collect()
    }

    #[test]
    fn one_variation_is_its_text_byte_for_byte() {
        let mut plain = Plain::default();
        plain.lines(&moved(&json!([{"state":"running"}])));
        let said: String = ["a\r\n", "b", "\u{1b}c"]
            .iter()
            .zip(1..)
            .map(|(piece, n)| text(plain.lines(&delta(0, 1, n, piece))))
            .collect();
        assert_eq!(said + &text(plain.rest()), "a\r\nb\u{1b}c");
    }

    #[test]
    fn several_variations_come_in_whole_numbered_lines() {
        let mut plain = Plain::default();
        plain.lines(&moved(&json!([{"state":"running"},{"state":"running"}])));
        assert_eq!(text(plain.lines(&delta(0, 1, 1, "one\ntw"))), "1│ one\n");
        assert_eq!(text(plain.lines(&delta(1, 1, 1, "uno\n"))), "2│ uno\n");
        assert_eq!(text(plain.lines(&delta(0, 1, 2, "o"))), "");
        let last = plain.lines(&moved(&json!([{"state":"succeeded"},{"state":"running"}])));
        assert_eq!(
            last,
            [
                Line::Text("1│ two\n".into()),
                Line::News("1· succeeded".into())
            ]
        );
    }
}
