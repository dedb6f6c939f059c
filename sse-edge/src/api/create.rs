//! A request for a run: stored, then answered with what became of it, or that nothing has yet.

use std::time::Duration;

use aideator_bus::{Append, Live};
use aideator_contract::canonical::base36;
use aideator_contract::request::RunRequest;
use aideator_contract::subject::{Command, Place};
use aideator_contract::{Change, Code, Reason, RunId, StateMessage, Status, Timestamp};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::body::{self, Arrived};
use super::{App, last_state, run_id};
use crate::problem::Problem;

/// How long a decision is waited for.
const DECISION: Duration = Duration::from_secs(2);
/// How often the state log is read meanwhile, should a live message get lost.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of an `Idempotency-Key`.
const KEY_BYTES: usize = 256;

/// Where a run is found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Created {
    /// The run.
    run_id: RunId,
    /// Its event stream.
    stream_url: String,
    /// Its page.
    url: String,
}

/// What became of a request, as its run's state log tells.
#[derive(Debug, PartialEq)]
enum Fate {
    Undecided,
    Accepted,
    Refused(Reason),
}

/// Starts a run.
pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Arrived,
) -> Result<Response, Problem> {
    let mut request: RunRequest = body::read(&headers, body)?;
    let run = name(&request, &headers)?;
    request.run_id = Some(run.to_string());
    let sha = request.sha256();
    let before = last_state(&app, &run).await?;
    let known = before.as_ref().map(|(_, message)| message);
    match known.map_or(Fate::Undecided, |message| fate(message, &sha, None)) {
        Fate::Accepted => return Ok(created(StatusCode::OK, run)),
        Fate::Refused(reason) => return Err(reason.into()),
        Fate::Undecided => {}
    }
    // Listening comes first, so that the decision can't pass unheard.
    let live = app.bus.live(&run).await?;
    let payload = Bytes::from(serde_json::to_vec(&request).map_err(|_| Problem::Internal)?);
    // A rejected id may be used again: what was known before is part of the message's name.
    let msg_id = format!("{run}.{}.{sha}", before.map_or(0, |(sequence, _)| sequence));
    let how = Append {
        msg_id: Some(&msg_id),
        ..Append::default()
    };
    let stored = app
        .bus
        .append(&Command::Run.subject(), payload, how)
        .await?;
    tracing::info!(run_id = %run, "request stored");
    match decision(&app, live, &run, &sha, stored.sequence).await {
        Fate::Accepted => Ok(created(StatusCode::CREATED, run)),
        Fate::Undecided => Ok(created(StatusCode::ACCEPTED, run)),
        Fate::Refused(reason) => Err(reason.into()),
    }
}

/// The id a request has before it is stored: its own, its key's, or a fresh one.
fn name(request: &RunRequest, headers: &HeaderMap) -> Result<RunId, Problem> {
    if let Some(id) = &request.run_id {
        return run_id(id);
    }
    let Some(key) = headers.get("idempotency-key") else {
        let now = Timestamp::from(std::time::SystemTime::now()).millis();
        let chance = rand::random_range(0..36u64.pow(6));
        return run_id(&format!("{}-{}", base36(now), base36(chance)));
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES {
        let words = format!("Idempotency-Key has 1 to {KEY_BYTES} visible characters");
        return Err(Reason::new(Code::BadValue, words).into());
    }
    Ok(RunId::from_key(key))
}

/// What a state log entry says about the request with this digest, stored at this sequence.
fn fate(message: &StateMessage, sha: &str, stored: Option<u64>) -> Fate {
    let summary = &message.summary;
    let ours = stored.is_some_and(|sequence| summary.has_applied(sequence));
    match (&message.change, summary.status) {
        (Change::Rejected { error }, _) if ours => Fate::Refused(error.clone()),
        (_, Status::Rejected) => Fate::Undecided,
        _ if ours || summary.request_sha256 == sha => Fate::Accepted,
        _ => Fate::Refused(Reason::new(
            Code::Conflict,
            format!("the run {} exists with another request", message.run),
        )),
    }
}

async fn decision(app: &App, mut live: Live, run: &RunId, sha: &str, stored: u64) -> Fate {
    let end = Instant::now() + DECISION;
    let mut look = Instant::now();
    while Instant::now() < end {
        let heard = tokio::select! {
            heard = live.next() => match heard {
                Some(heard) if matches!(Place::parse(&heard.stored.subject), Some(Place::State(_))) => {
                    serde_json::from_slice(&heard.stored.payload).ok()
                }
                Some(_) => None,
                None => return Fate::Undecided,
            },
            () = sleep_until(look.min(end)) => {
                look = Instant::now() + LOOK;
                match timeout_at(end, last_state(app, run)).await {
                    Ok(Ok(last)) => last.map(|(_, message)| message),
                    Ok(Err(_)) => None,
                    Err(_) => return Fate::Undecided,
                }
            }
        };
        match heard.map_or(Fate::Undecided, |message| fate(&message, sha, Some(stored))) {
            Fate::Undecided => {}
            decided => return decided,
        }
    }
    Fate::Undecided
}

fn created(status: StatusCode, run_id: RunId) -> Response {
    let place = format!("/api/v1/runs/{run_id}");
    let created = Created {
        stream_url: format!("{place}/stream"),
        url: format!("/runs/{run_id}"),
        run_id,
    };
    (status, [(header::LOCATION, place)], Json(created)).into_response()
}

#[cfg(test)]
mod tests {
    use aideator_contract::Summary;

    use super::*;

    fn message(change: Change, status: Status, applied: u64) -> StateMessage {
        let at = Timestamp::default();
        let mut summary = Summary::rejected("ours".into(), applied, at);
        summary.status = status;
        StateMessage::new("r".parse().unwrap(), at, change, summary)
    }

    fn rejected(applied: u64) -> StateMessage {
        let error = Reason::new(Code::BadValue, "no");
        message(Change::Rejected { error }, Status::Rejected, applied)
    }

    #[test]
    fn an_older_rejection_decides_nothing() {
        let ours = fate(&rejected(7), "ours", Some(7));
        assert!(matches!(ours, Fate::Refused(reason) if reason.code == Code::BadValue));
        assert_eq!(fate(&rejected(7), "ours", Some(8)), Fate::Undecided);
        assert_eq!(fate(&rejected(7), "ours", None), Fate::Undecided);
    }

    #[test]
    fn the_same_request_is_the_same_run_and_another_is_a_conflict() {
        let open = message(Change::Noted, Status::Open, 7);
        assert_eq!(fate(&open, "ours", None), Fate::Accepted);
        assert_eq!(fate(&open, "ours", Some(9)), Fate::Accepted);
        let other = fate(&open, "other", Some(9));
        assert!(matches!(other, Fate::Refused(reason) if reason.code == Code::Conflict));
    }

    #[test]
    fn a_key_names_the_run() {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", "k".parse().unwrap());
        let mut request = RunRequest::default();
        assert_eq!(name(&request, &headers).unwrap(), RunId::from_key("k"));
        request.run_id = Some("own".into());
        assert_eq!(name(&request, &headers).unwrap().as_str(), "own");
        let fresh = name(&RunRequest::default(), &HeaderMap::new()).unwrap();
        assert!(fresh.as_str().len() <= 40);
    }
}
