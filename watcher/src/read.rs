//! Reading what a decision needs, in the order it needs it.

use std::time::{Duration, SystemTime};

use aideator_bus::{Bus, Stored};
use aideator_contract::event::OutHead;
use aideator_contract::local::AttemptName;
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{
    AttemptRecord, Change, ReportMessage, RunId, RunSpec, Startup, StateMessage, Status, Subject,
    Timestamp, VERSION, Variation, VariationSummary,
};
use futures::StreamExt as _;
use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use crate::decide::{VariationView, View};
use crate::error::Error;
use crate::observe::{Observation, Observer};

/// Readings in a row that were out of date when they were done, before the run is left for later.
const READINGS: usize = 16;
/// How often an archive that is not whole is read again, and the pause before.
const ARCHIVE_READINGS: u32 = 5;
const ARCHIVE_PAUSE: Duration = Duration::from_secs(1);

/// The run as it is now; `None` if nothing is known of it.
///
/// What is seen of a process is younger than the state that was read before it: of one that was told
/// to stop in between, its end would look like its own. So a state that has moved on is read again.
pub(crate) async fn view(
    bus: &Bus,
    observer: &impl Observer,
    run: &RunId,
) -> Result<Option<View>, Error> {
    for _ in 0..READINGS {
        let Some(view) = once(bus, observer, run).await? else {
            return Ok(None);
        };
        let looked = view.active().next().is_some();
        if !looked || state(bus, run).await?.map(|(sequence, _)| sequence) == Some(view.sequence) {
            return Ok(Some(view));
        }
    }
    Err(Error::Unsettled { run: run.clone() })
}

async fn once(bus: &Bus, observer: &impl Observer, run: &RunId) -> Result<Option<View>, Error> {
    let open_key = bus
        .open_runs()
        .get(run)
        .await
        .map_err(Error::bus("reading a run's open key"))?;
    let Some((sequence, state)) = state(bus, run).await? else {
        return Ok(None);
    };
    let alive = state.summary.variations.iter().enumerate();
    let reads = alive
        .filter(|(_, now)| !now.state.is_terminal())
        .filter_map(|(index, now)| Some((Variation::at(index)?, now)))
        .map(|(variation, now)| of_variation(bus, run, variation, now));
    let variations = try_join_all(reads).await?;
    let mut view = View {
        run: run.clone(),
        open_key,
        sequence,
        state,
        variations,
        now: Timestamp::default(),
    };
    observe(observer, &mut view).await;
    view.now = SystemTime::now().into();
    Ok(Some(view))
}

/// The last state of a run, as the leader has it.
pub(crate) async fn state(bus: &Bus, run: &RunId) -> Result<Option<(u64, StateMessage)>, Error> {
    let Some(stored) = leader(bus, &Subject::state(run), "reading a run's state").await? else {
        return Ok(None);
    };
    let state: StateMessage = parse(&stored)?;
    if state.v > VERSION {
        return Err(Error::Newer { run: run.clone() });
    }
    Ok(Some((stored.sequence, state)))
}

/// What a run was asked, from the beginning of its state log, which may be archived; `None` where that is
/// gone or rejected.
pub(crate) async fn spec(bus: &Bus, run: &RunId) -> Result<Option<RunSpec>, Error> {
    let subject = Subject::state(run);
    let mut states = bus.scan(RUNS_STREAM, subject.as_str(), 1, None);
    // Once accepted a run is never accepted again; rejections may stand before it.
    while let Some(stored) = states.next().await {
        let stored = stored.map_err(Error::bus("reading what a run was asked"))?;
        if let Some(spec) = accepted(&stored) {
            return Ok(Some(spec));
        }
    }
    let states = archived_states(bus, run).await?.unwrap_or_default();
    Ok(states.iter().find_map(accepted))
}

fn accepted(stored: &Stored) -> Option<RunSpec> {
    let message = serde_json::from_slice::<StateMessage>(&stored.payload).ok()?;
    match message.change {
        Change::Accepted { spec } => Some(*spec),
        _ => None,
    }
}

