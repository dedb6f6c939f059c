//! The folder of the database: one process at a time, and what is broken is put aside.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use aideator_contract::Timestamp;
use rustix::fs::{FlockOperation, flock};
use tokio::time::sleep;

use super::store::Store;
use crate::error::Error;

const FOLDER: &str = "projection";
const LOCK: &str = "projection.lock";
const WAITING: Duration = Duration::from_millis(50);

/// The database, open, and the lock that says so.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) _lock: Option<File>,
    pub(super) took: Duration,
}

/// Opens the database of `data_dir`. One that can't be opened is moved aside and a new one made.
pub(super) async fn open(data_dir: &Path) -> Result<Opened, Error> {
    fs::create_dir_all(data_dir).map_err(Error::Folder)?;
    let lock = lock(&data_dir.join(LOCK)).await?;
    let folder = data_dir.join(FOLDER);
    let began = Instant::now();
    let store = match attempt(&folder).await {
        Ok(store) => store,
        Err(error) if folder.exists() => {
            let aside = aside(data_dir);
            tracing::warn!(
                %error, aside = %aside.display(),
                "the projection's database is broken; it is moved aside and built again"
            );
            fs::rename(&folder, aside).map_err(Error::Folder)?;
            attempt(&folder).await?
        }
        Err(error) => return Err(error),
    };
    Ok(Opened {
        store,
        _lock: Some(lock),
        took: began.elapsed(),
    })
}

/// Opens and reads a little, in a task of its own, so that a panic over a broken file is an error
/// like others.
async fn attempt(folder: &Path) -> Result<Store, Error> {
    let folder = folder.to_owned();
    tokio::spawn(async move {
        let store = Store::open(&folder).await?;
        store.meta().await?;
        Ok(store)
    })
    .await
    .unwrap_or_else(|_| Err(Error::Folder(std::io::ErrorKind::InvalidData.into())))
}

/// Another watcher may be about to end.
async fn lock(path: &Path) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::Folder)?;
    let mut said = false;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                if !said {
                    tracing::warn!(path = %path.display(), "another process has the projection open; waiting");
                    said = true;
                }
                sleep(WAITING).await;
            }
            Err(error) => return Err(Error::Folder(error.into())),
        }
    }
}

fn aside(data_dir: &Path) -> PathBuf {
    let now: Timestamp = SystemTime::now().into();
    data_dir.join(format!("{FOLDER}.broken-{}", now.millis()))
}
