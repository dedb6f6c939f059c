//! What was typed, and what it means on this machine.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::Declared;
use aideator_bus::credentials::Keys;
use tokio::signal::unix::{SignalKind, signal};

use super::address::{Candidates, first_free};
use super::base_url::first_model;
use super::model::{Choice, Small, choose};
use super::model_server::ModelServer;
use super::parts::{Need, Parts};
use crate::commands::up::{Args, WhereNats};
use crate::error::Error;
use crate::folder::{Addresses, Folder};
use crate::output::news;
use crate::tools::Tools;

const HTTP: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7780);
const NATS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 4222);
const MODEL: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7781);

/// An installation that is to run.
pub(crate) struct Machine {
    /// What was typed.
    pub(crate) args: Args,
    /// Its data directory.
    pub(crate) folder: Folder,
    /// Its keys.
    pub(crate) keys: Keys,
}

/// What answers prompts here.
pub(super) struct Models {
    /// Which may be named.
    pub(super) choice: Choice,
    /// The small one, if it is to be started.
    pub(super) small: Option<ModelServer>,
    /// The environment of agents.
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Models {
    /// Starts the small model among `servers`, if it is wanted.
    pub(super) fn serve(&self, servers: &mut Parts) {
        if let Some(small) = self.small.clone() {
            servers.add("small model", |shutdown| small.keep(shutdown));
        }
    }

    /// Waits until the small model can answer, if it was started: whoever asks at once should be answered.
    pub(super) async fn ready(&self) {
        if let Some(small) = &self.small {
            news("loading the small model …");
            small.ready().await;
        }
    }
}

impl Machine {
    /// The streams as this installation wants them.
    pub(super) fn declared(&self) -> Declared {
        Declared {
            replicas: self.args.replicas,
            duplicate_window: Duration::from_secs(self.args.duplicate_window),
            ..Declared::default()
        }
    }

    /// Where our nats-server may listen.
    pub(super) fn nats_candidates(&self, stored: &Addresses) -> Candidates {
        let given = match &self.args.nats {
            Some(WhereNats::Ours(address)) => Some(*address),
            Some(WhereNats::At(_)) | None => None,
        };
        Candidates::new(given, stored.nats, NATS.into())
    }

    /// Where the web server listens.
    pub(super) fn http(&self, stored: &Addresses) -> Result<TcpListener, Error> {
        first_free(&Candidates::new(self.args.http, stored.http, HTTP.into()))
            .map_err(Error::taken("the web server", "--http"))
    }

    /// Which models there are, and what agents must know to ask them.
    pub(super) async fn models(&self, stored: &Addresses) -> Result<Models, Error> {
        let tools = Tools::find().filter(Tools::has_model);
        let variable = |name: &str| std::env::var(name).ok();
        let mut choice = choose(self.args.model.as_deref(), variable, tools.is_some());
        if choice.default_model.is_empty() {
            choice.default_model = first_model(variable).await;
        }
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let small = match (choice.small, tools) {
            (Small::Start, Some(tools)) => {
                let candidates = Candidates::new(None, stored.model, MODEL.into());
                let listener =
                    first_free(&candidates).map_err(Error::taken("the small model", "--model"))?;
                Some(ModelServer {
                    address: local_address(&listener)?,
                    packages: tools.path().to_owned(),
                    log: self.folder.model_log(),
                })
            }
            _ => None,
        };
        if let Some(small) = &small {
            environment.push(("AIDEATOR_BASE_URL".into(), small.base_url().into()));
        }
        Ok(Models {
            choice,
            small,
            environment,
        })
    }

    /// What the parts need.
    pub(super) fn need(&self, nats_url: &str, http: Option<TcpListener>, models: &Models) -> Need {
        Need {
            folder: self.folder.clone(),
            nats_url: nats_url.to_owned(),
            http: http.map(Arc::new),
            edge: self.args.edge.clone(),
            choice: models.choice.clone(),
            allow_exec: self.args.allow_exec,
            max_running: self.args.max_running,
            declared: self.declared(),
            environment: models.environment.clone(),
        }
    }
}

/// The address something listens on, with its real port.
pub(super) fn local_address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener
        .local_addr()
        .map_err(|error| Error::Internal(format!("a socket without an address: {error}")))
}

/// Waits for the word to stop: Ctrl-C, SIGTERM, or a terminal that goes away.
pub(super) fn told_to_stop() -> Result<impl Future<Output = ()>, Error> {
    let hear = |kind| signal(kind).map_err(|error| Error::Terminal("hear signals", error));
    let mut interrupt = hear(SignalKind::interrupt())?;
    let mut terminate = hear(SignalKind::terminate())?;
    let mut hangup = hear(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
