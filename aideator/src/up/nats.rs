//! Our nats-server: started where the data directory says, started again when it dies.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use aideator_bus::credentials::Keys;
use aideator_bus::server::{Auth, Binary, Server, ServerConfig, ServerError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::address::{Candidates, first_free};
use super::machine::local_address;
use crate::error::Error;
use crate::folder::Folder;
use crate::tools::Tools;

/// How long it may take to read its store back.
const STARTING: Duration = Duration::from_secs(60);
/// How long it may take to write what it holds.
const ENDING: Duration = Duration::from_secs(10);
/// Between two tries to start it again.
const PAUSE: Duration = Duration::from_millis(500);

/// A nats-server of ours.
#[derive(Debug)]
pub(crate) struct Nats {
    server: Server,
    binary: Binary,
    config: ServerConfig,
}

impl Nats {
    /// Starts it at the first of `candidates` that is free.
    pub(crate) async fn start(
        folder: &Folder,
        keys: &Keys,
        candidates: &Candidates,
    ) -> Result<Self, Error> {
        let (binary, mut config) = prepare(folder, keys).await?;
        let mut taken = None;
        for address in candidates.each() {
            config.listen = address;
            match Server::start(&binary, &config, STARTING).await {
                Ok(server) => {
                    // The same port again when it is started again: agents know it.
                    config.listen = server.address();
                    return Ok(Self {
                        server,
                        binary,
                        config,
                    });
                }
                Err(error @ ServerError::AddressTaken { .. }) => taken = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(taken.map_or_else(
            || Error::Internal("no address for nats-server".into()),
            Error::from,
        ))
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Keeps it running until `shutdown`, then ends it in order.
    pub(crate) async fn keep(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        loop {
            let ended = tokio::select! {
                ended = self.server.ended() => ended,
                () = shutdown.cancelled() => {
                    self.server.stop(ENDING).await;
                    return Ok(());
                }
            };
            tracing::warn!(?ended, "nats-server ended; it is started again");
            self.server = loop {
                match Server::start(&self.binary, &self.config, STARTING).await {
                    Ok(server) => break server,
                    Err(error) if shutdown.is_cancelled() => {
                        tracing::debug!(%error, "nats-server was not started again");
                        return Ok(());
                    }
                    Err(error) => {
                        tracing::error!(%error, "nats-server can't be started again yet");
                        sleep(PAUSE).await;
                    }
                }
            };
        }
    }
}

/// Becomes nats-server: this process's id is then the server's. Returns only with an error.
pub(crate) async fn replace_by_server(
    folder: &Folder,
    keys: &Keys,
    candidates: &Candidates,
    announce: impl FnOnce(SocketAddr) -> Result<(), Error>,
) -> Result<std::convert::Infallible, Error> {
    let (binary, mut config) = prepare(folder, keys).await?;
    Server::end_earlier(&config).await?;
    let listener = first_free(candidates).map_err(Error::taken("nats-server", "--nats"))?;
    config.listen = local_address(&listener)?;
    drop(listener);
    let mut command = Server::command(&binary, &config)?;
    announce(config.listen)?;
    let error = command.exec();
    Err(Error::file("run", binary.path())(error))
}

async fn prepare(folder: &Folder, keys: &Keys) -> Result<(Binary, ServerConfig), Error> {
    let tools = Tools::find().map(|tools| tools.programs());
    let binary = Binary::find(None, tools.as_deref()).await?;
    std::fs::create_dir_all(folder.nats()).map_err(Error::file("create", folder.nats()))?;
    let config = ServerConfig::local(folder.nats(), Auth::Operator(keys.trust().clone()));
    Ok((binary, config))
}
