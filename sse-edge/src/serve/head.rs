//! The head of the first request on a connection: is it for a stream? The judgement is pure; what was
//! read of anything else goes on to the HTTP library as it is.

use std::io::{self, ErrorKind};

use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use tokio::net::TcpStream;

use crate::api::STREAMS;

/// Where the stream of a run is: in front of the run's id, and behind it.
const BEFORE: &str = "/api/v1/runs/";
const BEHIND: &str = "/stream";
/// How every request for a stream begins.
const BEGINNINGS: [&[u8]; 2] = [b"GET /api/v1/runs/", b"GET /api/v1/stream"];
/// A longer head is for the HTTP library.
const LONGEST: usize = 16 * 1024;
/// As is one with more headers.
const HEADERS: usize = 64;
const AT_ONCE: usize = 2 * 1024;

/// What was heard so far.
#[derive(Debug)]
pub(super) enum Heard {
    /// It is not known yet what this is.
    More,
    /// A request for a stream, and nothing else.
    Stream(Box<Asked>),
    /// Something else.
    Other,
}

/// A request for a stream.
#[derive(Debug)]
pub(super) struct Asked {
    /// The run's id, as it stands in the address; `None` for several runs, which stand in the query.
    pub(super) run: Option<String>,
    /// The head of the request.
    pub(super) head: Parts,
}

/// Reads a connection's first request into `read` until it is known what it is; [`Heard::More`] if it
/// ends before.
pub(super) async fn hear(socket: &TcpStream, read: &mut Vec<u8>) -> io::Result<Heard> {
    loop {
        socket.readable().await?;
        // Nothing is set aside for a connection that says nothing.
        read.reserve(AT_ONCE);
        match socket.try_read_buf(read) {
            Ok(0) => return Ok(Heard::More),
            Ok(_) => match judge(read) {
                Heard::More => {}
                heard => return Ok(heard),
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Judges what was read.
fn judge(read: &[u8]) -> Heard {
    let may_be = |beginning: &[u8]| {
        let known = read.len().min(beginning.len());
        read[..known] == beginning[..known]
    };
    if !BEGINNINGS.into_iter().any(may_be) {
        return Heard::Other;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(read) {
        Ok(httparse::Status::Partial) if read.len() < LONGEST => Heard::More,
        // What comes behind it is answered behind it, and that the HTTP library can do.
        Ok(httparse::Status::Complete(length)) if length == read.len() && length <= LONGEST => {
            asked(&request).map_or(Heard::Other, |asked| Heard::Stream(Box::new(asked)))
        }
        Ok(_) | Err(_) => Heard::Other,
    }
}

fn asked(request: &httparse::Request<'_, '_>) -> Option<Asked> {
    let uri: Uri = request.path?.parse().ok()?;
    let run = match uri.path() {
        STREAMS => None,
        path => Some(run_in(path)?),
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in &*request.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    if !has_no_body(&headers) {
        return None;
    }
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::GET;
    head.uri = uri;
    head.version = match request.version? {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    head.headers = headers;
    Some(Asked { run, head })
}

fn run_in(path: &str) -> Option<String> {
    let run = path.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?;
    let is_one = !run.is_empty() && !run.contains(['/', '%']);
    is_one.then(|| run.to_owned())
}

/// Whether nothing follows the head, and nothing else is wished for than the answer.
fn has_no_body(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let others = [TRANSFER_ENCODING, EXPECT, UPGRADE];
    lengths.next().is_none_or(|length| length == "0")
        && lengths.next().is_none()
        && !others.iter().any(|name| headers.contains_key(name))
}

#[cfg(test)]
mod tests;
