//! The HTTP API: routes, and what their handlers share.

mod body;
mod command;
mod create;
mod info;
mod log;
pub mod openapi;
mod permit;
mod probe;
mod runs;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::ids::BadRunId;
use aideator_contract::limits::REQUEST_BYTES;
use aideator_contract::{Code, Reason, RunId, StateMessage, Subject};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use http::Method;

use crate::hub::Hubs;
use crate::problem::Problem;
use crate::pulse::Pulse;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The connection for all but bulk reads.
    pub bus: Bus,
    /// The connection for bulk reads.
    pub bulk: Bus,
    /// The runs that are watched here.
    pub hubs: Hubs,
    /// Heartbeat and drain.
    pub pulse: Arc<Pulse>,
    /// How long a run nobody knows is waited for.
    pub unknown_run: Duration,
}

/// A route: one method of one address.
struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "the OpenAPI test reads it"))]
    method: Method,
    path: &'static str,
    handler: MethodRouter<App>,
}

/// All routes of the API. The OpenAPI document is held against this list by a test.
fn routes() -> Vec<Route> {
    let of = |method: Method, path, handler| Route {
        method,
        path,
        handler,
    };
    let reading = |path, handler| of(Method::GET, path, handler);
    let doing = |path, handler| of(Method::POST, path, handler);
    vec![
        doing("/api/v1/runs", post(create::create)),
        reading("/api/v1/runs", get(runs::list)),
        reading("/api/v1/runs/{run_id}", get(runs::show)),
        reading("/api/v1/runs/{run_id}/stream", get(stream::stream)),
        reading("/api/v1/runs/{run_id}/log", get(log::log)),
        doing("/api/v1/runs/{run_id}/cancel", post(command::cancel)),
        doing(
            "/api/v1/runs/{run_id}/variations/{variation}/cancel",
            post(command::cancel_variation),
        ),
        doing(
            "/api/v1/runs/{run_id}/variations/{variation}/retry",
            post(command::retry),
        ),
        doing("/api/v1/runs/{run_id}/pick", post(command::pick)),
        reading("/api/v1/info", get(info::info)),
        reading("/api/openapi.json", get(openapi::openapi)),
        reading("/healthz", get(probe::alive)),
        reading("/readyz", get(probe::ready)),
        reading("/metrics", get(probe::metrics)),
    ]
}

/// The API. What is under none of its addresses is left to a fallback of the caller's.
pub fn router(app: App) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, route.handler)
    });
    router
        .route(
            "/api/{*rest}",
            axum::routing::any(async || Problem::NotFound),
        )
        .method_not_allowed_fallback(async || Problem::Method)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .with_state(app)
}

/// The run an address names.
fn run_id(text: &str) -> Result<RunId, Problem> {
    text.parse()
        .map_err(|error: BadRunId| Reason::new(Code::BadRunId, error.to_string()).into())
}

/// The last entry of a run's state log, with its sequence; from the leader, so never behind.
async fn last_state(bus: &Bus, run: &RunId) -> Result<Option<(u64, StateMessage)>, Problem> {
    let Some(stored) = bus.last_from_leader(&Subject::state(run)).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&stored.payload) {
        Ok(message) => Ok(Some((stored.sequence, message))),
        Err(error) => {
            tracing::error!(run_id = %run, %error, "a state log can't be read");
            Err(Problem::Internal)
        }
    }
}
