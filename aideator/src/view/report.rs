//! What is said of a run when nothing more follows. Pure.

use aideator_contract::{Status, Timestamp, Variation};

use super::panes::header;
use super::{Block, Board, Paint, Pane, Tone, Voice, beginning, harmless, number, tokens};
use crate::exit::Exit;

/// Every variation with its whole text, then how it ended.
pub(crate) fn report(board: &Board, columns: usize, now: Timestamp, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(reason) = &board.refused {
        return format!(
            "{} {}\n",
            paint.tone(Tone::Bad, "refused:"),
            harmless(&reason.message)
        );
    }
    for (variation, pane) in Variation::first(Variation::MAX).zip(&board.panes) {
        text.push_str(&header(variation, pane, columns, now, paint));
        text.push('\n');
        text.push_str(&answer(pane, paint));
        if let Some(usage) = &pane.usage {
            text.push_str(&paint.tone(Tone::Dim, &format!("  {}", tokens(usage))));
            text.push('\n');
        }
        let began = pane.summary.as_ref().map(|s| beginning(s.startup));
        if let Some(began) = began.filter(|steps| !steps.is_empty()) {
            text.push_str(&paint.tone(Tone::Dim, &format!("  began: {began}")));
            text.push('\n');
        }
        if pane.is_whole() == Some(false) {
            text.push_str(&paint.tone(
                Tone::Bad,
                "  this text is not what the agent's digest proves",
            ));
            text.push('\n');
        }
        text.push('\n');
    }
    for gap in &board.gaps {
        text.push_str(&paint.tone(
            Tone::Warn,
            &format!("something is missing: {}\n", harmless(gap)),
        ));
    }
    if let Some(pick) = &board.pick {
        let why = pick
            .reason
            .as_deref()
            .map(|why| format!(": {}", harmless(why)))
            .unwrap_or_default();
        text.push_str(&format!(
            "{} {}{why}\n",
            paint.tone(Tone::Good, "picked:"),
            number(pick.variation)
        ));
    }
    text
}

/// What the exit code is to tell of a run that was followed to its end.
pub(crate) fn outcome(board: &Board) -> Exit {
    match board.status {
        Some(Status::Rejected) => Exit::Refused,
        _ if board.succeeded() => Exit::Success,
        _ => Exit::Failed,
    }
}

fn answer(pane: &Pane, paint: Paint) -> String {
    let mut text = String::new();
    for block in &pane.blocks {
        let piece = match block {
            Block::Said {
                voice: Voice::Answer,
                text,
                ..
            } => harmless(text),
            Block::Said {
                voice: Voice::Reasoning,
                text,
                ..
            } => paint.tone(Tone::Dim, &harmless(text)),
            Block::Tool { name, input, .. } => {
                paint.tone(Tone::Busy, &harmless(&format!("[{name} {input}]")))
            }
            Block::Note(_, note) => paint.tone(Tone::Warn, &harmless(&format!("[{note}]"))),
        };
        text.push_str(piece.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::board::tests::{delta, moved};
    use super::*;

    #[test]
    fn the_whole_text_stands_below_its_header() {
        let mut board = Board::default();
        board.apply(&delta(0, 1, 1, "all\nof it\n"));
        board.apply(&moved(
            &json!([{"state":"succeeded","started":1000,"since":3000}]),
        ));
        let text = report(&board, 80, Timestamp::from_millis(9_000), Paint::NEVER);
        assert_eq!(text, "1 m succeeded · 2.0 s\nall\nof it\n\n");
        assert_eq!(outcome(&board), Exit::Success);
    }

    #[test]
    fn how_it_began_is_told_step_by_step() {
        let mut board = Board::default();
        board.apply(&moved(&json!([{"state":"running","startup":
            {"admitted":1000,"scheduled":1100,"ready":3600,"first_token":4000}}])));
        let text = report(&board, 80, Timestamp::from_millis(9_000), Paint::NEVER);
        let began = "  began: scheduled +0.1 s · ready +2.5 s · first token +0.4 s\n";
        assert!(text.contains(began), "{text}");
    }

    #[test]
    fn a_text_that_is_not_the_proved_one_is_named() {
        let mut board = Board::default();
        board.apply(&delta(0, 1, 1, "forged"));
        board.apply(&moved(
            &json!([{"state":"succeeded","digest":{"sha256":"00","bytes":6}}]),
        ));
        assert!(
            report(&board, 80, Timestamp::default(), Paint::NEVER)
                .contains("not what the agent's digest proves")
        );
    }
}
