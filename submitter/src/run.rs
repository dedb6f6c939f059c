//! The submitter as it runs: what was open is taken up again, then everything works side by side.

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::Minter;
use aideator_bus::{Bus, Consume, Declared, Stored};
use aideator_contract::request::Installation;
use aideator_contract::subject::{Command, Place, RUNS_STREAM, STATES, durable};
use aideator_contract::view::Info;
use aideator_contract::{RunId, StateMessage, Status, Variation};
use futures::{StreamExt as _, stream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::config::ClusterConfig;
use crate::decide::Known;
use crate::decide::schedule::Limits;
use crate::desk::Desk;
use crate::dispatch::{Dispatcher, Pad};
use crate::error::{Error, doing};
use crate::launcher::cluster::{Site, Sweep, Template, installation};
use crate::launcher::{ClusterLauncher, Launcher};
use crate::ledger::{Ledger, parse};
use crate::pause::Pause;
use crate::rpc::Rpc;
use crate::source::Resolver;
use crate::stopper::stop_what_is_cancelled;

/// Reads at once while what was open is taken up.
const READS_AT_ONCE: usize = 32;
const STATES_IN_HAND: i64 = 1024;
const STATES_ACK_WAIT: Duration = Duration::from_secs(6);
/// Before a state that could not be taken in is delivered again.
const STATE_AGAIN: Duration = Duration::from_secs(1);
/// How long stopping may take.
const STOPPING: Duration = Duration::from_secs(8);

/// What an installation allows and offers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What requests are judged by.
    pub installation: Installation,
    /// A word about the default model.
    pub model_note: Option<String>,
    /// How long an attempt has to begin.
    pub start_allowance: Duration,
    /// How much runs and waits.
    pub limits: Limits,
    /// The streams.
    pub declared: Declared,
}

/// Runs the submitter of a cluster until `shutdown`: attempts are Jobs.
///
/// # Errors
/// The configuration or the Job template can't be used, or what is on the NATS server differs and
/// can't be changed. That NATS or Kubernetes is away later is no error.
pub async fn run_in_cluster(
    config: ClusterConfig,
    client: kube::Client,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let settings = config.rules.settings()?;
    let keys = &config.rules.agent_keys;
    let owner = match &config.job_owner {
        Some(name) => Some(installation(client.clone(), &config.namespace, name).await?),
        None => None,
    };
    let site = Site {
        owner,
        namespace: config.namespace,
        instance: config.instance,
        start_allowance: settings.start_allowance,
    };
    let template = Template::load(&config.job_template)?;
    let launcher = Arc::new(ClusterLauncher::new(client, site, template));
    let sweep = Sweep {
        launcher: Arc::clone(&launcher),
        bus: bus.clone(),
        minter: Minter::load(keys)?,
    };
    let served = serve(bus, settings, launcher, Minter::load(keys)?, shutdown);
    tokio::select! {
        served = served => served,
        () = sweep.run() => Ok(()),
    }
}

/// Runs a submitter with any launcher until `shutdown`.
///
/// # Errors
/// As [`run_in_cluster`], but for Kubernetes.
pub async fn serve<L: Launcher>(
    bus: Bus,
    settings: Settings,
    launcher: Arc<L>,
    minter: Minter,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let board = Arc::new(Board::default());
    let ledger = Ledger::new(bus.clone(), Arc::clone(&board));
    tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        begun = begin(&ledger, &settings.declared) => begun?,
    }
    let rpc = Rpc {
        ledger: ledger.clone(),
        installation: settings.installation.clone(),
        info: info(&settings),
    };
    let service = rpc.start(&bus).await.map_err(doing("start answering"))?;
    let mut parts = JoinSet::new();
    parts.spawn(learn_states(ledger.clone(), shutdown.clone()));
    let stopping = shutdown.clone();
    let stop_with = Arc::clone(&launcher);
    let stop_on = bus.clone();
    parts.spawn(async move {
        stop_what_is_cancelled(stop_on, &board, &*stop_with, stopping).await;
    });
    let pad = Pad {
        ledger: ledger.clone(),
        launcher,
        minter,
        start_allowance: settings.start_allowance,
    };
    let dispatcher = Dispatcher::new(pad, settings.limits);
    parts.spawn(dispatcher.run(shutdown.clone()));
    let desk = Arc::new(Desk {
        ledger,
        installation: settings.installation,
        resolver: Resolver::new(),
        queued: settings.limits.queued,
        in_hand: Arc::default(),
    });
    for command in Command::ALL {
        parts.spawn(Arc::clone(&desk).serve(command, shutdown.clone()));
    }
    tracing::info!("the submitter is ready");
    shutdown.cancelled().await;
    let rest = async {
        service.stop().await;
        while parts.join_next().await.is_some() {}
    };
    if timeout(STOPPING, rest).await.is_err() {
        tracing::warn!("parts of the submitter did not stop in time");
    }
    Ok(())
}

