//! The events of an event stream, whatever the pieces it arrives in.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

// Prepared once: that costs as much as to find one event.
static EMPTY_LINE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\n"));
static LINE_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n"));

/// Cuts a stream into events. An event counts once the empty line behind it is there.
#[derive(Debug)]
pub struct Events {
    /// Finds what ends one.
    end: &'static LazyLock<Finder<'static>>,
    /// The beginning of an event whose end has not come yet.
    rest: Vec<u8>,
}

/// One event: its lines, without the empty one.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a>(&'a [u8]);

impl Events {
    /// Those of a stream of server-sent events.
    pub const fn server_sent() -> Self {
        Self::ended_by(&EMPTY_LINE)
    }

    /// Single lines, as NATS sends them.
    pub const fn lines() -> Self {
        Self::ended_by(&LINE_END)
    }

    const fn ended_by(end: &'static LazyLock<Finder<'static>>) -> Self {
        Self {
            end,
            rest: Vec::new(),
        }
    }

    /// The beginning of an event whose end has not come.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Takes the next piece and gives `each` the events that end in it.
    pub fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Event<'_>)) {
        if self.rest.is_empty() {
            let used = whole(piece, self.end, &mut each);
            self.rest.extend_from_slice(&piece[used..]);
            return;
        }
        self.rest.extend_from_slice(piece);
        let used = whole(&self.rest, self.end, &mut each);
        self.rest.drain(..used);
        if self.rest.is_empty() {
            // Ten thousand viewers at rest hold nothing.
            self.rest = Vec::new();
        }
    }
}

/// Gives the whole events at the front of `text`; how long they are.
fn whole(text: &[u8], end: &Finder<'_>, each: &mut impl FnMut(Event<'_>)) -> usize {
    let mut used = 0;
    while let Some(length) = end.find(&text[used..]) {
        let event = &text[used..used + length];
        used += length + end.needle().len();
        if !event.is_empty() {
            each(Event(event));
        }
    }
    used
}

impl<'a> Event<'a> {
    /// Its lines.
    pub fn lines(self) -> &'a [u8] {
        self.0
    }

    /// The texts of its `data` lines.
    pub fn data(self) -> impl Iterator<Item = &'a [u8]> {
        self.field(b"data:")
    }

    /// Whether it has this name.
    pub fn is(self, name: &str) -> bool {
        self.field(b"event:").any(|given| given == name.as_bytes())
    }

    /// Its name, if it has one.
    pub fn name(self) -> Option<String> {
        let name = self.field(b"event:").last()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Where its reader is then.
    pub fn id(self) -> Option<&'a [u8]> {
        self.field(b"id:").last()
    }

    fn field(self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                let line = &rest[..end];
                rest = &rest[(end + 1).min(rest.len())..];
                if let Some(value) = line.strip_prefix(name) {
                    return Some(value.strip_prefix(b" ").unwrap_or(value));
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"retry: 1000\n\n: hi\n\nid: 1:2\ndata: one\n\nevent: caught-up\nid: 5\ndata:{}\n\ndata: a\ndata:b\n\n: ping\n\ndata: half";

    fn read(pieces: &[&[u8]]) -> Vec<(bool, Vec<String>)> {
        let mut events = Events::server_sent();
        let mut seen = Vec::new();
        for piece in pieces {
            events.feed(piece, |event| {
                let data = event
                    .data()
                    .map(|line| String::from_utf8_lossy(line).into_owned());
                seen.push((event.is("caught-up"), data.collect()));
            });
        }
        seen
    }

    #[test]
    fn names_and_data_are_read_and_half_an_event_is_none() {
        let seen = read(&[STREAM]);
        let data: Vec<_> = seen.iter().flat_map(|(_, data)| data.clone()).collect();
        assert_eq!(data, ["one", "{}", "a", "b"]);
        assert_eq!(
            seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            [false, false, false, true, false, false]
        );
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_changes_nothing(mut cuts in prop::collection::vec(0..STREAM.len(), 0..12)) {
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&STREAM[from..cut]);
                from = cut;
            }
            pieces.push(&STREAM[from..]);
            prop_assert_eq!(read(&pieces), read(&[STREAM]));
        }
    }
}
