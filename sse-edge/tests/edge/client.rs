//! A viewer and a client that know nothing but HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::world::soon;

/// An answer whose body is read as it comes.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    body: BufReader<TcpStream>,
}

/// An event of an event stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

/// What a body is.
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends a request on a new connection.
pub(crate) async fn send(
    edge: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut socket = soon(TcpStream::connect(edge)).await.unwrap();
    let request = request(edge, method, path, headers, body);
    socket.write_all(request.as_bytes()).await.unwrap();
    read(socket).await
}

/// Sends a GET request on a connection that was used for another one before.
pub(crate) async fn get_again(edge: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut socket = BufReader::new(soon(TcpStream::connect(edge)).await.unwrap());
    let first = request(edge, "GET", "/healthz", &[("connection", "keep-alive")], "");
    socket.write_all(first.as_bytes()).await.unwrap();
    let mut first = answer(socket).await;
    let mut body = [0; 3];
    soon(first.body.read_exact(&mut body)).await.unwrap();
    assert_eq!((first.status, &body), (200, b"ok\n"));
    let mut socket = first.body;
    let second = request(edge, "GET", path, headers, "");
    socket.write_all(second.as_bytes()).await.unwrap();
    answer(socket).await
}

/// HTTP/1.0, so that the body comes as it is and ends with the connection.
fn request(
    edge: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut request = format!(
        "{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "host") {
        request += &format!("host: {edge}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    request += body;
    request
}

/// Reads the answer to what was asked on a connection.
pub(crate) async fn read(socket: TcpStream) -> Answer {
    answer(BufReader::new(socket)).await
}

async fn answer(mut body: BufReader<TcpStream>) -> Answer {
    let mut line = String::new();
    soon(body.read_line(&mut line)).await.unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        soon(body.read_line(&mut line)).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    Answer {
        status,
        headers,
        body,
    }
}

pub(crate) async fn get(edge: SocketAddr, path: &str) -> Answer {
    send(edge, "GET", path, &[], "").await
}

/// Follows a run from the event with this id (empty: from its beginning).
pub(crate) async fn follow(edge: SocketAddr, run: &str, id: &str) -> Answer {
    let path = format!("/api/v1/runs/{run}/stream");
    send(edge, "GET", &path, &[("last-event-id", id)], "").await
}

impl Answer {
    pub(crate) async fn text(mut self) -> String {
        let mut text = String::new();
        soon(self.body.read_to_string(&mut text)).await.unwrap();
        text
    }

    pub(crate) async fn json(self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next event; comments and hints are passed over. `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let mut any = false;
        loop {
            let mut line = String::new();
            if soon(self.body.read_line(&mut line)).await.unwrap_or(0) == 0 {
                return None;
            }
            match line.trim_end_matches('\n') {
                "" if any => return Some(event),
                "" => {}
                line => match line.split_once(": ").unwrap() {
                    ("event", name) => event.name = name.to_owned(),
                    ("id", id) => event.id = id.to_owned(),
                    ("data", data) => {
                        any = true;
                        event.data += data;
                    }
                    _ => {}
                },
            }
        }
    }

    /// All events up to and with the first called `name`.
    pub(crate) async fn until(&mut self, name: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await.expect("the stream ended early");
            let last = event.name == name;
            events.push(event);
            if last {
                return events;
            }
        }
    }
}

/// The text of a variation in events, by attempt and `n` as a viewer reads them.
pub(crate) fn text_of(events: &[Event], variation: u64) -> String {
    let mut last = (0, None);
    let mut text = String::new();
    for event in events.iter().filter(|event| event.name.is_empty()) {
        let json: Value = serde_json::from_str(&event.data).unwrap();
        let at = (json["attempt"].as_u64().unwrap(), json["n"].as_u64());
        if json["variation"] == variation && at > last {
            last = at;
            text += json["delta"].as_str().unwrap_or_default();
        }
    }
    text
}
