//! nginx with the nchan module: a channel per run, its messages buffered in shared memory.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::{HttpWriter, Message, free, get, program, serves};
use crate::crowd::Target;
use crate::http::Http;
use crate::process::{Process, children};
use crate::viewer::Watch;

const MODULE: &str = "ngx_nchan_module.so";
/// Where distributions put nginx's modules.
const MODULES: [&str; 3] = [
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/local/nginx/modules",
];

#[derive(Debug)]
pub struct Nchan {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nchan {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = free()?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config(&module()?, address, folder.path()))?;
        let mut command = Command::new(program("nginx")?);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        let mut process = Process::start(&mut command, &folder.path().join("log"))?;
        serves(&mut process, address, Some("/ready")).await?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    pub(super) async fn begin(&self, run: &str) -> anyhow::Result<HttpWriter> {
        Ok(HttpWriter {
            http: Http::connect(self.address).await?,
            path: format!("/publish/{run}"),
            message: Message::of(run)?,
        })
    }

    pub(super) fn target(&self, run: &str) -> Target {
        Target {
            address: self.address,
            request: get(self.address, &format!("/watch/{run}")).into(),
            watch: Watch::Answered,
        }
    }

    /// The master and all workers.
    pub(super) fn pids(&self) -> Vec<u32> {
        let master = self.process.pid();
        [vec![master], children(master)].concat()
    }
}

fn module() -> anyhow::Result<PathBuf> {
    MODULES
        .iter()
        .map(|folder| Path::new(folder).join(MODULE))
        .find(|file| file.is_file())
        .context("nginx has no nchan module; scripts/install-peers installs it")
}

fn config(module: &Path, address: SocketAddr, folder: &Path) -> String {
    let (module, folder) = (module.display(), folder.display());
    format!(
        "load_module {module};
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 512M;
  server {{
    listen {address} backlog=4096;
    location = /ready {{ return 204; }}
    location ~ ^/publish/(.+)$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 100000;
      nchan_message_timeout 1h;
    }}
    location ~ ^/watch/(.+)$ {{
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message oldest;
    }}
  }}
}}
"
    )
}
