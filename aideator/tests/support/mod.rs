//! The built binary, started and watched as a person would.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::wrong_self_convention,
    unreachable_pub,
    reason = "each test file uses a part of it, and a test fails where something is not as expected"
)]

pub mod http;
pub mod processes;
pub mod runs;
pub mod stage;
pub mod viewer;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The built binary, with nothing of this machine's own configuration.
pub fn aideator() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aideator"));
    let ours = |name: &str| name.starts_with("AIDEATOR_") && name != "AIDEATOR_TOOLS";
    for (name, _) in std::env::vars() {
        if ours(&name) || name.ends_with("_API_KEY") || name.ends_with("_BASE_URL") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A running `aideator up` in a data directory.
pub struct Up {
    child: Child,
    /// What it said when it was ready.
    pub said: Value,
}

impl Up {
    /// Starts everything on free ports and waits until it is ready.
    pub fn start(data_dir: &Path) -> Self {
        let mut child = aideator()
            .args(["up", "--json", "--model", "scripted/lorem"])
            .args(["--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("up said {line:?}"));
        Self { child, said }
    }

    /// Its web address.
    pub fn http(&self) -> &str {
        self.said["http"].as_str().unwrap()
    }

    /// Where NATS is.
    pub fn nats(&self) -> &str {
        self.said["nats"].as_str().unwrap()
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        signal(&self.child, Signal::TERM);
        let ended = within("`up` ends", || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// Asks until there is an answer.
pub fn within<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < limit, "{what}: not within {LIMIT:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Asks until there is an answer, without holding up others.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(LIMIT, asking).await;
    answer.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

/// The lines a successful command printed.
pub fn lines(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// A line to a server that is cut: each of the first connections after so many bytes.
pub struct Scissors {
    /// Where to connect.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Scissors {
    /// Cuts the first `cuts.len()` connections to `server` after that many bytes each.
    pub fn before(server: &str, cuts: &'static [usize]) -> Self {
        let server: SocketAddr = server.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let limit = cuts.get(number).copied().unwrap_or(usize::MAX);
                std::thread::spawn(move || between(&client, server, limit));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn between(client: &TcpStream, server: SocketAddr, limit: usize) {
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let (mut from_server, mut to_client) = (&server, client);
    let mut left = limit;
    let mut buffer = [0; 1024];
    while left > 0 {
        let count = buffer.len().min(left);
        match from_server.read(&mut buffer[..count]) {
            Ok(count @ 1..) => {
                left -= count;
                if to_client.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Ok(0) | Err(_) => break,
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = server.shutdown(std::net::Shutdown::Both);
}
