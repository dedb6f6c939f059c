//! Child processes that leave nobody behind: each leads a process group, which is killed when its
//! handle is dropped.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Bytes of a program's error output that are kept.
const STDERR_BYTES: usize = 16 * 1024;

/// A command with an empty environment but for what every program needs.
pub(super) fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
        )
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// A running child and its process group.
pub(super) struct Group {
    pub(super) child: Child,
    leader: Option<Pid>,
}

impl Group {
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(Self { child, leader })
    }

    /// Kills all that is left of the group.
    pub(super) fn kill(&self) {
        if let Some(leader) = self.leader {
            // A group that is gone already is what is wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that has ended, with what it printed.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// What becomes of output beyond what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// It is read and dropped.
    Dropped,
    /// The program is killed: the error is [`io::ErrorKind::FileTooLarge`].
    Refused,
}

/// Runs a program to its end and keeps up to `cap` bytes of its output.
pub(super) async fn finish(
    command: &mut Command,
    cap: usize,
    excess: Excess,
) -> io::Result<Finished> {
    let mut group = Group::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = group.child.stdout.take();
    let stderr = group.child.stderr.take();
    let (stdout, stderr, status) = tokio::try_join!(
        read(stdout, cap, excess),
        read(stderr, STDERR_BYTES, Excess::Dropped),
        group.child.wait()
    )?;
    Ok(Finished {
        status,
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

async fn read(
    from: Option<impl AsyncRead + Unpin>,
    cap: usize,
    excess: Excess,
) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut from) = from else {
        return Ok(kept);
    };
    (&mut from).take(cap as u64).read_to_end(&mut kept).await?;
    match excess {
        Excess::Dropped => {
            tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
        }
        Excess::Refused => {
            if from.read(&mut [0]).await? > 0 {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }
    Ok(kept)
}
