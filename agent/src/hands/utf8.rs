//! Decodes UTF-8 that arrives in pieces, replacing what is not UTF-8 as `String::from_utf8_lossy` does.

/// The state of one stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character whose end has not come yet (at most three bytes).
    held: Vec<u8>,
}

impl Decoder {
    /// Takes the next bytes and gives back the characters that are complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.held.len());
        let mut rest = self.held.as_slice();
        let kept = loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break 0;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        break after.len();
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[bad..];
                }
            }
        };
        self.held.drain(..self.held.len() - kept);
        text
    }

    /// Gives back what was held, now that nothing follows.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_decode_like_the_whole(pieces in prop::collection::vec(
            prop_oneof!["\\PC{0,3}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..5)], 0..12,
        ), cut in 1usize..4) {
            let all = pieces.concat();
            let mut decoder = Decoder::default();
            let mut text: String = all.chunks(cut).map(|piece| decoder.push(piece)).collect();
            text.push_str(&decoder.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&all));
        }
    }
}
