//! A connection that posts, as thin as can be: one socket kept open, one request in flight.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Http {
    socket: TcpStream,
    address: SocketAddr,
    buffer: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            address,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a request with a JSON body and waits for its answer, which must be one of success.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        self.socket.write_all(&request).await?;
        self.buffer.clear();
        loop {
            let read = self.socket.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            let Some(answer) = Answer::read(&self.buffer)? else {
                continue;
            };
            if self.buffer.len() >= answer.length {
                ensure!(
                    (200..300).contains(&answer.status),
                    "{method} {path} was answered {}",
                    answer.status
                );
                return Ok(());
            }
        }
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Bytes, its head included.
    length: usize,
}

impl Answer {
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let mut words = head.split_whitespace();
        let status = words.nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("no answer: {head:?}"))?;
        if head.contains("\ntransfer-encoding:") {
            bail!("an answer in chunks");
        }
        let body = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |length| length.trim().parse::<usize>())?;
        Ok(Some(Self {
            status,
            length: end + 4 + body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        let read = Answer::read(answer).unwrap();
        let whole = Answer {
            status: 201,
            length: answer.len(),
        };
        assert_eq!(read, Some(whole));
        assert_eq!(Answer::read(b"HTTP/1.1 201 Cre").unwrap(), None);
    }
}
