//! Which nats-server to run.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::ServerError;

/// The environment variable that names the program to run.
const NATS_SERVER_ENV: &str = "AIDEATOR_NATS_SERVER";
const NAME: &str = "nats-server";
/// The first version with all of: atomic publish, subject expectations with wildcards,
/// `default_sentinel`, batched Direct Get.
const NEEDED: Version = Version {
    major: 2,
    minor: 12,
    patch: 0,
};

/// A nats-server program that is new enough.
#[derive(Debug, Clone)]
pub struct Binary {
    path: PathBuf,
    version: Version,
}

/// A version of nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
}

impl Binary {
    /// The first there is: `given`, the program that `AIDEATOR_NATS_SERVER` names, the one in the
    /// project's own `tools` folder, the one on `PATH`. One that is named has to do: if it is
    /// missing or too old that is said, and no other is looked for.
    pub async fn find(given: Option<&Path>, tools: Option<&Path>) -> Result<Self, ServerError> {
        let named = given
            .map(Path::to_owned)
            .or_else(|| env::var_os(NATS_SERVER_ENV).map(PathBuf::from));
        if let Some(path) = named {
            return Self::at(path).await;
        }
        let on_path = env::var_os("PATH").unwrap_or_default();
        let folders = tools
            .map(Path::to_owned)
            .into_iter()
            .chain(env::split_paths(&on_path));
        let found = folders
            .map(|folder| folder.join(NAME))
            .find(|path| path.is_file());
        match found {
            Some(path) => Self::at(path).await,
            None => Err(ServerError::NotFound {
                looked: match tools {
                    Some(folder) => format!("{NATS_SERVER_ENV}, {} and PATH", folder.display()),
                    None => format!("{NATS_SERVER_ENV} and PATH"),
                },
            }),
        }
    }

    async fn at(path: PathBuf) -> Result<Self, ServerError> {
        if !path.is_file() {
            return Err(ServerError::NotFound {
                looked: path.display().to_string(),
            });
        }
        let said = Command::new(&path).arg("--version").output().await;
        let text = match said {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => {
                return Err(ServerError::NotAServer {
                    path,
                    reason: error.to_string(),
                });
            }
        };
        match Version::parse(&text) {
            Some(version) if version >= NEEDED => Ok(Self { path, version }),
            Some(found) => Err(ServerError::TooOld {
                path,
                found,
                needed: NEEDED,
            }),
            None => Err(ServerError::NotAServer {
                path,
                reason: format!("--version says {text:?}"),
            }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says it is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

impl Version {
    /// Reads `nats-server: v2.15.1`; what follows the numbers (`-beta.1`) is ignored.
    fn parse(text: &str) -> Option<Self> {
        let numbers = text.trim().strip_prefix("nats-server: v")?;
        let numbers = numbers
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?;
        let mut parts = numbers.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_line_is_read() {
        let version = Version::parse("nats-server: v2.15.1\n").unwrap();
        assert_eq!(version.to_string(), "2.15.1");
        assert!(version > NEEDED);
        assert!(Version::parse("nats-server: v2.9.25\n").unwrap() < NEEDED);
        assert_eq!(Version::parse("nats-server: v2.12.0-RC.2"), Some(NEEDED));
        assert_eq!(Version::parse("curl 8.5.0"), None);
        assert_eq!(Version::parse("nats-server: v2"), None);
    }
}
