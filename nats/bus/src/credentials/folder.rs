//! The folder that keys are kept in.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::seeds::Seeds;
use super::{CredentialsError, Keys, User, secret_file};

const KEYS: &str = "keys.json";
const MINTER: &str = "agents.json";

impl Keys {
    /// The keys in `folder`, made if there are none. Beside them lie, for processes that need no
    /// more, `<user>.creds` of every [`User`] and `agents.json` for the submitter
    /// ([`Minter::load`](super::Minter::load)). The folder and all files are for this user alone.
    pub fn open(folder: &Path) -> Result<Self, CredentialsError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(secret_file::failed("create", folder))?;
        let folder = Folder::lock(folder)?;
        let seeds = folder.read()?.unwrap_or_else(Seeds::generate);
        folder.keep(seeds)
    }

    /// Goes on with new signing keys and new credentials of every user. Credentials from before
    /// stay good until [`Keys::finish_rotation`].
    pub fn rotate(folder: &Path) -> Result<Self, CredentialsError> {
        let folder = Folder::lock(folder)?;
        let mut seeds = folder.existing()?;
        if !seeds.rotate() {
            return Err(CredentialsError::Rotating {
                folder: folder.path,
            });
        }
        folder.keep(seeds)
    }

    /// Trusts what was signed before the last rotation no longer. `None` if nothing was to be done.
    pub fn finish_rotation(folder: &Path) -> Result<Option<Self>, CredentialsError> {
        let folder = Folder::lock(folder)?;
        let mut seeds = folder.existing()?;
        if !seeds.finish() {
            return Ok(None);
        }
        folder.keep(seeds).map(Some)
    }
}

/// A folder that no other process of ours reads or changes meanwhile: of two that begin at once,
/// the second finds what the first made.
struct Folder {
    path: PathBuf,
    _lock: fs::File,
}

impl Folder {
    fn lock(path: &Path) -> Result<Self, CredentialsError> {
        let none = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => CredentialsError::NoKeys {
                folder: path.to_owned(),
            },
            _ => secret_file::failed("open", path)(error),
        };
        let lock = fs::File::open(path).map_err(none)?;
        lock.lock().map_err(secret_file::failed("lock", path))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    fn read(&self) -> Result<Option<Seeds>, CredentialsError> {
        let path = self.path.join(KEYS);
        let Some(text) = secret_file::read(&path)? else {
            return Ok(None);
        };
        let seeds = serde_json::from_str(&text);
        seeds
            .map(Some)
            .map_err(|error| malformed(&path, &error.to_string()))
    }

    fn existing(&self) -> Result<Seeds, CredentialsError> {
        self.read()?.ok_or_else(|| CredentialsError::NoKeys {
            folder: self.path.clone(),
        })
    }

    /// Seeds are written before what follows from them, and nothing if they are damaged.
    fn keep(&self, seeds: Seeds) -> Result<Keys, CredentialsError> {
        let path = self.path.join(KEYS);
        let text = serde_json::to_string_pretty(&seeds).expect("a struct of texts");
        let keys = Keys::of(seeds).map_err(|error| malformed(&path, &error.to_string()))?;
        let users = User::ALL.map(|user| Ok((user, keys.credentials(user)?)));
        let users: Vec<_> = users
            .into_iter()
            .collect::<Result<_, CredentialsError>>()
            .map_err(|error| malformed(&path, &error.to_string()))?;
        secret_file::write(&path, &text)?;
        for (user, credentials) in users {
            credentials.save(&self.path.join(format!("{}.creds", user.name())))?;
        }
        secret_file::write(&self.path.join(MINTER), &keys.minter()?.to_text()?)?;
        Ok(keys)
    }
}

fn malformed(path: &Path, reason: &str) -> CredentialsError {
    CredentialsError::Malformed {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
