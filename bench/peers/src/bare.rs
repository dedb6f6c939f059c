//! The least that a server of event streams can do: one thread, one epoll, one log, and a write to each viewer.
//! It stores nothing, checks nothing and knows one run. What a server costs above it is its own.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const DONE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Serves until it is killed. What comes within `join` after a write waits for its end and goes out as one.
pub fn serve(address: SocketAddr, join: Duration) -> anyhow::Result<()> {
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Bare::default();
    let mut events = Events::with_capacity(1024);
    let mut wrote = Instant::now();
    loop {
        let wait = (!server.due.is_empty()).then(|| join.saturating_sub(wrote.elapsed()));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener, &poll)?,
                Token(at) => server.read(at),
            }
        }
        if !server.due.is_empty() && wrote.elapsed() >= join {
            server.write();
            wrote = Instant::now();
        }
    }
}

#[derive(Default)]
struct Bare {
    connections: Vec<Option<Connection>>,
    /// What every viewer has been sent.
    log: Vec<u8>,
    /// What is to be sent next.
    due: Vec<u8>,
    messages: u64,
}

struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    watches: bool,
}

impl Bare {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> anyhow::Result<()> {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true)?;
            let token = Token(self.connections.len());
            poll.registry()
                .register(&mut socket, token, Interest::READABLE)?;
            self.connections.push(Some(Connection {
                socket,
                request: Vec::new(),
                watches: false,
            }));
        }
        Ok(())
    }

    fn read(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let mut buffer = [0; 4096];
        loop {
            match connection.socket.read(&mut buffer) {
                Ok(length) if length > 0 => connection.request.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {
                    self.connections[at] = None;
                    return;
                }
            }
        }
        if let Some(body) = whole(&connection.request) {
            let text = std::mem::take(&mut connection.request);
            let answer = if text.starts_with(b"GET") {
                connection.watches = true;
                [HEAD, &self.log].concat()
            } else {
                DONE.to_vec()
            };
            if connection.socket.write_all(&answer).is_err() {
                self.connections[at] = None;
            }
            if text.starts_with(b"PUT") {
                (self.log, self.messages) = (Vec::new(), 0);
            } else if text.starts_with(b"POST") {
                self.messages += 1;
                self.due
                    .extend_from_slice(format!("id: {}\ndata: ", self.messages).as_bytes());
                self.due.extend_from_slice(&text[body..]);
                self.due.extend_from_slice(b"\n\n");
            }
        }
    }

    /// One write to each viewer; one whose socket is full is dropped.
    fn write(&mut self) {
        for place in &mut self.connections {
            let viewer = place.as_mut().filter(|connection| connection.watches);
            if viewer.is_some_and(|viewer| viewer.socket.write_all(&self.due).is_err()) {
                *place = None;
            }
        }
        self.log.append(&mut self.due);
    }
}

/// Where the body of a request begins, once all of it is there.
fn whole(request: &[u8]) -> Option<usize> {
    let body = memmem::find(request, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&request[..body]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(Some(0), |length| length.trim().parse::<usize>().ok())?;
    (request.len() >= body + length).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is_there() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(whole(request), Some(request.len() - 3));
        assert_eq!(whole(&request[..request.len() - 1]), None);
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\n"), Some(18));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n"), None);
    }
}
