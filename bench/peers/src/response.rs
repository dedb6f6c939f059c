//! The body of an HTTP/1.1 response, taken from the bytes of its socket as they come.

use std::fmt;

use anyhow::{Context as _, bail};
use memchr::{memchr, memmem};

const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_SIZE_LINE: usize = 256;

/// An answer that is no stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its first line, in lower case.
    pub line: String,
    /// Seconds after which to come again, where it says so.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// Its status; 0 of no HTTP.
    pub fn status(&self) -> u16 {
        let word = self.line.split_whitespace().nth(1);
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is {:?}", self.line)
    }
}

impl std::error::Error for Refusal {}

/// A response as far as it has been read.
#[derive(Debug, Default)]
pub struct Response {
    at: At,
    /// What can't be told yet: a part of the head, or of a chunk's size.
    rest: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum At {
    #[default]
    Head,
    /// Until the connection ends.
    Plain,
    /// A line that says how long the next chunk is.
    Size,
    /// So many bytes of a chunk, then its line break, are to come.
    Chunk(usize),
    End,
}

impl Response {
    /// Whether it answered 200.
    pub fn is_open(&self) -> bool {
        !matches!(self.at, At::Head)
    }

    /// Takes the next bytes of the socket and gives `each` the pieces of the body in them.
    ///
    /// # Errors
    /// It is no answer of 200: a [`Refusal`], or no HTTP.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Head => self.head(bytes)?,
                At::Plain => {
                    each(bytes);
                    &[]
                }
                At::Size => self.size(bytes)?,
                At::Chunk(length) => self.chunk(length, bytes, &mut each),
                At::End => &[],
            };
        }
        Ok(())
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> anyhow::Result<&'a [u8]> {
        let had = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.rest, b"\r\n\r\n") else {
            if self.rest.len() > LONGEST_HEAD {
                bail!("an answer without an end of its head");
            }
            return Ok(&[]);
        };
        let head = String::from_utf8_lossy(&self.rest[..end]).to_ascii_lowercase();
        let status = head.lines().next().unwrap_or_default();
        if !status.contains(" 200 ") {
            let retry_after = head
                .lines()
                .find_map(|line| line.strip_prefix("retry-after:"))
                .and_then(|seconds| seconds.trim().parse().ok());
            let line = status.to_owned();
            return Err(Refusal { line, retry_after }.into());
        }
        let chunked = head
            .lines()
            .any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
        self.at = if chunked { At::Size } else { At::Plain };
        self.rest = Vec::new();
        Ok(&bytes[end + 4 - had..])
    }

    fn size<'a>(&mut self, bytes: &'a [u8]) -> anyhow::Result<&'a [u8]> {
        let Some(end) = memchr(b'\n', bytes) else {
            self.rest.extend_from_slice(bytes);
            if self.rest.len() > LONGEST_SIZE_LINE {
                bail!("a chunk without a size");
            }
            return Ok(&[]);
        };
        let length = if self.rest.is_empty() {
            length(&bytes[..end])
        } else {
            self.rest.extend_from_slice(&bytes[..end]);
            length(&std::mem::take(&mut self.rest))
        };
        let length = length.context("a chunk's size is no number")?;
        self.at = if length == 0 {
            At::End
        } else {
            At::Chunk(length + 2)
        };
        Ok(&bytes[end + 1..])
    }

    fn chunk<'a>(
        &mut self,
        left: usize,
        bytes: &'a [u8],
        each: &mut impl FnMut(&[u8]),
    ) -> &'a [u8] {
        let here = bytes.len().min(left);
        let body = here.min(left.saturating_sub(2));
        if body > 0 {
            each(&bytes[..body]);
        }
        self.at = if here == left {
            At::Size
        } else {
            At::Chunk(left - here)
        };
        &bytes[here..]
    }
}

/// The number on a line that begins a chunk.
fn length(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let digits = text.split(';').next()?.trim();
    usize::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n0000c\r\nworld\r\nagain\r\n0\r\n\r\n";

    fn read(pieces: &[&[u8]]) -> String {
        let mut response = Response::default();
        let mut body = Vec::new();
        for piece in pieces {
            response
                .feed(piece, |bytes| body.extend_from_slice(bytes))
                .unwrap();
        }
        assert!(response.is_open());
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_body_is_read_with_chunks_and_without() {
        assert_eq!(read(&[CHUNKED]), "hello world\r\nagain");
        let plain = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n5\r\nhello";
        assert_eq!(read(&[plain]), "5\r\nhello");
    }

    #[test]
    fn any_answer_but_200_is_an_error() {
        for answer in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 503 no\r\n\r\n"] {
            let fed = Response::default().feed(answer.as_bytes(), |_| {});
            assert!(fed.is_err(), "{answer}");
        }
        let fed = Response::default().feed(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            |_| {},
        );
        assert!(fed.is_err());
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n";
        let error = Response::default().feed(busy, |_| {}).unwrap_err();
        let refusal: Refusal = error.downcast().unwrap();
        assert_eq!((refusal.status(), refusal.retry_after), (503, Some(5)));
    }

    proptest! {
        #[test]
        fn where_an_answer_is_cut_changes_nothing(mut cuts in prop::collection::vec(0..CHUNKED.len(), 0..12)) {
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&CHUNKED[from..cut]);
                from = cut;
            }
            pieces.push(&CHUNKED[from..]);
            prop_assert_eq!(read(&pieces), read(&[CHUNKED]));
        }
    }
}
