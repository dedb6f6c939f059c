//! Splits `<think>…</think>` out of streamed text.
//!
//! Many open models write their reasoning inline. Only a block at the very beginning counts (leading
//! white space allowed): a `<think>` in the middle of an answer is something the model talks about.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of what the model said, with the tags themselves taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Part of the answer.
    Text(String),
    /// Part of the reasoning.
    Reasoning(String),
}

/// The state of one step's text. Give it every chunk with [`push`](Self::push), then [`finish`](Self::finish).
#[derive(Debug, Default)]
pub(crate) struct ThinkSplitter {
    place: Place,
    /// What may still turn out to be (part of) a tag.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Beginning,
    Reasoning,
    Text,
}

impl ThinkSplitter {
    /// Takes the next chunk and gives back everything that is decided by now.
    pub(crate) fn push(&mut self, chunk: &str) -> Vec<Piece> {
        self.held.push_str(chunk);
        let mut pieces = Vec::new();
        if self.place == Place::Beginning {
            self.begin(&mut pieces);
        }
        if self.place == Place::Reasoning {
            self.reason(&mut pieces);
        }
        if self.place == Place::Text {
            emit(&mut pieces, Piece::Text, std::mem::take(&mut self.held));
        }
        pieces
    }

    /// Gives back what was held, now that nothing follows.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let held = std::mem::take(&mut self.held);
        let kind = if self.place == Place::Reasoning {
            Piece::Reasoning
        } else {
            Piece::Text
        };
        emit(&mut pieces, kind, held);
        self.place = Place::Beginning;
        pieces
    }

    fn begin(&mut self, pieces: &mut Vec<Piece>) {
        let start = self.held.trim_start();
        if let Some(rest) = start.strip_prefix(OPEN) {
            let space = self.held[..self.held.len() - start.len()].to_owned();
            self.held = rest.to_owned();
            self.place = Place::Reasoning;
            emit(pieces, Piece::Reasoning, space);
        } else if !OPEN.starts_with(start) {
            self.place = Place::Text;
        }
    }

    fn reason(&mut self, pieces: &mut Vec<Piece>) {
        if let Some(at) = self.held.find(CLOSE) {
            let rest = self.held.split_off(at);
            emit(pieces, Piece::Reasoning, std::mem::take(&mut self.held));
            self.held = rest[CLOSE.len()..].to_owned();
            self.place = Place::Text;
        } else {
            let keep = overlap(&self.held, CLOSE);
            let rest = self.held.split_off(self.held.len() - keep);
            emit(
                pieces,
                Piece::Reasoning,
                std::mem::replace(&mut self.held, rest),
            );
        }
    }
}

fn emit(pieces: &mut Vec<Piece>, kind: fn(String) -> Piece, text: String) {
    if !text.is_empty() {
        pieces.push(kind(text));
    }
}

/// The length of the longest end of `text` that is a beginning of `tag` (never the whole tag).
pub(crate) fn overlap(text: &str, tag: &str) -> usize {
    let longest = text.len().min(tag.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .find(|&len| text.as_bytes().ends_with(&tag.as_bytes()[..len]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[String]) -> (String, String) {
        let mut splitter = ThinkSplitter::default();
        let mut pieces: Vec<Piece> = chunks
            .iter()
            .flat_map(|chunk| splitter.push(chunk))
            .collect();
        pieces.extend(splitter.finish());
        let (mut reasoning, mut text) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Reasoning(part) => {
                    assert!(text.is_empty(), "reasoning never follows text");
                    reasoning.push_str(&part);
                }
                Piece::Text(part) => text.push_str(&part),
            }
        }
        (reasoning, text)
    }

    /// The same without streaming, said as simply as possible.
    fn reference(all: &str) -> (String, String) {
        let start = all.trim_start();
        let Some(rest) = start.strip_prefix(OPEN) else {
            return (String::new(), all.to_owned());
        };
        let space = &all[..all.len() - start.len()];
        match rest.split_once(CLOSE) {
            Some((inner, text)) => (format!("{space}{inner}"), text.to_owned()),
            None => (format!("{space}{rest}"), String::new()),
        }
    }

    #[test]
    fn a_tag_in_the_middle_of_an_answer_is_text() {
        let all = "The tag <think> begins, </think> ends.".to_owned();
        assert_eq!(split(std::slice::from_ref(&all)), (String::new(), all));
    }

    #[test]
    fn reasoning_goes_out_as_soon_as_it_is_decided() {
        let mut splitter = ThinkSplitter::default();
        assert_eq!(splitter.push("<thi"), vec![]);
        assert_eq!(splitter.push("nk>so"), vec![Piece::Reasoning("so".into())]);
        assert_eq!(splitter.push(" it</"), vec![Piece::Reasoning(" it".into())]);
        assert_eq!(splitter.push("think>is"), vec![Piece::Text("is".into())]);
    }

    fn chunk() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("<think>".to_owned()),
            Just("</think>".to_owned()),
            Just("<th".to_owned()),
            Just("ink>".to_owned()),
            Just("</".to_owned()),
            Just("<".to_owned()),
            Just(" \n".to_owned()),
            "[a-zé<>/ ]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn chunk_borders_change_nothing_and_no_byte_is_lost(chunks in prop::collection::vec(chunk(), 0..12)) {
            prop_assert_eq!(split(&chunks), reference(&chunks.concat()));
        }
    }
}
