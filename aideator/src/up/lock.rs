//! One `up` a data directory.

use std::fs::{File, OpenOptions};

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;
use crate::folder::Folder;

/// Held while this `up` runs; free again when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data directory, or says who has it.
    pub(crate) fn take(folder: &Folder) -> Result<Self, Error> {
        let path = folder.lock();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::AlreadyRunning {
                data_dir: folder.path().to_owned(),
                at: holder(folder),
            }),
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
}
