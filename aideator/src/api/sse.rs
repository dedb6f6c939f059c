//! Server-sent events, as the WHATWG specification has a client read them. Pure: bytes in, frames out.

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    /// The last `id:` the stream has given, in this event or before.
    pub(crate) id: Option<String>,
    /// The event's name; empty for an unnamed one.
    pub(crate) event: String,
    /// The data lines, joined by line feeds.
    pub(crate) data: String,
}

/// Takes a stream apart, however it was cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    event: String,
    data: String,
    any_data: bool,
    id: Option<String>,
}

impl Parser {
    /// The frames that `bytes` complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &byte in bytes {
            let line_feed_of_crlf = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            if line_feed_of_crlf {
                continue;
            }
            if byte == b'\n' || byte == b'\r' {
                let line = std::mem::take(&mut self.line);
                frames.extend(self.line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(byte);
            }
        }
        frames
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.any_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.any_data = true;
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Frame> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.any_data).then(|| Frame {
            id: self.id.clone(),
            event,
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = ": ping\n\nid: a1\ndata: {\"x\":\"ü🦀\"}\n\nevent: state\r\ndata:one\r\ndata: two\r\nid: a2\r\n\r\nevent: end\ndata: {}\n\ndata: cut";

    fn whole() -> Vec<Frame> {
        Parser::default().feed(STREAM.as_bytes())
    }

    #[test]
    fn frames_have_name_data_and_the_last_id() {
        let frame = |id: &str, event: &str, data: &str| Frame {
            id: Some(id.into()),
            event: event.into(),
            data: data.into(),
        };
        assert_eq!(
            whole(),
            [
                frame("a1", "", "{\"x\":\"ü🦀\"}"),
                frame("a2", "state", "one\ntwo"),
                frame("a2", "end", "{}"),
            ]
        );
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_stream_is_cut(cuts in proptest::collection::vec(0..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut frames = Vec::new();
            for pair in cuts.windows(2) {
                frames.extend(parser.feed(&STREAM.as_bytes()[pair[0]..pair[1]]));
            }
            prop_assert_eq!(frames, whole());
        }
    }
}
