//! The event stream of a run.

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::{RunId, StateMessage};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use tokio::time::timeout;

use super::App;
use crate::pass::Pass;
use crate::position::Position;
use crate::problem::Problem;
use crate::resume;
use crate::viewer::Viewer;

/// How long the question whether all was shown already may take; a stream is answered after it.
const LOOK: Duration = Duration::from_secs(2);

/// Where a client says it was, if it can't send the header.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Since {
    #[serde(alias = "lastEventId")]
    last_event_id: Option<String>,
}

/// Follows a run: what was and what comes, until it is over.
pub(super) async fn stream(
    State(app): State<App>,
    Path(run): Path<String>,
    Query(since): Query<Since>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = super::run_id(&run)?;
    let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let wanted = resume::wanted(header, since.last_event_id.as_deref())?;
    if let Some(position) = &wanted
        && !app.hubs.is_live(&run)
        && timeout(LOOK, is_all_shown(&app, &run, position)).await == Ok(true)
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let member = app.hubs.join(&run, wanted);
    let lease = app.lease(&pass);
    let viewer = Viewer::new(
        member,
        wanted,
        Arc::clone(&app.pulse),
        app.unknown_run,
        lease,
    );
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-cache, no-transform"),
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(viewer.body())).into_response())
}

/// Whether the run is over and all of it was shown at `position`. No answer is no: only a stream that
/// really is complete may stop a client from asking again.
async fn is_all_shown(app: &App, run: &RunId, position: &Position) -> bool {
    let source = app.hubs.source(run);
    let Ok(Some(last)) = source.last_state().await else {
        return false;
    };
    let Ok(epoch) = source.stream().await.map(|stream| stream.epoch) else {
        return false;
    };
    serde_json::from_slice::<StateMessage>(&last.payload)
        .is_ok_and(|message| resume::covers_end(position, epoch, last.sequence, &message.summary))
}
