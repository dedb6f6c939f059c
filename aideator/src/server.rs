//! Which server a client command asks.

use std::path::PathBuf;

use crate::api::Client;
use crate::error::Error;
use crate::folder::Folder;

/// What a server that is not for everyone asks for.
const TOKEN_ENV: &str = "AIDEATOR_TOKEN";

/// What was typed about the server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// `--server`.
    pub(crate) address: Option<String>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Server {
    /// A client of the named server, else of the `up` of the data directory.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        if let Some(address) = &self.address {
            return Client::new(address, token());
        }
        let folder = self.folder()?;
        match folder.addresses()?.http {
            Some(http) => Client::new(&http.to_string(), token()),
            None => Err(Error::NotRunning {
                data_dir: folder.path().to_owned(),
            }),
        }
    }

    /// The address of NATS of the `up` of the data directory.
    pub(crate) fn nats(&self) -> Result<String, Error> {
        let folder = self.folder()?;
        match folder.addresses()?.nats {
            Some(address) => Ok(format!("nats://{address}")),
            None => Err(Error::NotRunning {
                data_dir: folder.path().to_owned(),
            }),
        }
    }

    /// The data directory.
    pub(crate) fn folder(&self) -> Result<Folder, Error> {
        Folder::at(self.data_dir.as_deref())
    }
}

fn token() -> Option<String> {
    std::env::var(TOKEN_ENV)
        .ok()
        .filter(|token| !token.is_empty())
}
