//! This program again, as the least that a server can do (`bare.rs`).

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use super::{HttpWriter, Message, free, get, serves};
use crate::crowd::Target;
use crate::http::Http;
use crate::process::Process;
use crate::viewer::Watch;

#[derive(Debug)]
pub struct Floor {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Floor {
    pub(super) async fn start(join_ms: u64) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = free()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(address.to_string());
        command.arg("--join-ms").arg(join_ms.to_string());
        let mut process = Process::start(&mut command, &folder.path().join("log"))?;
        serves(&mut process, address, None).await?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    pub(super) async fn begin(&self, run: &str) -> anyhow::Result<HttpWriter> {
        let mut http = Http::connect(self.address).await?;
        // It holds one run; a new one takes the place of the last.
        http.send("PUT", "/", b"").await?;
        Ok(HttpWriter {
            http,
            path: "/".into(),
            message: Message::of(run)?,
        })
    }

    pub(super) fn target(&self) -> Target {
        Target {
            address: self.address,
            request: get(self.address, "/").into(),
            watch: Watch::Answered,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }
}
