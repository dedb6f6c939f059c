//! The parts as tasks of one process, each with its own connection and its own credentials.

use std::ffi::OsString;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::{Keys, Minter, User};
use aideator_bus::{Bus, Connect, Declared};
use aideator_submitter::ProcessLauncher;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lock::Lock;
use super::model::Choice;
use crate::error::Error;
use crate::folder::Folder;

/// A part that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// nats-server itself: the process becomes it, so --json prints its line before it can be reached
    Nats,
    /// Takes requests, launches agents; starts the small model where that is chosen
    Submitter,
    /// Turns what agents report and how they end into states
    Watcher,
    /// HTTP API, streams to browsers, web interface
    Edge,
}

impl Part {
    /// The parts that are tasks of ours.
    pub(crate) const SERVICES: [Self; 3] = [Self::Watcher, Self::Submitter, Self::Edge];

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats-server",
            Self::Submitter => "submitter",
            Self::Watcher => "watcher",
            Self::Edge => "web server",
        }
    }
}

/// What the parts need.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The data directory.
    pub(crate) folder: Folder,
    /// Where NATS is.
    pub(crate) nats_url: String,
    /// The web server's socket, if it is to run.
    pub(crate) http: Option<Arc<TcpListener>>,
    /// The web server's options.
    pub(crate) edge: aideator_edge::Config,
    /// Which models there are.
    pub(crate) choice: Choice,
    /// Mode exec is allowed.
    pub(crate) allow_exec: bool,
    /// Variations running at once.
    pub(crate) max_running: usize,
    /// The streams.
    pub(crate) declared: Declared,
    /// The environment that agents may see a part of.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// The parts that run.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    tasks: JoinSet<(&'static str, Result<(), Error>)>,
    shutdown: CancellationToken,
    locks: Vec<Lock>,
}

impl Parts {
    /// Makes the streams as they are declared.
    pub(crate) async fn ensure(
        keys: &Keys,
        nats_url: &str,
        declared: &Declared,
    ) -> Result<(), Error> {
        let bus = connect(keys, nats_url, User::Admin).await?;
        let ensured = bus.ensure(declared).await;
        bus.close().await;
        Ok(ensured?)
    }

    /// Adds what keeps something of ours running.
    pub(crate) fn add<Kept>(
        &mut self,
        name: &'static str,
        keep: impl FnOnce(CancellationToken) -> Kept,
    ) where
        Kept: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let kept = keep(self.shutdown.clone());
        self.tasks.spawn(async move { (name, kept.await) });
    }

    /// Connects a service and starts it.
    pub(crate) async fn start(
        &mut self,
        part: Part,
        keys: &Keys,
        need: &Need,
    ) -> Result<(), Error> {
        match part {
            Part::Nats => {}
            Part::Submitter => {
                self.locks.push(Lock::of(part, &need.folder)?);
                let bus = connect(keys, &need.nats_url, User::Submitter).await?;
                let config = submitter(need);
                let settings = config.settings().map_err(|error| failed(part, error))?;
                let minter = Minter::load(&config.agent_keys)?;
                let program =
                    std::env::current_exe().map_err(Error::file("find", "the aideator program"))?;
                let environment = need.environment.iter().cloned();
                let launcher = ProcessLauncher::new(
                    need.folder.path(),
                    program,
                    need.nats_url.clone(),
                    environment,
                );
                self.add(part.name(), |shutdown| async move {
                    let served = aideator_submitter::serve(
                        bus,
                        settings,
                        Arc::new(launcher),
                        minter,
                        shutdown,
                    );
                    served.await.map_err(|error| failed(part, error))
                });
            }
            Part::Watcher => {
                self.locks.push(Lock::of(part, &need.folder)?);
                let bus = connect(keys, &need.nats_url, User::Watcher).await?;
                let config = aideator_watcher::Config::new(need.folder.path());
                self.add(part.name(), |shutdown| async move {
                    aideator_watcher::run(config, bus, shutdown)
                        .await
                        .map_err(|error| failed(part, error))
                });
            }
            Part::Edge => {
                let bus = connect(keys, &need.nats_url, User::Edge).await?;
                let bulk = connect(keys, &need.nats_url, User::Edge).await?;
                let config = need.edge.clone();
                let deps = aideator_edge::Deps {
                    listener: listener(need)?,
                    live: bus,
                    bulk,
                };
                self.add(part.name(), |shutdown| async move {
                    aideator_edge::run(config, deps, shutdown)
                        .await
                        .map_err(|error| failed(part, error))
                });
            }
        }
        Ok(())
    }

    /// Waits until a part ends, which none does before it is told to.
    pub(crate) async fn failed(&mut self) -> Error {
        match self.tasks.join_next().await {
            Some(Ok((_, Err(error)))) => error,
            Some(Ok((name, Ok(())))) => Error::PartEnded(name),
            Some(Err(error)) => Error::Internal(format!("a part broke: {error}")),
            None => Error::Internal("nothing runs".into()),
        }
    }

    /// Tells every part to end and waits for it, `limit` at most.
    pub(crate) async fn stop(&mut self, limit: Duration) {
        self.shutdown.cancel();
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok((name, Err(error))) => {
                        tracing::warn!(name, error = %error.chain(), "a part did not end in order");
                    }
                    Ok((_, Ok(()))) => {}
                    Err(error) => tracing::warn!(%error, "a part broke"),
                }
            }
        };
        if timeout(limit, ended).await.is_err() {
            tracing::warn!(limit_s = limit.as_secs(), "not every part ended in time");
        }
    }
}

fn failed(part: Part, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Part {
        part: part.name(),
        source: Box::new(source),
    }
}

fn submitter(need: &Need) -> aideator_submitter::Config {
    let agent_keys = need.folder.keys().join("agents.json");
    let mut config = aideator_submitter::Config::local(agent_keys);
    config.default_model.clone_from(&need.choice.default_model);
    config.models.clone_from(&need.choice.models);
    config.model_note.clone_from(&need.choice.note);
    config.allow_exec = need.allow_exec;
    config.running = need.max_running;
    config.replicas = need.declared.replicas;
    config.duplicate_window_s = need.declared.duplicate_window.as_secs();
    config
}

fn listener(need: &Need) -> Result<tokio::net::TcpListener, Error> {
    let broken = |error: std::io::Error| {
        Error::Internal(format!("the web server's socket can't be used: {error}"))
    };
    let Some(listener) = &need.http else {
        return Err(Error::Internal("the web server has no socket".into()));
    };
    let listener = listener.try_clone().map_err(broken)?;
    listener.set_nonblocking(true).map_err(broken)?;
    tokio::net::TcpListener::from_std(listener).map_err(broken)
}

async fn connect(keys: &Keys, url: &str, user: User) -> Result<Bus, Error> {
    let credentials = keys.credentials(user)?;
    let connect = Connect::new(url, format!("aideator {}", user.name()))
        .credentials(credentials)
        .inbox_prefix(user.inbox_prefix());
    Ok(Bus::connect(connect).await?)
}
