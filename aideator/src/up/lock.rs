//! One `up` a data directory, and one submitter and one watcher, whether by it or by `--only`.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::parts::Part;
use crate::error::Error;
use crate::folder::Folder;

/// Held while this process runs; free again when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data directory, or says who has it.
    pub(crate) fn take(folder: &Folder) -> Result<Self, Error> {
        Self::file(&folder.lock(), || Error::AlreadyRunning {
            data_dir: folder.path().to_owned(),
            at: holder(folder),
        })
    }

    /// Takes the lock of a part of which there may be one only.
    pub(super) fn of(part: Part, folder: &Folder) -> Result<Self, Error> {
        Self::file(&folder.part_lock(part.name()), || Error::PartRuns {
            part: part.name(),
            data_dir: folder.path().to_owned(),
        })
    }

    fn file(path: &Path, taken: impl FnOnce() -> Error) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::file("open", path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(taken()),
            Err(error) => Err(Error::file("lock", path)(error.into())),
        }
    }

    /// Whether somebody holds the lock of a data directory now.
    pub(crate) fn is_held(folder: &Folder) -> bool {
        File::open(folder.lock()).is_ok_and(|file| {
            matches!(
                flock(&file, FlockOperation::NonBlockingLockShared),
                Err(rustix::io::Errno::WOULDBLOCK)
            )
        })
    }
}

fn holder(folder: &Folder) -> String {
    let addresses = folder.addresses().unwrap_or_default();
    match (addresses.pid, addresses.http) {
        (Some(pid), Some(http)) => format!(" (process {pid}, http://{http})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_up_in_the_same_directory_is_refused_with_words() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::at(Some(temp.path())).unwrap();
        let first = Lock::take(&folder).unwrap();
        assert!(Lock::is_held(&folder));
        let refused = Lock::take(&folder).unwrap_err().to_string();
        assert!(
            refused.contains("already running") && refused.contains("--data-dir"),
            "{refused}"
        );
        drop(first);
        Lock::take(&folder).unwrap();
    }

    #[test]
    fn a_second_submitter_of_a_directory_is_refused_a_watcher_beside_it_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::at(Some(temp.path())).unwrap();
        let _first = Lock::of(Part::Submitter, &folder).unwrap();
        let refused = Lock::of(Part::Submitter, &folder).unwrap_err().to_string();
        assert!(refused.contains("submitter"), "{refused}");
        let _other = Lock::of(Part::Watcher, &folder).unwrap();
    }
}
