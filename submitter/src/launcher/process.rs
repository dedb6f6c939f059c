//! Attempts as processes of this machine: a folder each, and a supervisor that outlives us.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use aideator_contract::local::{
    ATTEMPTS, AttemptName, CREDENTIALS, ExitStatus, LAUNCH, LOCK, LOG, Launch, PID, STATUS,
};
use aideator_contract::{AttemptSpec, Code, Reason, limits};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::{LaunchError, Launcher, Order, Pressure};

/// What of our environment an agent gets, besides what names keys and addresses of model servers.
const ENVIRONMENT: [&str; 14] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "RUST_LOG",
    "AWS_BEARER_TOKEN_BEDROCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];
const MODEL_SETTINGS: [&str; 2] = ["_API_KEY", "_BASE_URL"];

/// How long hands have to kill what they started when they are to be gone at once.
const HANDS_GRACE: Duration = Duration::from_secs(1);
const GONE_STEP: Duration = Duration::from_millis(5);

/// Launches supervisors (`<program> supervise <folder>`) that hold a lock in the attempt's folder.
#[derive(Debug, Clone)]
pub struct ProcessLauncher {
    attempts: PathBuf,
    program: PathBuf,
    nats_url: String,
    environment: Vec<(OsString, OsString)>,
}

impl ProcessLauncher {
    /// Attempts in `data_dir`, supervised by `program`, which find NATS at `nats_url`. Of
    /// `variables` only those pass that an agent needs.
    pub fn new(
        data_dir: &Path,
        program: PathBuf,
        nats_url: String,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let passes = |(name, _): &(OsString, OsString)| name.to_str().is_some_and(is_for_agents);
        Self {
            attempts: data_dir.join(ATTEMPTS),
            program,
            nats_url,
            environment: variables.into_iter().filter(passes).collect(),
        }
    }

    fn folder(&self, name: &AttemptName) -> PathBuf {
        self.attempts.join(name.to_string())
    }

    /// Makes the folder ready for a supervisor; false if one has been there.
    fn prepare(&self, folder: &Path, order: &Order) -> io::Result<bool> {
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        builder.recursive(true).create(&self.attempts)?;
        match builder.recursive(false).create(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if has_begun(folder) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(error),
        }
        let launch = Launch {
            name: order.name.clone(),
            nats_url: self.nats_url.clone(),
            limit_s: limit_s(&order.spec),
        };
        let launch = serde_json::to_vec(&launch).map_err(io::Error::other)?;
        write_secret(
            &folder.join(CREDENTIALS),
            order.credentials.to_text().as_bytes(),
        )?;
        write_secret(&folder.join(LAUNCH), &launch)?;
        Ok(true)
    }

    fn start(&self, folder: &Path) -> io::Result<()> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(folder.join(LOG))?;
        let child = Command::new(&self.program)
            .arg("supervise")
            .arg(folder)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // It survives us, and a Ctrl-C at our terminal is not its.
            .process_group(0)
            .kill_on_drop(false)
            .spawn()?;
        // The runtime reaps a child that was let go.
        drop(child);
        Ok(())
    }
}

/// When a process that should have ended long ago is killed: behind the watcher's own judgement, so that
/// the reason stays the deadline.
fn limit_s(spec: &AttemptSpec) -> u64 {
    let allowed = limits::START_ALLOWANCE + 2 * limits::DEADLINE_GRACE;
    spec.deadline_s.saturating_add(allowed.as_secs())
}

impl Launcher for ProcessLauncher {
    async fn launch(&self, order: Order) -> Result<(), LaunchError> {
        let folder = self.folder(&order.name);
        let never = |doing: &str, error: &io::Error| {
            let message = format!("the agent could not be started: {doing}: {error}");
            LaunchError::Never(Reason::new(Code::LaunchFailed, message))
        };
        match self.prepare(&folder, &order) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(never(&format!("its folder {}", folder.display()), &error)),
        }
        self.start(&folder)
            .map_err(|error| never(&format!("{}", self.program.display()), &error))
    }

    async fn stop(&self, name: &AttemptName, pressure: Pressure) {
        let folder = self.folder(name);
        if let Err(error) = stop(&folder, pressure).await {
            tracing::warn!(attempt = %name, %error, "an attempt could not be stopped");
        }
    }
}

/// A supervisor has taken the lock, or the attempt is over before one did.
fn has_begun(folder: &Path) -> bool {
    folder.join(LOCK).exists() || folder.join(STATUS).exists()
}

async fn stop(folder: &Path, pressure: Pressure) -> io::Result<()> {
    let lock = match File::open(folder.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return never_begin(folder),
        Err(error) => return Err(error),
    };
    // A shared lock is to be had only when the supervisor is gone: its process id means nothing then.
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return Ok(());
    }
    let text = fs::read_to_string(folder.join(PID))?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| pid.as_raw_nonzero().get() > 1) else {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "no process id is there",
        ));
    };
    let stopped = match pressure {
        Pressure::Soft => kill_process_group(pid, Signal::TERM),
        Pressure::Hard => kill(pid).await,
    };
    match stopped {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Kills a supervisor and what it runs. With it the brain dies; the hands are told by the system, and
/// have a moment to kill their command, which is in a group of its own that only they know.
async fn kill(supervisor: Pid) -> Result<(), Errno> {
    kill_process(supervisor, Signal::KILL)?;
    let gone = async {
        while test_kill_process_group(supervisor).is_ok() {
            sleep(GONE_STEP).await;
        }
    };
    match timeout(HANDS_GRACE, gone).await {
        Ok(()) => Ok(()),
        Err(_) => kill_process_group(supervisor, Signal::KILL),
    }
}

/// Leaves the status of an attempt that never ran, so that none is started for it.
fn never_begin(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let status = ExitStatus {
        code: None,
        signal: Some(Signal::TERM.as_raw()),
        at: SystemTime::now().into(),
    };
    let status = serde_json::to_vec(&status).map_err(io::Error::other)?;
    write_secret(&folder.join(STATUS), &status)
}

/// Writes a file for this user alone, whole or not at all.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn is_for_agents(name: &str) -> bool {
    ENVIRONMENT.contains(&name) || MODEL_SETTINGS.iter().any(|end| name.ends_with(end))
}
