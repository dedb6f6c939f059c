//! Streams on a bare socket and through the HTTP library are the same to whoever asks.

use std::collections::BTreeMap;

use aideator_contract::State;
use aideator_edge::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Answer, follow, get_again, send, text_of};
use crate::world::{Edge, World, soon};

/// What must be the same: all but how the connection is used.
async fn told(answer: Answer) -> (u16, BTreeMap<String, String>, String) {
    let mut headers = answer.headers.clone();
    for name in ["connection", "content-length", "date", "transfer-encoding"] {
        headers.remove(name);
    }
    let status = answer.status;
    (status, headers, without_pings(&answer.text().await))
}

/// A heartbeat may fall in between.
fn without_pings(text: &str) -> String {
    text.replace(": ping\n\n", "")
}

/// A path, headers, and the status they are answered with.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16);

#[tokio::test]
async fn a_stream_is_the_same_on_a_bare_socket_and_through_the_http_library() {
    let world = World::begin().await;
    let mut run = world.run("a", 2).await;
    for n in 0..300 {
        run.say(n % 2, &format!("{n} ")).await;
    }
    run.go(0, State::Succeeded).await;
    run.go(1, State::Failed).await;
    let all = follow(world.at(), "a", "").await.until("end").await;
    let middle = all[150].id.as_str();
    let end = all.last().unwrap().id.as_str();
    let long = "x".repeat(17 * 1024);
    let cases: [Case<'_>; 9] = [
        ("/api/v1/runs/a/stream", vec![], 200),
        (
            "/api/v1/runs/a/stream",
            vec![("last-event-id", middle)],
            200,
        ),
        ("/api/v1/runs/a/stream", vec![("last-event-id", end)], 204),
        (
            "/api/v1/runs/a/stream",
            vec![("last-event-id", "nonsense")],
            400,
        ),
        ("/api/v1/runs/a/stream?lastEventId=1.5.0.1", vec![], 200),
        ("/api/v1/runs/A/stream", vec![], 422),
        (
            "/api/v1/runs/a/stream?last_event_id=&lastEventId=",
            vec![],
            422,
        ),
        ("/api/v1/runs/a/stream", vec![("host", "evil.example")], 403),
        ("/api/v1/runs/a/stream", vec![("x-long", &long)], 200),
    ];
    for (path, headers, status) in cases {
        let bare = told(send(world.at(), "GET", path, &headers, "").await).await;
        let library = told(get_again(world.at(), path, &headers).await).await;
        assert_eq!(bare, library, "{path} {headers:?}");
        assert_eq!(bare.0, status, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn tokens_are_judged_the_same_on_a_bare_socket() {
    let world = World::begin().await;
    world.rejected("r").await;
    let config = Config {
        token: Some("0123456789abcdef".parse().unwrap()),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await.address;
    let path = "/api/v1/runs/r/stream";
    let brought = "/api/v1/runs/r/stream?token=0123456789abcdef";
    let bearer = ("authorization", "Bearer 0123456789abcdef");
    let foreign = ("origin", "http://evil.example");
    let cases: [Case<'_>; 5] = [
        (path, vec![], 401),
        (path, vec![("authorization", "Bearer wrong")], 401),
        (path, vec![bearer], 200),
        (path, vec![bearer, foreign], 403),
        (brought, vec![], 303),
    ];
    for (path, headers, status) in cases {
        let bare = told(send(edge, "GET", path, &headers, "").await).await;
        let library = told(get_again(edge, path, &headers).await).await;
        assert_eq!(bare, library, "{path} {headers:?}");
        assert_eq!(bare.0, status, "{path} {headers:?}");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_understood() {
    let world = World::begin().await;
    world.rejected("r").await;
    for path in ["/api/v1/runs/r/stream", "/healthz"] {
        let mut socket = soon(TcpStream::connect(world.at())).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        for byte in head.bytes() {
            socket.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn requests_that_follow_each_other_on_one_connection_are_answered_in_order() {
    let world = World::begin().await;
    world.rejected("r").await;
    let mut socket = soon(TcpStream::connect(world.at())).await.unwrap();
    let get =
        |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
    let both = get("/api/v1/runs/r/stream", "") + &get("/healthz", "connection: close\r\n");
    socket.write_all(both.as_bytes()).await.unwrap();
    let mut answers = String::new();
    soon(socket.read_to_string(&mut answers)).await.unwrap();
    let end = answers.find("event: end").expect("the stream is whole");
    let second = answers.rfind("HTTP/1.1 200 OK").unwrap();
    assert!(second > end && answers.ends_with("ok\n"), "{answers}");
}

#[tokio::test]
async fn an_http2_client_gets_the_same_frames() {
    let world = World::begin().await;
    world.rejected("r").await;
    let bare = follow(world.at(), "r", "").await.text().await;
    // Prior knowledge: the preface, empty settings, and one request without compression.
    let mut block = vec![0x82, 0x86];
    for (index, value) in [(0x04, "/api/v1/runs/r/stream"), (0x01, "localhost")] {
        block.extend([index, u8::try_from(value.len()).unwrap()]);
        block.extend(value.as_bytes());
    }
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    request.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    request.extend(block);
    let mut socket = soon(TcpStream::connect(world.at())).await.unwrap();
    socket.write_all(&request).await.unwrap();
    let mut body = Vec::new();
    loop {
        let mut head = [0; 9];
        soon(socket.read_exact(&mut head)).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        soon(socket.read_exact(&mut payload)).await.unwrap();
        let (kind, flags) = (head[3], head[4]);
        if kind == 0 {
            body.extend(payload);
            if flags & 1 == 1 {
                break;
            }
        }
    }
    let body = String::from_utf8(body).unwrap();
    assert_eq!(without_pings(&body), without_pings(&bare));
}

#[tokio::test]
async fn a_connection_that_is_kept_goes_on_after_the_first_answer() {
    let world = World::begin().await;
    let mut run = world.run("k", 1).await;
    run.say(0, "word").await;
    run.go(0, State::Succeeded).await;
    let path = "/api/v1/runs/k/stream";
    let mut viewer = get_again(world.at(), path, &[]).await;
    let events = viewer.until("end").await;
    assert_eq!(text_of(&events, 0), "word");
}
