//! Whether the edge lives and is of use, and what it measures.

use aideator_contract::subject::RUNS_STREAM;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use metrics_exporter_prometheus::PrometheusHandle;

use super::App;
use crate::problem::Problem;
use crate::telemetry;

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// NATS answers, the stream of runs is there, signed tokens can be judged, and the edge is not stopping.
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.pulse.is_stopping() {
        return Err(Problem::Away("the edge is stopping"));
    }
    if !app.bus.is_connected() {
        return Err(Problem::Away("NATS is not connected"));
    }
    if app.revocations.as_ref().is_some_and(|list| !list.holds()) {
        return Err(Problem::Away("the revoked tokens are not known"));
    }
    match app.bus.stream_state(RUNS_STREAM).await {
        Ok(_) => Ok("ready\n"),
        Err(_) => Err(Problem::Away("the stream of runs does not answer")),
    }
}

/// All measurements, as Prometheus reads them.
pub(super) async fn metrics() -> Response {
    let text = telemetry::recorder().map(PrometheusHandle::render);
    let media = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media)], text.unwrap_or_default()).into_response()
}