fn info(settings: &Settings) -> Info {
    let at = &settings.installation;
    Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        default_model: at.default_model.clone(),
        models: at.models.clone(),
        note: settings.model_note.clone(),
        local: at.repositories.paths,
        allow_exec: at.allow_exec,
        max_variations: aideator_contract::limits::VARIATIONS,
    }
}

/// Declares the streams and takes up what is open, however long NATS is away.
async fn begin(ledger: &Ledger, declared: &Declared) -> Result<(), Error> {
    let mut pause = Pause::default();
    loop {
        let begun = async {
            let ensured = ledger.bus().ensure(declared).await;
            ensured.map_err(doing("declare the streams"))?;
            take_up(ledger).await
        };
        match begun.await {
            Err(error) if error.is_transient() => pause.after("starting", &error).await,
            begun => return begun,
        }
    }
}

/// Reads the last state of every open run, and which of what waits was opened already.
async fn take_up(ledger: &Ledger) -> Result<(), Error> {
    let entries = ledger.bus().open_runs().entries().await;
    let entries = entries.map_err(doing("list the open runs"))?;
    let runs = entries.len();
    let mut reads = stream::iter(entries)
        .map(|(run, revision)| take_up_run(ledger, run, revision))
        .buffer_unordered(READS_AT_ONCE);
    while let Some(read) = reads.next().await {
        read?;
    }
    let mut fences = stream::iter(ledger.board().queued())
        .map(|(run, variation)| take_up_attempt(ledger, run, variation))
        .buffer_unordered(READS_AT_ONCE);
    while let Some(read) = fences.next().await {
        read?;
    }
    tracing::info!(runs, "open runs are taken up");
    Ok(())
}

async fn take_up_run(ledger: &Ledger, run: RunId, revision: u64) -> Result<(), Error> {
    let state = match ledger.state(&run).await {
        Err(Error::Malformed { subject, source }) => {
            tracing::error!(subject, %source, "a run's state can't be read; it is left alone");
            return Ok(());
        }
        state => state?,
    };
    let is_open = |known: Known| !known.lost && known.summary().status != Status::Rejected;
    if !state.is_some_and(is_open) {
        // Its request was refused after all, or comes again and puts it again; or its stream is lost.
        let deleted = ledger.bus().open_runs().delete(&run, revision).await;
        deleted.map_err(doing("remove the key of a run that is not open"))?;
    }
    Ok(())
}

async fn take_up_attempt(ledger: &Ledger, run: RunId, variation: Variation) -> Result<(), Error> {
    match ledger.fence(&run, variation).await {
        Ok(Some(fence)) => {
            let attempt = fence.record.attempt;
            ledger.board().opened(&run, variation, attempt);
        }
        Ok(None) => {}
        Err(Error::Malformed { subject, source }) => {
            tracing::error!(subject, %source, "an attempt can't be read; it is left alone");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Takes in every state that is written, by whom ever.
async fn learn_states(ledger: Ledger, shutdown: CancellationToken) {
    let consume = Consume {
        stream: RUNS_STREAM.to_owned(),
        durable: durable::SUBMITTER_STATE.to_owned(),
        filter: STATES.to_owned(),
        max_ack_pending: STATES_IN_HAND,
        ack_wait: STATES_ACK_WAIT,
    };
    let mut pause = Pause::default();
    let mut states = loop {
        let tried = ledger.bus().consume(consume.clone()).await;
        match tried.map_err(doing("read the states")) {
            Ok(states) => break states,
            Err(error) => tokio::select! {
                () = shutdown.cancelled() => return,
                () = pause.after("reading states", &error) => {}
            },
        }
    };
    loop {
        let delivery = tokio::select! {
            () = shutdown.cancelled() => return,
            delivery = states.next() => match delivery {
                Some(delivery) => delivery,
                None => return,
            },
        };
        match learn_state(&ledger, &delivery.stored).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "a state can't be taken in yet");
                delivery.nak(STATE_AGAIN).await;
                continue;
            }
            Err(error) => tracing::error!(%error, "a state is passed over"),
            Ok(()) => {}
        }
        if let Err(error) = delivery.ack().await {
            tracing::debug!(%error, "a state can't be acknowledged; it will come again");
        }
    }
}

/// Takes in one state. It may come late, of a run that ended long ago: where nothing is known of an
/// open run, its last state counts instead.
async fn learn_state(ledger: &Ledger, stored: &Stored) -> Result<(), Error> {
    let message: StateMessage = parse(&stored.subject, &stored.payload)?;
    let Some(Place::State(run)) = Place::parse(&stored.subject) else {
        return Ok(());
    };
    let board = ledger.board();
    if message.summary.status == Status::Open && !board.holds(&run) {
        return ledger.state(&run).await.map(|_| ());
    }
    board.learn(&run, stored.sequence, &message.summary);
    Ok(())
}
