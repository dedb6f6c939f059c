//! The server of Durable Streams: a stream per run, as JSON, with its default durability: a write-ahead log
//! that is synced before a message is acknowledged.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use super::{HttpWriter, Message, free, get, program, serves};
use crate::crowd::Target;
use crate::http::Http;
use crate::process::Process;
use crate::viewer::Watch;

#[derive(Debug)]
pub struct Durable {
    /// `None` between an end and a start.
    process: Option<Process>,
    address: SocketAddr,
    folder: TempDir,
}

impl Durable {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut durable = Self {
            process: None,
            address: free()?,
            folder: TempDir::new()?,
        };
        durable.restart().await?;
        Ok(durable)
    }

    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = None;
        let port = self.address.port().to_string();
        let mut command = Command::new(program("durable-streams-server")?);
        command.args(["--host", "127.0.0.1", "--port", &port]);
        command
            .arg("--data-dir")
            .arg(self.folder.path().join("data"));
        let mut process = Process::start(&mut command, &self.folder.path().join("log"))?;
        serves(&mut process, self.address, None).await?;
        self.process = Some(process);
        Ok(())
    }

    pub(super) async fn begin(&self, run: &str) -> anyhow::Result<HttpWriter> {
        let path = format!("/{run}");
        let mut http = Http::connect(self.address).await?;
        http.send("PUT", &path, b"").await?;
        let message = Message::of(run)?;
        Ok(HttpWriter {
            http,
            path,
            message,
        })
    }

    pub(super) fn target(&self, run: &str) -> Target {
        let path = format!("/{run}?offset=-1&live=sse");
        Target {
            address: self.address,
            request: get(self.address, &path).into(),
            watch: Watch::Answered,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }
}
