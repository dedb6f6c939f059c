//! The event stream of a run. What a request gets is decided in one place; it goes out as the body of a
//! response here, and on a bare socket in [`crate::serve`].

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aideator_contract::{Code, Reason, RunId, StateMessage};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::App;
use crate::admission::Turn;
use crate::multiplex::{self, Multiplex, Positions};
use crate::pass::Pass;
use crate::position::{Malformed, Position};
use crate::problem::Problem;
use crate::resume::{self, Wanted};
use crate::viewer::Viewer;

/// How long the question whether all was shown already may take; a stream is answered after it.
const LOOK: Duration = Duration::from_secs(2);

/// The headers of an event stream.
pub(crate) const HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
];

/// How a client says where it was, if it can't send the header, and what it wants to begin with.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(alias = "lastEventId")]
    last_event_id: Option<String>,
    /// `1` or `true`.
    snapshot: Option<String>,
}

/// What a request for a stream gets.
pub(crate) enum Answer {
    /// A place among the viewers.
    Follow(Box<Viewer>),
    /// A place among the viewers of each of several runs.
    FollowAll(Box<Multiplex>),
    /// The word that it has been shown everything.
    Complete,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Follow(viewer) => Body::from_stream(viewer.body()),
            Self::FollowAll(viewers) => Body::from_stream(viewers.body()),
            Self::Complete => return StatusCode::NO_CONTENT.into_response(),
        };
        (HEADERS, body).into_response()
    }
}

/// Follows a run: what was and what comes, until it is over.
pub(super) async fn stream(
    State(app): State<App>,
    Path(run): Path<String>,
    Extension(pass): Extension<Pass>,
    head: Parts,
) -> Result<Answer, Problem> {
    answer(&app, &pass, &run, &head).await
}

/// Follows several runs on one connection.
pub(super) async fn streams(
    State(app): State<App>,
    Extension(pass): Extension<Pass>,
    head: Parts,
) -> Result<Answer, Problem> {
    answer_all(&app, &pass, &head).await
}

/// Decides what a request gets that asks for the stream of a run and may read it.
pub(crate) async fn answer(
    app: &App,
    pass: &Pass,
    run: &str,
    head: &Parts,
) -> Result<Answer, Problem> {
    let run = super::run_id(run)?;
    let (position, snapshot) = asked::<Position>(head)?;
    take_turn(app).await?;
    if let Some(position) = &position
        && is_all_shown(app, &run, position).await
    {
        return Ok(Answer::Complete);
    }
    let wanted = Wanted { position, snapshot };
    Ok(Answer::Follow(Box::new(viewer(app, pass, &run, wanted))))
}

/// Decides what a request gets that asks for the streams of several runs and may read them.
pub(crate) async fn answer_all(app: &App, pass: &Pass, head: &Parts) -> Result<Answer, Problem> {
    let runs = runs(head)?;
    let (positions, snapshot) = asked::<Positions>(head)?;
    let positions = positions.unwrap_or_default();
    for _ in &runs {
        take_turn(app).await?;
    }
    let shown = join_all(runs.iter().map(async |run| match positions.get(run) {
        Some(position) => is_all_shown(app, run, &position).await,
        None => false,
    }));
    if shown.await.into_iter().all(|shown| shown) {
        return Ok(Answer::Complete);
    }
    let viewers = runs.into_iter().map(|run| {
        let position = positions.get(&run);
        let viewer = viewer(app, pass, &run, Wanted { position, snapshot });
        (run, viewer)
    });
    let share = app.pulse.share(rand::random());
    let meters = Arc::clone(app.hubs.meters());
    let all = Multiplex::new(viewers.collect(), &positions, share, meters);
    Ok(Answer::FollowAll(Box::new(all)))
}

/// Where a client was, and whether it wants to begin with a snapshot.
fn asked<P: FromStr<Err = Malformed>>(head: &Parts) -> Result<(Option<P>, bool), Problem> {
    let header = resume::last_event_id(&head.headers);
    let asked = Query::<Asked>::try_from_uri(&head.uri)
        .map_err(|error| Reason::new(Code::BadValue, error.body_text()))?;
    let position = resume::position(Some(&header), asked.0.last_event_id.as_deref())?;
    let snapshot = match asked.0.snapshot.as_deref() {
        None | Some("" | "0" | "false") => false,
        Some("1" | "true") => true,
        Some(other) => {
            let words = format!("`snapshot` is 1 or 0, not {other:?}");
            return Err(Reason::new(Code::BadValue, words).into());
        }
    };
    Ok((position, snapshot))
}

/// The runs a client wants on one connection, each once.
fn runs(head: &Parts) -> Result<BTreeSet<RunId>, Problem> {
    let query = head.uri.query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "run");
    let runs = named.map(|(_, run)| super::run_id(&run));
    let runs: BTreeSet<RunId> = runs.collect::<Result<_, _>>()?;
    if runs.is_empty() || runs.len() > multiplex::RUNS {
        let words = format!(
            "name 1 to {} runs: /api/v1/stream?run=a&run=b",
            multiplex::RUNS
        );
        return Err(Reason::new(Code::BadValue, words).into());
    }
    Ok(runs)
}

fn viewer(app: &App, pass: &Pass, run: &RunId, wanted: Wanted) -> Viewer {
    let member = app.hubs.join(run, wanted.position);
    let (pulse, lease) = (Arc::clone(&app.pulse), app.lease(pass));
    Viewer::new(member, wanted, pulse, app.unknown_run, lease)
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
    !app.hubs.is_live(run) && timeout(LOOK, covers_end(app, run, position)).await == Ok(true)
}

async fn covers_end(app: &App, run: &RunId, position: &Position) -> bool {
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
