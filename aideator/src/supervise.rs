//! The supervisor of one attempt: it holds the attempt's lock, runs the agent's brain (which runs the
//! hands), and leaves the exit status. It knows nothing of NATS and lives on when `up` ends.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aideator_contract::local::{
    CREDENTIALS, ExitStatus, LAUNCH, LOCK, LOG, Launch, PID, STATUS, WORKSPACE,
};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{DumpableBehavior, Pid, Signal, kill_process, set_dumpable_behavior};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::error::Error;

/// Tells a brain who its supervisor is, so that it does not outlive it.
pub(crate) const SUPERVISOR_ENV: &str = "AIDEATOR_SUPERVISOR";
/// Who only looks holds the lock for a moment; who runs an agent holds it for long.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_STEP: Duration = Duration::from_millis(5);
/// Where a brain reads its credential, which has no name in the file system any more.
const STANDARD_INPUT: &str = "/dev/stdin";

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Another supervisor runs this attempt, or has run it.
    Already,
    /// The agent ended like this.
    Agent(ExitStatus),
}

/// Runs the agent of the attempt in `folder`, as `<program> agent brain …`, to its end.
pub(crate) async fn supervise(folder: &Path, program: &Path) -> Result<Ended, Error> {
    // The environment holds the models' keys: other processes of this user cannot read it here.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Error::Internal(format!("its memory can't be closed: {error}")))?;
    let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
    let Some(_lock) = lock(&folder).await? else {
        return Ok(Ended::Already);
    };
    if folder.join(STATUS).exists() {
        return Ok(Ended::Already);
    }
    write(&folder.join(PID), &std::process::id().to_string())?;
    let launch = read(&folder.join(LAUNCH))?;
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Error::Terminal("hear signals", error))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| Error::Terminal("hear signals", error))?;
    let limit = sleep(Duration::from_secs(launch.limit_s));
    tokio::pin!(limit);
    let mut over = false;
    let status = match brain(&folder, program, &launch) {
        Ok(mut child) => loop {
            tokio::select! {
                ended = child.wait() => break exit_status(ended.ok()),
                // The brain flushes and says its last word.
                _ = terminate.recv() => pass_on(&child),
                _ = interrupt.recv() => pass_on(&child),
                () = &mut limit, if !over => {
                    over = true;
                    tracing::warn!("the agent is long past its deadline and is killed");
                    let _ = child.start_kill();
                }
            }
        },
        Err(error) => {
            tracing::error!(error = %error.chain(), "the agent can't be started");
            exit_status(None)
        }
    };
    leave(&folder, &status)?;
    Ok(Ended::Agent(status))
}

/// The attempt's lock, or `None` if another supervisor holds it. It is free when the file is closed.
async fn lock(folder: &Path) -> Result<Option<File>, Error> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    let limit = Instant::now() + LOCK_PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < limit => sleep(LOCK_STEP).await,
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(Error::file("lock", path)(error.into())),
        }
    }
}

fn read(path: &Path) -> Result<Launch, Error> {
    let text = fs::read(path).map_err(Error::file("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Internal(format!("{} is no launch: {error}", path.display())))
}

fn brain(folder: &Path, program: &Path, launch: &Launch) -> Result<Child, Error> {
    let path = folder.join(LOG);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    let credentials = take(&folder.join(CREDENTIALS))?;
    let for_errors = log.try_clone().map_err(Error::file("open", &path))?;
    Command::new(program)
        .args(["agent", "brain"])
        .args(["--nats", &launch.nats_url])
        .args(["--creds", STANDARD_INPUT])
        .args(["--run", launch.name.run.as_str()])
        .args(["--variation", &launch.name.variation.to_string()])
        .args(["--attempt", &launch.name.attempt.to_string()])
        .args(["--workspace", WORKSPACE])
        .current_dir(folder)
        .env(SUPERVISOR_ENV, std::process::id().to_string())
        .stdin(credentials)
        .stdout(log)
        .stderr(for_errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::file("run", program))
}

/// A file that from now on only who holds it can read: of an attempt there is one brain ever.
fn take(path: &Path) -> Result<File, Error> {
    let file = File::open(path).map_err(Error::file("open", path))?;
    fs::remove_file(path).map_err(Error::file("remove", path))?;
    Ok(file)
}

fn pass_on(child: &Child) {
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// What the system says of the end; of an agent that never began there is no code and no signal.
fn exit_status(ended: Option<std::process::ExitStatus>) -> ExitStatus {
    ExitStatus {
        code: ended.and_then(|status| status.code()),
        signal: ended.and_then(|status| status.signal()),
        at: SystemTime::now().into(),
    }
}

/// Written by rename: it is there whole or not at all.
fn leave(folder: &Path, status: &ExitStatus) -> Result<(), Error> {
    let text = serde_json::to_string(status).map_err(|error| Error::Internal(error.to_string()))?;
    let (new, path) = (folder.join("status.new"), folder.join(STATUS));
    write(&new, &text)?;
    fs::rename(&new, &path).map_err(Error::file("write", path))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests;
