//! What the installation offers, as the submitter says.

use std::time::Duration;

use aideator_contract::subject::rpc;
use aideator_contract::view::Info;
use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::App;
use crate::problem::Problem;

const PATIENCE: Duration = Duration::from_secs(3);

/// What the installation offers.
pub(super) async fn info(State(app): State<App>) -> Result<Json<Info>, Problem> {
    let away = "the submitter does not answer; requests are kept until it is back";
    ask(&app, rpc::INFO, &serde_json::json!({}), away, PATIENCE)
        .await
        .map(Json)
}

/// Asks a service; `away` are the words for when it does not answer.
pub(super) async fn ask<T: DeserializeOwned>(
    app: &App,
    subject: &str,
    question: &impl Serialize,
    away: &'static str,
    patience: Duration,
) -> Result<T, Problem> {
    let question = Bytes::from(serde_json::to_vec(question).map_err(|_| Problem::Internal)?);
    let answer = match app.bus.request(subject, question, patience).await {
        Ok(answer) => answer,
        Err(aideator_bus::Error::Service { code, text }) => {
            return Err(Problem::service(code, &text, away));
        }
        Err(error) => {
            tracing::warn!(%error, subject, "a service does not answer");
            return Err(Problem::Away(away));
        }
    };
    serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, subject, "a service's answer can't be read");
        Problem::Internal
    })
}
