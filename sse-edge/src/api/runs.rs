//! Runs in a list, and one by itself.

use std::time::Duration;

use aideator_contract::subject::{RUNS_STREAM, rpc};
use aideator_contract::view::{GetRequest, ListRequest, QueuePlace, RunView, RunsPage};
use aideator_contract::{Change, Code, Reason, RunId, StateMessage, Subject, Summary};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use futures::{StreamExt as _, stream};

use super::info::ask;
use super::{App, last_state, run_id};
use crate::problem::Problem;

const LIST: Duration = Duration::from_secs(5);
/// Places in the queue are a courtesy: nobody waits long for them.
const QUEUE: Duration = Duration::from_millis(500);
const AWAY: &str =
    "the watcher does not answer, so runs can't be listed; a run's own page still works";

/// Lists runs.
pub(super) async fn list(
    State(app): State<App>,
    wanted: Result<Query<ListRequest>, QueryRejection>,
) -> Result<Json<RunsPage>, Problem> {
    let Query(wanted) = wanted.map_err(|error| Reason::new(Code::BadValue, error.body_text()))?;
    ask(&app, rpc::RUNS_LIST, &wanted, AWAY, LIST)
        .await
        .map(Json)
}

/// One run, from its state log.
pub(super) async fn show(
    State(app): State<App>,
    Path(run): Path<String>,
) -> Result<Json<RunView>, Problem> {
    let run_id = run_id(&run)?;
    let Some((_, last)) = last_state(&app, &run_id).await? else {
        return Err(Problem::unknown_run(&run_id));
    };
    let (log, queue) = tokio::join!(log(&app, &run_id), places(&app, &run_id, &last.summary));
    let mut accepted = log?
        .into_iter()
        .chain([last.change])
        .filter_map(|change| match change {
            Change::Accepted { spec } => Some(*spec),
            _ => None,
        });
    Ok(Json(RunView {
        run_id,
        // A rejected id may be used again: the last request that was accepted counts.
        spec: accepted.next_back(),
        summary: last.summary,
        queue,
    }))
}

async fn log(app: &App, run: &RunId) -> Result<Vec<Change>, Problem> {
    let subject = Subject::state(run);
    let archived = app.hubs.source(run).archived(&subject).await?;
    let from = archived.last().map_or(1, |last| last.sequence + 1);
    let since = app.bulk.scan(RUNS_STREAM, subject.as_str(), from, None);
    let archived = stream::iter(archived.into_iter().map(Ok));
    let mut stored = archived.chain(since);
    let mut changes = Vec::new();
    while let Some(stored) = stored.next().await {
        if let Ok(message) = serde_json::from_slice::<StateMessage>(&stored?.payload) {
            changes.push(message.change);
        }
    }
    Ok(changes)
}

async fn places(app: &App, run: &RunId, summary: &Summary) -> Vec<QueuePlace> {
    let waits = |state| state == aideator_contract::State::Queued;
    if !summary.variations.iter().any(|v| waits(v.state)) {
        return Vec::new();
    }
    let question = GetRequest {
        run_id: run.clone(),
    };
    let view = ask::<RunView>(app, rpc::RUNS_GET, &question, AWAY, QUEUE).await;
    view.map(|view| view.queue).unwrap_or_default()
}
