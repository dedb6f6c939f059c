use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::corpus::{corpus, spoil};

const PLAIN: &str = "GET /api/v1/runs/a-run/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// What was made of it, for comparing.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time is made")]
enum Made {
    More,
    Other,
    Stream(Option<String>, Uri, Version, HeaderMap),
}

fn made(read: &[u8]) -> Made {
    match judge(read) {
        Heard::More => Made::More,
        Heard::Other => Made::Other,
        Heard::Stream(asked) => {
            let Asked { run, head } = *asked;
            assert_eq!(head.method, Method::GET);
            Made::Stream(run, head.uri, head.version, head.headers)
        }
    }
}

/// What comes of a head that arrives in these pieces, as [`hear`] does it.
fn in_pieces(pieces: &[&[u8]]) -> Made {
    let mut read = Vec::new();
    for piece in pieces {
        read.extend_from_slice(piece);
        let made = made(&read);
        if made != Made::More {
            return made;
        }
    }
    Made::More
}

fn request(line: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{line}\r\n{headers}\r\n")
}

#[test]
fn a_request_for_a_stream_is_read_whole() {
    let text = request(
        "GET /api/v1/runs/a-run/stream?last_event_id=1.2 HTTP/1.1",
        &[
            "Host: localhost:1",
            "Last-Event-ID:  1.5.0 ",
            "Cookie: a=b",
            "cookie: c=d",
        ],
    );
    let Made::Stream(run, uri, version, headers) = made(text.as_bytes()) else {
        panic!("{text}");
    };
    assert_eq!((run.as_deref(), version), (Some("a-run"), Version::HTTP_11));
    assert_eq!(uri.query(), Some("last_event_id=1.2"));
    assert_eq!(headers["host"], "localhost:1");
    assert_eq!(headers["last-event-id"], "1.5.0");
    let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);
}

#[test]
fn a_request_for_several_runs_is_one_for_a_stream() {
    let text = request("GET /api/v1/stream?run=a&run=b HTTP/1.1", &[]);
    let Made::Stream(None, uri, ..) = made(text.as_bytes()) else {
        panic!("{text}");
    };
    assert_eq!(uri.query(), Some("run=a&run=b"));
    let text = request("GET /api/v1/streams?run=a HTTP/1.1", &[]);
    assert_eq!(made(text.as_bytes()), Made::Other);
}

#[test]
fn an_older_client_and_one_that_names_an_empty_body_are_served_too() {
    let line = "GET /api/v1/runs/a/stream HTTP/1.0";
    let text = request(line, &["content-length: 0"]);
    assert!(matches!(
        made(text.as_bytes()),
        Made::Stream(_, _, Version::HTTP_10, _)
    ));
}

#[test]
fn everything_else_is_for_the_http_library() {
    let line = "GET /api/v1/runs/a/stream HTTP/1.1";
    for text in [
        request("GET / HTTP/1.1", &[]),
        request("HEAD /api/v1/runs/a/stream HTTP/1.1", &[]),
        request("POST /api/v1/runs/a/stream HTTP/1.1", &[]),
        request("GET /api/v1/runs/a HTTP/1.1", &[]),
        request("GET /api/v1/runs/a/log HTTP/1.1", &[]),
        request("GET /api/v1/runs//stream HTTP/1.1", &[]),
        request("GET /api/v1/runs/a/b/stream HTTP/1.1", &[]),
        request("GET /api/v1/runs/%61/stream HTTP/1.1", &[]),
        request("GET http://h/api/v1/runs/a/stream HTTP/1.1", &[]),
        request("GET /api/v1/runs/a/stream HTTP/2.0", &[]),
        request(line, &["content-length: 1"]),
        request(line, &["content-length: 0", "content-length: 1"]),
        request(line, &["transfer-encoding: chunked"]),
        request(line, &["expect: 100-continue"]),
        request(line, &["upgrade: h2c", "connection: upgrade"]),
        request(line, &["no colon"]),
        request(line, &[&"x: y\r\n".repeat(HEADERS)]),
        request(line, &[&format!("x: {}", "y".repeat(LONGEST))]),
        format!("{PLAIN}GET / HTTP/1.1\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
        "\u{16}\u{3}\u{1}".into(),
        "GET /api/v1/runs/a/stream\r\n\r\n".into(),
    ] {
        assert_eq!(made(text.as_bytes()), Made::Other, "{text:?}");
    }
}

#[test]
fn what_is_something_else_is_known_at_once() {
    assert_eq!(made(b"GET /api/v1/x"), Made::Other);
    assert_eq!(made(b"P"), Made::Other);
    assert_eq!(made(b""), Made::More);
    assert_eq!(made(b"GET /api/v1/r"), Made::More);
}

#[test]
fn a_head_that_does_not_end_is_given_up() {
    let endless = PLAIN.trim_end().to_owned() + "\r\nx: " + &"y".repeat(LONGEST);
    assert_eq!(made(&endless.as_bytes()[..LONGEST - 1]), Made::More);
    assert_eq!(made(&endless.as_bytes()[..LONGEST]), Made::Other);
}

/// Heads as browsers, tools and attackers send them.
static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| corpus("request-head"));

/// What is behind the end of a head makes it something else once it is there, so it is cut there.
fn until_it_is_known(head: &[u8]) -> Result<(), TestCaseError> {
    let ends = (1..=head.len()).find(|length| made(&head[..*length]) != Made::More);
    however_it_is_cut(&head[..ends.unwrap_or(head.len())])
}

/// The same comes of a head however it is cut.
fn however_it_is_cut(head: &[u8]) -> Result<(), TestCaseError> {
    let whole = made(head);
    for at in 0..=head.len() {
        let (one, other) = head.split_at(at);
        prop_assert_eq!(&in_pieces(&[one, other]), &whole, "cut at {}", at);
    }
    let bytes: Vec<&[u8]> = head.chunks(1).collect();
    prop_assert_eq!(&in_pieces(&bytes), &whole, "byte by byte");
    Ok(())
}

#[test]
fn a_known_head_is_what_its_name_says_however_it_is_cut() {
    for (name, head) in &*CORPUS {
        let is_stream = matches!(made(head), Made::Stream(..));
        assert_eq!(is_stream, name.starts_with("stream-"), "{name}");
        if head.len() < 1024 {
            until_it_is_known(head).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_come_to_something(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        made(&bytes);
    }

    #[test]
    fn a_spoilt_head_comes_to_something_however_it_is_cut(
        head in prop::sample::select(&**CORPUS), at: prop::sample::Index, byte: u8, how: u8
    ) {
        let (_, mut head) = head;
        head.truncate(1024);
        spoil(&mut head, at, byte, how);
        until_it_is_known(&head)?;
    }

    #[test]
    fn every_request_for_a_stream_is_taken(
        run in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
        names in prop::collection::vec("[a-z][a-z-]{0,20}x", 0..20),
        value in "[ -~]{0,60}",
    ) {
        let headers: Vec<String> = names.iter().map(|name| format!("{name}: {value}")).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let text = request(&format!("GET /api/v1/runs/{run}/stream HTTP/1.1"), &headers);
        let made = made(text.as_bytes());
        let is_taken = matches!(&made, Made::Stream(asked, ..) if asked.as_deref() == Some(run.as_str()));
        prop_assert!(is_taken, "{:?}", made);
    }
}