/// The state log of a run as far as it is archived; `None` where the archive is damaged, which nobody can
/// mend and is not to hold up other runs.
pub(crate) async fn archived_states(bus: &Bus, run: &RunId) -> Result<Option<Vec<Stored>>, Error> {
    let mut tries = 0;
    loop {
        match bus.archives().messages(run, &Subject::state(run)).await {
            Ok(states) => return Ok(Some(states)),
            Err(error) if !error.is_damage() => {
                return Err(Error::bus("reading an archived run")(error));
            }
            // A replica may not have all of it yet.
            Err(error) if error.is_transient() && tries < ARCHIVE_READINGS => {
                tries += 1;
                sleep(ARCHIVE_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%run, %error, "the archive of a run can't be read");
                return Ok(None);
            }
        }
    }
}

/// Whether the attempt was opened and is closed, or a later one was opened. Where its record has
/// expired, it is closed if its run is not open.
pub(crate) async fn is_closed(bus: &Bus, name: &AttemptName) -> Result<bool, Error> {
    let subject = Subject::attempt(&name.run, name.variation);
    let Some(stored) = leader(bus, &subject, "reading an attempt's record").await? else {
        let last = state(bus, &name.run).await?;
        return Ok(last.is_none_or(|(_, state)| state.summary.status != Status::Open));
    };
    let record: AttemptRecord = parse(&stored)?;
    Ok(record.attempt >= name.attempt && !record.is_open(name.attempt))
}

async fn of_variation(
    bus: &Bus,
    run: &RunId,
    variation: Variation,
    now: &VariationSummary,
) -> Result<VariationView, Error> {
    let subject = Subject::attempt(run, variation);
    let stored = leader(bus, &subject, "reading an attempt's record").await?;
    let record = match &stored {
        Some(stored) => Some((stored.sequence, parse::<AttemptRecord>(stored)?)),
        None => None,
    };
    let mut seen = VariationView {
        variation,
        record,
        report: None,
        out: 0,
        observation: Observation::Unknown,
        startup: Startup::default(),
    };
    if let Some((_, record)) = &seen.record
        && record.attempt == now.attempt
    {
        let closed = !record.is_open(now.attempt);
        if let Some(message) = report(bus, run, variation, now).await? {
            seen.startup = message.startup;
            seen.report = Some(message.report);
        }
        if closed {
            seen.out = out(bus, run, variation, now).await?;
        }
    }
    Ok(seen)
}

/// The last report, if it is of the current attempt and can be read.
async fn report(
    bus: &Bus,
    run: &RunId,
    variation: Variation,
    now: &VariationSummary,
) -> Result<Option<ReportMessage>, Error> {
    let subject = Subject::report(run, variation);
    let stored = leader(bus, &subject, "reading an attempt's last word").await?;
    let message: Option<ReportMessage> =
        stored.and_then(|stored| serde_json::from_slice(&stored.payload).ok());
    Ok(message.filter(|message| message.v <= VERSION && message.attempt == now.attempt))
}

/// The last sequence on `.out`, if it is of the current attempt; else 0.
async fn out(
    bus: &Bus,
    run: &RunId,
    variation: Variation,
    now: &VariationSummary,
) -> Result<u64, Error> {
    let subject = Subject::out(run, variation);
    let Some(stored) = leader(bus, &subject, "reading the end of an output").await? else {
        return Ok(0);
    };
    // What can't be read is passed on like what can: the end is behind it.
    let head: Option<OutHead> = serde_json::from_slice(&stored.payload).ok();
    let other = head.is_some_and(|head| head.attempt != now.attempt);
    Ok(if other { 0 } else { stored.sequence })
}

async fn observe(observer: &impl Observer, view: &mut View) {
    let name = |(variation, attempt, _)| AttemptName {
        run: view.run.clone(),
        variation,
        attempt,
    };
    let names: Vec<AttemptName> = view.active().map(name).collect();
    let looked = observer.look(names.clone()).await;
    for (name, observation) in names.into_iter().zip(looked) {
        let seen = view
            .variations
            .iter_mut()
            .find(|v| v.variation == name.variation);
        if let Some(seen) = seen {
            seen.observation = observation;
            seen.startup = seen.startup.or(observer.startup(&name));
        }
    }
}

async fn leader(
    bus: &Bus,
    subject: &Subject,
    doing: &'static str,
) -> Result<Option<Stored>, Error> {
    bus.last_from_leader(subject)
        .await
        .map_err(Error::bus(doing))
}

fn parse<T: DeserializeOwned>(stored: &Stored) -> Result<T, Error> {
    serde_json::from_slice(&stored.payload).map_err(|source| Error::Unreadable {
        subject: stored.subject.clone(),
        sequence: stored.sequence,
        source,
    })
}
