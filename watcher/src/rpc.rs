//! What the watcher answers over NATS: lists of runs, one run, and building the projection again.

use std::error::Error as StdError;

use aideator_bus::{Bus, Endpoint, Question, Refusal, Service, ServiceSpec};
use aideator_contract::request::parse;
use aideator_contract::subject::rpc;
use aideator_contract::view::{GetRequest, ListRequest};
use aideator_contract::{Code, Reason};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::Error;
use crate::projection::{Projection, Unanswered};

/// Starts answering.
pub(crate) async fn serve(bus: &Bus, projection: Projection) -> Result<Service, Error> {
    let endpoint = |name, subject| Endpoint {
        name,
        subject,
        schema: None,
    };
    let spec = ServiceSpec {
        name: "aideator-watcher",
        version: env!("CARGO_PKG_VERSION"),
        description: "Lists runs, tells about one, and builds the projection again",
        endpoints: vec![
            endpoint("runs-list", rpc::RUNS_LIST),
            endpoint("runs-get", rpc::RUNS_GET),
            endpoint("projection-rebuild", rpc::REBUILD),
        ],
    };
    let handler = move |question: Question| {
        let projection = projection.clone();
        async move { answer(&projection, &question).await.map_err(refusal) }
    };
    Service::start(bus, spec, handler)
        .await
        .map_err(Error::bus("starting the query service"))
}

async fn answer(projection: &Projection, question: &Question) -> Result<Bytes, Unanswered> {
    match question.subject.as_str() {
        rpc::RUNS_LIST => {
            let wanted: ListRequest = read(&question.payload)?;
            json(&projection.list(&wanted).await?)
        }
        rpc::RUNS_GET => {
            let wanted: GetRequest = read(&question.payload)?;
            json(&projection.get(&wanted.run_id).await?)
        }
        rpc::REBUILD => json(&json!({ "runs": projection.rebuild().await? })),
        other => {
            let message = format!("nothing is answered on {other}");
            Err(Unanswered::Bad(Reason::new(Code::BadValue, message)))
        }
    }
}

/// An empty question asks for what an empty object asks for.
fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unanswered> {
    let payload = if payload.is_empty() { b"{}" } else { payload };
    parse(payload).map_err(Unanswered::Bad)
}

fn json(answer: &impl Serialize) -> Result<Bytes, Unanswered> {
    let bytes = serde_json::to_vec(answer).map_err(|source| Error::Record {
        doing: "answering",
        source,
    })?;
    Ok(Bytes::from(bytes))
}

/// What the asker is told: a status as in HTTP and a reason as JSON.
fn refusal(unanswered: Unanswered) -> Refusal {
    let (code, reason) = match unanswered {
        Unanswered::Bad(reason) if reason.code == Code::UnknownRun => (404, reason),
        Unanswered::Bad(reason) => (400, reason),
        Unanswered::NotOpen => (
            503,
            Reason::new(
                Code::Internal,
                "the list of runs is being opened; ask again",
            ),
        ),
        Unanswered::Failed(error) => {
            tracing::warn!(error = &error as &dyn StdError, "a question has no answer");
            (
                500,
                Reason::new(
                    Code::Internal,
                    "the list of runs can't be read; the watcher's log says why",
                ),
            )
        }
    };
    let text = serde_json::to_string(&reason).unwrap_or(reason.message);
    Refusal { code, text }
}
