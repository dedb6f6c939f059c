//! Attempts of this machine, seen through their folders ([`aideator_contract::local`]).

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aideator_contract::local::{
    ATTEMPTS, AttemptName, CREDENTIALS, ExitStatus, LOCK, SOCKET, STATUS, WORKSPACE,
};
use rustix::fs::{FlockOperation, flock};

use super::{Observation, Observer};

/// A free lock without a status counts as vanished after this long: a supervisor that has made
/// the file and not yet taken the lock looks the same.
const VANISHING: Duration = Duration::from_millis(700);

/// The folders of a data directory.
#[derive(Debug, Clone)]
pub struct Local(Arc<Folders>);

#[derive(Debug)]
struct Folders {
    attempts: PathBuf,
    /// Since when an attempt looks vanished.
    vanishing: Mutex<HashMap<AttemptName, Instant>>,
}

/// What one look at a folder tells.
#[derive(Debug, PartialEq, Eq)]
enum Folder {
    Absent,
    Held,
    Left(ExitStatus),
    Free,
}

impl Local {
    /// The attempts of `data_dir`. Nothing needs to be there yet.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self(Arc::new(Folders {
            attempts: data_dir.join(ATTEMPTS),
            vanishing: Mutex::default(),
        }))
    }

    /// Runs `work` where it may block; `None` if it panicked or the runtime is going down.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folders) -> T + Send + 'static,
    ) -> Option<T> {
        let folders = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&folders))
            .await
            .ok()
    }
}

impl Observer for Local {
    async fn look(&self, attempts: Vec<AttemptName>) -> Vec<Observation> {
        let count = attempts.len();
        if count == 0 {
            return Vec::new();
        }
        self.blocking(move |folders| attempts.iter().map(|a| folders.look(a)).collect())
            .await
            .unwrap_or_else(|| vec![Observation::Unknown; count])
    }

    async fn clear(&self, attempt: AttemptName) -> bool {
        let result = self.blocking(move |folders| folders.clear(&attempt)).await;
        match result {
            Some(Ok(done)) => done,
            Some(Err(error)) => {
                tracing::debug!(%error, "an attempt's folder can't be cleared yet");
                false
            }
            None => false,
        }
    }

    async fn leftovers(&self) -> Vec<AttemptName> {
        self.blocking(Folders::leftovers).await.unwrap_or_default()
    }
}

impl Folders {
    fn look(&self, attempt: &AttemptName) -> Observation {
        let seen = folder(&self.attempts.join(attempt.to_string()));
        let mut vanishing = self
            .vanishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !matches!(seen, Ok(Folder::Free)) {
            vanishing.remove(attempt);
        }
        match seen {
            Ok(Folder::Absent) => Observation::NotStarted,
            Ok(Folder::Held) => Observation::Running,
            Ok(Folder::Left(status)) => Observation::Exited(status),
            Ok(Folder::Free) => {
                let since = vanishing
                    .entry(attempt.clone())
                    .or_insert_with(Instant::now);
                if since.elapsed() >= VANISHING {
                    Observation::Vanished
                } else {
                    Observation::Unknown
                }
            }
            Err(error) => {
                tracing::warn!(%attempt, %error, "an attempt's folder can't be looked at");
                Observation::Unknown
            }
        }
    }

    fn clear(&self, attempt: &AttemptName) -> io::Result<bool> {
        let path = self.attempts.join(attempt.to_string());
        if folder_lock(&path)? == Some(true) {
            return Ok(false);
        }
        // Each by itself: what can't be removed keeps nothing else.
        let removed = [
            remove(fs::remove_file(path.join(CREDENTIALS))),
            remove(fs::remove_file(path.join(SOCKET))),
            remove(remove_tree(&path.join(WORKSPACE))),
        ];
        removed.into_iter().collect::<io::Result<()>>()?;
        self.vanishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(attempt);
        Ok(true)
    }

    fn leftovers(&self) -> Vec<AttemptName> {
        let Ok(entries) = fs::read_dir(&self.attempts) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter(|entry| {
                let path = entry.path();
                [CREDENTIALS, WORKSPACE]
                    .iter()
                    .any(|name| path.join(name).exists())
            })
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }
}

fn folder(path: &Path) -> io::Result<Folder> {
    if let Some(status) = status(path)? {
        return Ok(Folder::Left(status));
    }
    match folder_lock(path)? {
        None => Ok(Folder::Absent),
        Some(true) => Ok(Folder::Held),
        // The status is there before the lock is free; it may have come since the first look.
        Some(false) => Ok(status(path)?.map_or(Folder::Free, Folder::Left)),
    }
}

/// Whether the lock is held; `None` if it was never made.
fn folder_lock(path: &Path) -> io::Result<Option<bool>> {
    let file = match File::open(path.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Shared, so that two who look do not see each other; freed again when the file is closed.
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(false)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(true)),
        Err(error) => Err(error.into()),
    }
}

fn status(path: &Path) -> io::Result<Option<ExitStatus>> {
    match fs::read(path.join(STATUS)) {
        // It appears whole, by rename; what can't be read was not written by a supervisor.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a folder and everything below it, read-only folders included: some tools leave such.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

/// Lets us remove what is in this folder and in those below it. Follows no link.
fn make_writable(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        make_writable(&entry?.path())?;
    }
    Ok(())
}

fn remove(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
