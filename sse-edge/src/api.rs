//! The HTTP API: routes, and what their handlers share.

mod probe;
mod stream;

use std::sync::Arc;

use aideator_bus::Bus;
use aideator_contract::ids::BadRunId;
use aideator_contract::{Code, Reason, RunId};
use axum::Router;
use axum::routing::get;
use http::Uri;

use crate::hub::Hubs;
use crate::problem::Problem;
use crate::pulse::Pulse;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The connection for all but bulk reads.
    pub bus: Bus,
    /// The runs that are watched here.
    pub hubs: Hubs,
    /// Heartbeat and drain.
    pub pulse: Arc<Pulse>,
}

/// All routes of the API.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/api/v1/runs/{run_id}/stream", get(stream::stream))
        .route("/healthz", get(probe::alive))
        .route("/readyz", get(probe::ready))
        .route("/metrics", get(probe::metrics))
        .method_not_allowed_fallback(|| async { Problem::Method })
        .fallback(|_: Uri| async { Problem::NotFound })
        .with_state(app)
}

/// The run an address names.
fn run_id(text: &str) -> Result<RunId, Problem> {
    text.parse()
        .map_err(|error: BadRunId| Reason::new(Code::BadRunId, error.to_string()).into())
}
