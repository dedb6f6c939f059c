//! Commands to a run: checked against its state log, stored, and answered before they are done.

use aideator_bus::Append;
use aideator_contract::limits::REMARK_BYTES;
use aideator_contract::request::{self, CancelRequest, PickRequest, RetryRequest};
use aideator_contract::subject::Command;
use aideator_contract::{Code, Reason, RunId, Summary, Variation};
use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{self, Arrived};
use super::{App, last_state, permit, run_id};
use crate::problem::Problem;

/// Why something is to stop.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    /// For those who read it later; up to 2 KiB.
    reason: Option<String>,
}

/// Nothing more needs to be said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {}

/// Which variation is best.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pick {
    /// The variation, from 0.
    variation: Variation,
    /// Why; up to 2 KiB.
    reason: Option<String>,
}

/// A command is stored and will be done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Noted {
    /// The run.
    run_id: RunId,
}

type Answer = Result<(StatusCode, Json<Noted>), Problem>;

/// Stops a run.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Arrived,
) -> Answer {
    stop(&app, &run, None, body::read(&headers, body)?).await
}

/// Stops one variation.
pub(super) async fn cancel_variation(
    State(app): State<App>,
    Path((run, variation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Arrived,
) -> Answer {
    let body = body::read(&headers, body)?;
    stop(&app, &run, Some(named(&variation)?), body).await
}

/// Tries a variation again.
pub(super) async fn retry(
    State(app): State<App>,
    Path((run, variation)): Path<(String, String)>,
    headers: HeaderMap,
    body: Arrived,
) -> Answer {
    let Retry {} = body::read(&headers, body)?;
    let (run_id, variation) = (run_id(&run)?, named(&variation)?);
    permit::retry(&summary(&app, &run_id).await?, variation)?;
    may_go_on(&app, &run_id).await?;
    let command = RetryRequest { run_id, variation };
    store(&app, Command::Retry, &command, &command.run_id).await
}

/// Notes which variation is best.
pub(super) async fn pick(
    State(app): State<App>,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Arrived,
) -> Answer {
    let Pick { variation, reason } = body::read(&headers, body)?;
    request::fits("reason", reason.as_deref(), REMARK_BYTES)?;
    let run_id = run_id(&run)?;
    permit::pick(&summary(&app, &run_id).await?, variation)?;
    may_go_on(&app, &run_id).await?;
    let command = PickRequest {
        run_id,
        variation,
        reason,
    };
    store(&app, Command::Pick, &command, &command.run_id).await
}

async fn stop(app: &App, run: &str, variation: Option<Variation>, body: Cancel) -> Answer {
    request::fits("reason", body.reason.as_deref(), REMARK_BYTES)?;
    let run_id = run_id(run)?;
    permit::cancel(&summary(app, &run_id).await?, variation)?;
    may_go_on(app, &run_id).await?;
    let command = CancelRequest {
        run_id,
        variation,
        reason: body.reason,
    };
    store(app, Command::Cancel, &command, &command.run_id).await
}

async fn summary(app: &App, run: &RunId) -> Result<Summary, Problem> {
    let last = last_state(app, run).await?;
    let (_, message) = last.ok_or_else(|| Problem::unknown_run(run))?;
    Ok(message.summary)
}

async fn may_go_on(app: &App, run: &RunId) -> Result<(), Problem> {
    if !app.hubs.source(run).is_lost().await? {
        return Ok(());
    }
    let words = format!(
        "run {run} can be read and not go on: the stream it was in is lost; send its prompt as a new run"
    );
    Err(Reason::new(Code::AlreadyFinished, words).into())
}

async fn store(app: &App, command: Command, what: &impl Serialize, run: &RunId) -> Answer {
    let payload = Bytes::from(serde_json::to_vec(what).map_err(|_| Problem::Internal)?);
    app.bus
        .append(&command.subject(), payload, Append::default())
        .await?;
    tracing::info!(run_id = %run, %command, "command stored");
    let noted = Noted {
        run_id: run.clone(),
    };
    Ok((StatusCode::ACCEPTED, Json(noted)))
}

fn named(text: &str) -> Result<Variation, Reason> {
    text.parse()
        .map_err(|error: aideator_contract::ids::BadVariation| {
            Reason::new(Code::UnknownVariation, error.to_string())
        })
}
