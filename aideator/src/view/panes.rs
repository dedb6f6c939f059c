//! The live picture of a run: one pane a variation, stacked. Pure.

use aideator_contract::{State, Timestamp, Variation};

use super::text::{cut, last_lines, width};
use super::{Block, Board, Paint, Pane, Tone, Voice, duration, harmless, number, state_word};

/// Lines of text a pane has at most.
const MOST_LINES: usize = 12;

/// The lines of the picture, never wider than `columns` nor more than `rows`.
pub(crate) fn picture(
    board: &Board,
    columns: usize,
    rows: usize,
    now: Timestamp,
    paint: Paint,
) -> Vec<String> {
    let count = board.panes.len().max(1);
    // A header and at least one line of text each.
    let lines = (rows / count).saturating_sub(1).clamp(1, MOST_LINES);
    let mut picture = Vec::new();
    for (variation, pane) in Variation::first(Variation::MAX).zip(&board.panes) {
        picture.push(header(variation, pane, columns, now, paint));
        picture.extend(body(pane, columns, lines, paint));
    }
    picture.truncate(rows);
    picture
}

/// The line that heads a variation: number, model, state, time, tokens.
pub(crate) fn header(
    variation: Variation,
    pane: &Pane,
    columns: usize,
    now: Timestamp,
    paint: Paint,
) -> String {
    let Some(summary) = &pane.summary else {
        return cut(&format!("{} …", number(variation)), columns);
    };
    let (word, tone) = state_word(summary.state);
    let mut after = String::new();
    if summary.attempt.get() > 1 {
        after.push_str(&format!(" · attempt {}", summary.attempt));
    }
    let since = summary.started.unwrap_or(summary.since);
    let until = if summary.state.is_terminal() {
        summary.since
    } else {
        now
    };
    if summary.started.is_some() || !summary.state.is_terminal() {
        after.push_str(&format!(" · {}", duration(until.since(since))));
    }
    if let Some(usage) = &pane.usage {
        after.push_str(&format!(" · {} tokens", usage.output_tokens));
    }
    if let (Some(reason), true) = (&summary.reason, summary.state != State::Succeeded) {
        after.push_str(&format!(
            " · {}",
            harmless(&reason.message).replace('\n', " ")
        ));
    }
    let model = harmless(&summary.model).replace('\n', " ");
    let model = cut(&model, (columns / 2).saturating_sub(3));
    let before = cut(&format!("{} {model} ", number(variation)), columns);
    let room = columns.saturating_sub(width(&before));
    let word = cut(word, room);
    let after = cut(&after, room.saturating_sub(width(&word)));
    format!(
        "{}{}{}",
        paint.tone(Tone::Bold, &before),
        paint.tone(tone, &word),
        paint.tone(Tone::Dim, &after)
    )
}

fn body(pane: &Pane, columns: usize, lines: usize, paint: Paint) -> Vec<String> {
    let room = columns.saturating_sub(2);
    let mut shown: Vec<(Tone, String)> = Vec::new();
    for block in pane.blocks.iter().rev() {
        if shown.len() >= lines {
            break;
        }
        let (tone, text) = match block {
            Block::Said {
                voice: Voice::Answer,
                text,
                ..
            } => (Tone::Plain, text.clone()),
            Block::Said {
                voice: Voice::Reasoning,
                text,
                ..
            } => (Tone::Dim, text.clone()),
            Block::Tool {
                name,
                input,
                output,
                ..
            } => (Tone::Busy, tool(name, input, output.as_ref())),
            Block::Note(_, note) => (Tone::Warn, note.clone()),
        };
        let wrapped = last_lines(&text, room, lines - shown.len());
        let painted = wrapped.into_iter().map(|line| (tone, line));
        shown.splice(0..0, painted);
    }
    let painted = shown
        .into_iter()
        .map(|(tone, line)| format!("{} {}", paint.tone(Tone::Dim, "│"), paint.tone(tone, &line)));
    painted.collect()
}

fn tool(name: &str, input: &str, output: Option<&Result<String, String>>) -> String {
    match output {
        None => format!("{name} {input}"),
        Some(Ok(output)) => format!("{name} {input}\n{output}"),
        Some(Err(error)) => format!("{name} {input}\nfailed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::board::tests::{delta, moved};
    use super::*;

    fn board() -> Board {
        let mut board = Board::default();
        board.apply(&moved(&json!([
            {"state":"running","started":2000},
            {"state":"failed","reason":{"code":"vanished","message":"the agent is gone"}}
        ])));
        board.apply(&delta(0, 1, 1, "first line\nsecond line\nthird line"));
        board
    }

    #[test]
    fn every_variation_has_a_header_and_its_last_lines() {
        let picture = picture(&board(), 60, 6, Timestamp::from_millis(4_500), Paint::NEVER);
        assert_eq!(
            picture,
            [
                "1 m running · 2.5 s",
                "│ second line",
                "│ third line",
                "2 m failed · the agent is gone",
            ]
        );
    }

    proptest! {
        #[test]
        fn the_picture_fits_the_screen(columns in 8usize..120, rows in 1usize..40, text in any::<String>()) {
            let mut board = board();
            board.apply(&delta(0, 1, 2, &text));
            let picture = picture(&board, columns, rows, Timestamp::from_millis(9_000), Paint::NEVER);
            prop_assert!(picture.len() <= rows);
            for line in picture {
                prop_assert!(width(&line) <= columns, "{:?}", line);
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }
}
