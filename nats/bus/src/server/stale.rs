//! A server of the same folder that outlived who started it is ended before the next begins:
//! two servers on one store would destroy it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use super::{ServerConfig, ServerError};

const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);

/// Ends the server that the folder's pid file names, if that process still is one.
pub(super) async fn end(config: &ServerConfig) -> Result<(), ServerError> {
    let Some(pid) = read_pid(&config.pid_file()) else {
        return Ok(());
    };
    for signal in [Signal::TERM, Signal::KILL] {
        if !runs(pid, &config.file()) {
            return Ok(());
        }
        tracing::warn!(
            pid = pid.as_raw_nonzero().get(),
            "ending an earlier nats-server of this folder"
        );
        let _ = kill_process(pid, signal);
        if gone(pid, &config.file()).await {
            return Ok(());
        }
    }
    Err(ServerError::StaleServer {
        pid: pid.as_raw_nonzero().get().unsigned_abs(),
    })
}

async fn gone(pid: Pid, file: &Path) -> bool {
    let limit = Instant::now() + PATIENCE;
    while runs(pid, file) {
        if Instant::now() > limit {
            return false;
        }
        sleep(STEP).await;
    }
    true
}

fn read_pid(file: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(file).ok()?.trim().parse().ok()?)
}

/// Whether the process lives and was started with this configuration file: a pid may have been
/// given to another program since. Where that can't be read, the process is taken to be another.
fn runs(pid: Pid, file: &Path) -> bool {
    if test_kill_process(pid).is_err() {
        return false;
    }
    let arguments = match fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(arguments) => arguments,
        Err(_) => said_by_ps(pid),
    };
    let file = file.as_os_str().as_encoded_bytes();
    arguments.windows(file.len()).any(|part| part == file)
}

/// For systems without `/proc`.
fn said_by_ps(pid: Pid) -> Vec<u8> {
    let pid = pid.as_raw_nonzero().to_string();
    let output = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &pid])
        .output();
    output.map(|output| output.stdout).unwrap_or_default()
}
