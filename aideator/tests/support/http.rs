//! HTTP/1.0 by hand, so that nothing is between a test and the bytes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// What was answered, its body still to come.
pub struct Head {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Where the body comes from.
    pub body: BufReader<TcpStream>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type.
    pub media_type: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Asks, with further header lines.
pub async fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Head> {
    let mut socket = TcpStream::connect(server).await?;
    let mut head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in more {
        head += &format!("{name}: {value}\r\n");
    }
    // A server that refuses by the head alone may close before it has read the body.
    let _ = socket
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await;
    let mut body = BufReader::new(socket);
    let first = line(&mut body).await?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("answered {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(&mut body).await?;
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    Ok(Head {
        status,
        headers,
        body,
    })
}

impl Head {
    /// A header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(is, _)| is == name);
        found.map_or("", |(_, value)| value)
    }

    async fn whole(mut self) -> Answer {
        let mut body = Vec::new();
        self.body.read_to_end(&mut body).await.unwrap();
        Answer {
            status: self.status,
            media_type: self.header("content-type").to_owned(),
            body: String::from_utf8(body).unwrap(),
        }
    }
}

async fn line(from: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// The answer to a GET.
pub async fn get(server: SocketAddr, path: &str) -> Answer {
    ask(server, "GET", path, &[], "")
        .await
        .unwrap()
        .whole()
        .await
}

/// The answer to a POST of JSON.
pub async fn post(server: SocketAddr, path: &str, body: &str) -> Answer {
    let json = [("Content-Type", "application/json")];
    ask(server, "POST", path, &json, body)
        .await
        .unwrap()
        .whole()
        .await
}
