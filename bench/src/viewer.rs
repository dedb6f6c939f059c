//! A viewer as thin as can be: one socket, HTTP/1.0 (so that nothing is chunked), lines as they come.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SILENCE: Duration = Duration::from_secs(60);

/// A stream of one run.
#[derive(Debug)]
pub(crate) struct Viewer {
    socket: TcpStream,
    buffer: Vec<u8>,
    begin: usize,
    /// When the bytes behind `begin` were read.
    read: Instant,
}

/// One server-sent event.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its name; empty for a message.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: String,
    /// When its last byte was read.
    pub(crate) at: Instant,
}

impl Viewer {
    pub(crate) async fn open(http: &str, run: &str) -> anyhow::Result<Self> {
        let host = http.trim_start_matches("http://").trim_end_matches('/');
        let mut socket = TcpStream::connect(host)
            .await
            .context("connecting to the edge")?;
        socket.set_nodelay(true)?;
        let request = format!(
            "GET /api/v1/runs/{run}/stream HTTP/1.0\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;
        let mut viewer = Self {
            socket,
            buffer: Vec::new(),
            begin: 0,
            read: Instant::now(),
        };
        let status = viewer.line().await?;
        if !status.contains(" 200 ") {
            bail!("the edge answered {status}");
        }
        while !viewer.line().await?.is_empty() {}
        Ok(viewer)
    }

    /// The next event; comments and ids are passed over.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Event> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.line().await?;
            if let Some(text) = line.strip_prefix("data: ") {
                data.push_str(text);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if line.is_empty() && (!name.is_empty() || !data.is_empty()) {
                return Ok(Event {
                    name,
                    data,
                    at: self.read,
                });
            }
        }
    }

    /// Reads until an event of this name.
    pub(crate) async fn until(&mut self, name: &str) -> anyhow::Result<Event> {
        loop {
            let event = self.next().await?;
            if event.name == name {
                return Ok(event);
            }
        }
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut looked = self.begin;
        loop {
            if let Some(length) = self.buffer[looked..].iter().position(|b| *b == b'\n') {
                let end = looked + length;
                let line = String::from_utf8_lossy(&self.buffer[self.begin..end]);
                let line = line.trim_end_matches('\r').to_owned();
                self.begin = end + 1;
                return Ok(line);
            }
            self.buffer.drain(..self.begin);
            self.begin = 0;
            looked = self.buffer.len();
            self.buffer.reserve(64 * 1024);
            let read = timeout(SILENCE, self.socket.read_buf(&mut self.buffer)).await;
            if read.context("the edge is silent")?? == 0 {
                bail!("the stream ended");
            }
            self.read = Instant::now();
        }
    }
}
