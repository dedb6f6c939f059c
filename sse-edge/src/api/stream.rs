//! The event stream of a run. What a request gets is decided in one place; it goes out as the body of a
//! response here, and on a bare socket in [`crate::serve`].

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::{Code, Reason, RunId, StateMessage};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::App;
use crate::admission::Turn;
use crate::pass::Pass;
use crate::position::Position;
use crate::problem::Problem;
use crate::resume;
use crate::viewer::Viewer;

/// How long the question whether all was shown already may take; a stream is answered after it.
const LOOK: Duration = Duration::from_secs(2);

/// The headers of an event stream.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
];

/// Where a client says it was, if it can't send the header.
#[derive(Debug, Default, Deserialize)]
struct Since {
    #[serde(alias = "lastEventId")]
    last_event_id: Option<String>,
}

/// What a request for a stream gets.
pub(crate) enum Answer {
    /// A place among the viewers.
    Follow(Box<Viewer>),
    /// The word that it has been shown everything.
    Complete,
}

/// Follows a run: what was and what comes, until it is over.
pub(super) async fn stream(
    State(app): State<App>,
    Path(run): Path<String>,
    Extension(pass): Extension<Pass>,
    head: Parts,
) -> Result<Response, Problem> {
    Ok(match answer(&app, &pass, &run, &head).await? {
        Answer::Follow(viewer) => (HEADERS, Body::from_stream(viewer.body())).into_response(),
        Answer::Complete => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Decides what a request gets that asks for the stream of a run and may read it.
pub(crate) async fn answer(
    app: &App,
    pass: &Pass,
    run: &str,
    head: &Parts,
) -> Result<Answer, Problem> {
    let run = super::run_id(run)?;
    let wanted = wanted(head)?;
    take_turn(app).await?;
    if let Some(position) = &wanted
        && !app.hubs.is_live(&run)
        && timeout(LOOK, is_all_shown(app, &run, position)).await == Ok(true)
    {
        return Ok(Answer::Complete);
    }
    let member = app.hubs.join(&run, wanted);
    let lease = app.lease(pass);
    let pulse = Arc::clone(&app.pulse);
    let viewer = Viewer::new(member, wanted, pulse, app.unknown_run, lease);
    Ok(Answer::Follow(Box::new(viewer)))
}

/// The position a request asks for.
fn wanted(head: &Parts) -> Result<Option<Position>, Problem> {
    let header = resume::last_event_id(&head.headers);
    let since = Query::<Since>::try_from_uri(&head.uri)
        .map_err(|error| Reason::new(Code::BadValue, error.body_text()))?;
    Ok(resume::wanted(
        Some(&header),
        since.last_event_id.as_deref(),
    )?)
}

/// Waits until there is room for one more stream.
async fn take_turn(app: &App) -> Result<(), Problem> {
    let meters = app.hubs.meters();
    match app.door.ask() {
        Turn::In(wait) if wait.is_zero() => {}
        Turn::In(wait) => {
            meters.delayed.increment(1);
            sleep(wait).await;
        }
        Turn::Away(wait) => {
            meters.refused.increment(1);
            return Err(Problem::Busy(wait));
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests;
