//! The data directory: where it is and what lies in it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Everything of one installation on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Addresses as they were last used, and who uses them now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// Of the HTTP API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<SocketAddr>,
    /// Of our nats-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nats: Option<SocketAddr>,
    /// Of the small model's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<SocketAddr>,
    /// The process of the running `up`; absent when it has ended in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
}

impl Folder {
    /// The given directory, else the one of this user.
    pub(crate) fn at(given: Option<&Path>) -> Result<Self, Error> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                default(env::var_os("XDG_DATA_HOME"), env::var_os("HOME")).ok_or_else(|| {
                    Error::Usage("there is no home directory; name one with --data-dir".into())
                })?
            }
        };
        let path = std::path::absolute(&path).map_err(Error::file("find", &path))?;
        Ok(Self(path))
    }

    /// Makes it if it is not there, for this user alone.
    pub(crate) fn create(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(Error::file("create", &self.0))
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Held by the `up` that runs here.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Held by a part of which there may be one only.
    pub(crate) fn part_lock(&self, part: &str) -> PathBuf {
        self.0.join(format!("{part}.lock"))
    }

    /// Keys and credentials.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Of nats-server.
    pub(crate) fn nats(&self) -> PathBuf {
        self.0.join("nats")
    }

    /// What the small model's server says.
    pub(crate) fn model_log(&self) -> PathBuf {
        self.0.join("model-server.log")
    }

    /// The addresses, as last stored.
    pub(crate) fn addresses(&self) -> Result<Addresses, Error> {
        let path = self.addresses_file();
        match fs::read_to_string(&path) {
            // A damaged file costs new ports, nothing else.
            Ok(text) => Ok(serde_json::from_str(&text).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Addresses::default()),
            Err(error) => Err(Error::file("read", path)(error)),
        }
    }

    /// Changes the stored addresses. Written by rename, so that a reader sees all or nothing.
    pub(crate) fn store(&self, change: impl FnOnce(&mut Addresses)) -> Result<(), Error> {
        let mut addresses = self.addresses()?;
        change(&mut addresses);
        let path = self.addresses_file();
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let text = serde_json::to_string_pretty(&addresses)
            .map_err(|error| Error::Internal(error.to_string()))?;
        fs::write(&new, text).map_err(Error::file("write", &new))?;
        fs::rename(&new, &path).map_err(Error::file("write", &path))
    }

    fn addresses_file(&self) -> PathBuf {
        self.0.join("addresses.json")
    }
}

fn default(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |text: OsString| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    xdg.and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".local/share")))
        .map(|base| base.join("aideator"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_where_the_user_keeps_data() {
        assert_eq!(
            default(Some("/x".into()), Some("/h".into())),
            Some("/x/aideator".into())
        );
        assert_eq!(
            default(Some("relative".into()), Some("/h".into())),
            Some("/h/.local/share/aideator".into())
        );
        assert_eq!(default(None, None), None);
    }

    #[test]
    fn addresses_are_kept_and_damage_is_survived() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::at(Some(temp.path())).unwrap();
        folder
            .store(|a| a.nats = Some("127.0.0.1:4222".parse().unwrap()))
            .unwrap();
        folder.store(|a| a.pid = Some(7)).unwrap();
        let stored = folder.addresses().unwrap();
        assert_eq!((stored.nats.unwrap().port(), stored.pid), (4222, Some(7)));
        fs::write(folder.addresses_file(), "{").unwrap();
        assert_eq!(folder.addresses().unwrap(), Addresses::default());
    }
}
