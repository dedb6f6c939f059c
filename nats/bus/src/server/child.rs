//! A running server.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::{Binary, ServerConfig, ServerError, ports, stale};

const POLL: Duration = Duration::from_millis(5);
/// Bytes of the log that are looked at when a server does not start.
const TAIL: usize = 4096;

/// A nats-server that runs until it is stopped or dropped; dropping kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it accepts clients, `limit` at most. A server of the same
    /// folder that still runs is ended first.
    pub async fn start(
        binary: &Binary,
        config: &ServerConfig,
        limit: Duration,
    ) -> Result<Self, ServerError> {
        create_folder(&config.folder)?;
        Self::end_earlier(config).await?;
        let command = Self::command(binary, config)?;
        let begin = log_length(&config.log());
        let child = spawn(command, binary, config)?;
        let mut server = Self {
            child,
            address: config.listen,
        };
        server.address = server.ready(config, begin, limit).await?;
        tracing::info!(address = %server.address, version = %binary.version(), "nats-server is ready");
        Ok(server)
    }

    /// Ends a server of the same folder that outlived who started it.
    pub async fn end_earlier(config: &ServerConfig) -> Result<(), ServerError> {
        stale::end(config).await
    }

    /// Writes the configuration and gives the command that runs the server with it, for a process
    /// that is to become the server. End an earlier one first.
    pub fn command(
        binary: &Binary,
        config: &ServerConfig,
    ) -> Result<std::process::Command, ServerError> {
        create_folder(&config.folder)?;
        remove_ports(&config.ports())?;
        create_folder(&config.ports())?;
        write(&config.file(), &config.render())?;
        let mut command = std::process::Command::new(binary.path());
        command.arg("--config").arg(config.file());
        Ok(command)
    }

    /// The address clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the server ends by itself or by another's hand.
    pub async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Asks the server to end (it writes what it holds and closes its clients' connections) and
    /// kills it after `limit`. True if it ended by itself.
    pub async fn stop(mut self, limit: Duration) -> bool {
        let _ = self
            .pid()
            .and_then(as_pid)
            .map(|pid| kill_process(pid, Signal::TERM));
        let ended = timeout(limit, self.child.wait()).await.is_ok();
        if !ended {
            tracing::warn!(
                limit_s = limit.as_secs(),
                "nats-server did not end in time and is killed"
            );
            let _ = self.child.kill().await;
        }
        ended
    }

    /// Ends the server as `kill -9` does.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    async fn ready(
        &mut self,
        config: &ServerConfig,
        begin: usize,
        limit: Duration,
    ) -> Result<SocketAddr, ServerError> {
        let end = Instant::now() + limit;
        loop {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Err(why_it_ended(config, begin));
            }
            if let Some(address) = ports::read(&config.ports())
                && greets(address).await
            {
                return Ok(address);
            }
            if Instant::now() > end {
                return Err(ServerError::NotReady {
                    limit,
                    log: config.log(),
                });
            }
            sleep(POLL).await;
        }
    }
}

fn spawn(
    command: std::process::Command,
    binary: &Binary,
    config: &ServerConfig,
) -> Result<Child, ServerError> {
    let path = config.log();
    // What it says before it opens its log (a mistake in the configuration) goes to the same file.
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(failed("open", &path))?;
    Command::from(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // A group of its own: Ctrl-C ends us, and we end it when the others are done with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed("run", binary.path()))
}

/// A server that accepts clients says so first (`INFO {…}`).
async fn greets(address: SocketAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(address).await?;
        let mut word = [0; 4];
        stream.read_exact(&mut word).await?;
        Ok::<_, std::io::Error>(word)
    };
    matches!(timeout(Duration::from_secs(1), greeting).await, Ok(Ok(word)) if &word == b"INFO")
}

fn why_it_ended(config: &ServerConfig, begin: usize) -> ServerError {
    let log = fs::read(config.log()).unwrap_or_default();
    let new = log.get(begin..).unwrap_or(&log);
    let tail = String::from_utf8_lossy(&new[new.len().saturating_sub(TAIL)..]).into_owned();
    if tail.contains("address already in use") {
        return ServerError::AddressTaken {
            listen: config.listen.to_string(),
        };
    }
    let mut lines: Vec<&str> = tail
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let said = lines.split_off(lines.len().saturating_sub(3)).join(" | ");
    ServerError::Ended {
        said,
        log: config.log(),
    }
}

fn as_pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

fn log_length(path: &Path) -> usize {
    fs::metadata(path)
        .ok()
        .and_then(|about| usize::try_from(about.len()).ok())
        .unwrap_or(0)
}

fn create_folder(path: &Path) -> Result<(), ServerError> {
    fs::create_dir_all(path).map_err(failed("create", path))
}

fn remove_ports(path: &Path) -> Result<(), ServerError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The configuration holds no secret but is nobody else's business either: the folder keeps it.
fn write(path: &Path, text: &str) -> Result<(), ServerError> {
    fs::write(path, text).map_err(failed("write", path))
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> ServerError + 'a {
    move |source| ServerError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
