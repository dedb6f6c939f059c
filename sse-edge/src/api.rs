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
pub(crate) mod stream;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use aideator_bus::Bus;
use aideator_contract::ids::BadRunId;
use aideator_contract::limits::REQUEST_BYTES;
use aideator_contract::{Code, Reason, RunId, StateMessage, Timestamp};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use http::Method;

use crate::admission::Door;
use crate::hub::Hubs;
use crate::pass::Pass;
use crate::problem::Problem;
use crate::pulse::Pulse;
use crate::revocations::{Lease, Revocations};
use crate::scope::Scope;

/// The route of a run's event stream.
pub(crate) const STREAM: &str = "/api/v1/runs/{run_id}/stream";
/// The route of several.
pub(crate) const STREAMS: &str = "/api/v1/stream";

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
    /// How many streams are let in.
    pub door: Arc<Door>,
    /// How long a run nobody knows is waited for.
    pub unknown_run: Duration,
    /// The revoked tokens, where signed ones are accepted.
    pub revocations: Option<Arc<Revocations>>,
}

impl App {
    /// What keeps a stream open that this pass has opened; `None`: nothing ends it.
    fn lease(&self, pass: &Pass) -> Option<Lease> {
        let (Pass::Signed(claims), Some(list)) = (pass, &self.revocations) else {
            return None;
        };
        let now = Timestamp::from(SystemTime::now());
        Some(Lease::new(
            claims.id.clone(),
            claims.expiry(),
            now,
            Arc::clone(list),
        ))
    }
}

/// A route: one method of one address.
struct Route {
    method: Method,
    path: &'static str,
    /// What a token must allow; `None`: it is for everybody, so it tells nothing.
    needs: Option<Scope>,
    handler: MethodRouter<App>,
}

/// All routes of the API. The OpenAPI document is held against this list by a test.
fn routes() -> Vec<Route> {
    let of = |method: Method, needs, path, handler| Route {
        method,
        path,
        needs,
        handler,
    };
    let open = |path, handler| of(Method::GET, None, path, handler);
    let reading = |path, handler| of(Method::GET, Some(Scope::Read), path, handler);
    let running = |path, handler| of(Method::POST, Some(Scope::Run), path, handler);
    let ruling = |path, handler| of(Method::POST, Some(Scope::Admin), path, handler);
    vec![
        running("/api/v1/runs", post(create::create)),
        reading("/api/v1/runs", get(runs::list)),
        reading("/api/v1/runs/{run_id}", get(runs::show)),
        reading(STREAM, get(stream::stream)),
        reading(STREAMS, get(stream::streams)),
        reading("/api/v1/runs/{run_id}/log", get(log::log)),
        running("/api/v1/runs/{run_id}/cancel", post(command::cancel)),
        running(
            "/api/v1/runs/{run_id}/variations/{variation}/cancel",
            post(command::cancel_variation),
        ),
        running(
            "/api/v1/runs/{run_id}/variations/{variation}/retry",
            post(command::retry),
        ),
        running("/api/v1/runs/{run_id}/pick", post(command::pick)),
        ruling("/api/v1/tokens/revoke", post(tokens::revoke)),
        reading("/api/v1/info", get(info::info)),
        reading("/api/openapi.json", get(openapi::openapi)),
        open("/healthz", get(probe::alive)),
        open("/readyz", get(probe::ready)),
        reading("/metrics", get(probe::metrics)),
    ]
}

/// The scope a request needs that goes to the route of this pattern; `None`: it is for everybody. What is
/// no route of the API (pages, what is nowhere) may be looked at by who may read.
pub(crate) fn needs(method: &Method, pattern: Option<&str>) -> Option<Scope> {
    static NEEDS: LazyLock<HashMap<(Method, &str), Option<Scope>>> = LazyLock::new(|| {
        let needs = |route: Route| ((route.method, route.path), route.needs);
        routes().into_iter().map(needs).collect()
    });
    // The server answers HEAD where it answers GET.
    let looks = method == Method::GET || method == Method::HEAD;
    let method = if looks { Method::GET } else { method.clone() };
    match pattern.and_then(|pattern| NEEDS.get(&(method, pattern))) {
        Some(needs) => *needs,
        None if looks => Some(Scope::Read),
        None => Some(Scope::Admin),
    }
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
async fn last_state(app: &App, run: &RunId) -> Result<Option<(u64, StateMessage)>, Problem> {
    let Some(stored) = app.hubs.source(run).last_state().await? else {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_says_what_a_token_must_allow() {
        let run = "/api/v1/runs/{run_id}";
        let variation = "/api/v1/runs/{run_id}/variations/{variation}";
        let expected = [
            ("GET", "/healthz", "nothing"),
            ("GET", "/readyz", "nothing"),
            ("GET", "/metrics", "read"),
            ("GET", "/api/openapi.json", "read"),
            ("GET", "/api/v1/info", "read"),
            ("GET", "/api/v1/runs", "read"),
            ("GET", run, "read"),
            ("GET", &format!("{run}/stream"), "read"),
            ("GET", "/api/v1/stream", "read"),
            ("GET", &format!("{run}/log"), "read"),
            ("POST", "/api/v1/runs", "run"),
            ("POST", &format!("{run}/cancel"), "run"),
            ("POST", &format!("{run}/pick"), "run"),
            ("POST", &format!("{variation}/cancel"), "run"),
            ("POST", &format!("{variation}/retry"), "run"),
            ("POST", "/api/v1/tokens/revoke", "admin"),
        ];
        let expected: BTreeSet<String> = expected
            .map(|(method, path, scope)| format!("{method} {path}: {scope}"))
            .into();
        let found = routes().into_iter().map(|route| {
            let needs = needs(&route.method, Some(route.path));
            let scope = needs.map_or("nothing", Scope::name);
            format!("{} {}: {scope}", route.method, route.path)
        });
        assert_eq!(found.collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn what_is_no_route_is_for_everybody_never() {
        let of = |method: &Method, pattern| needs(method, pattern);
        assert_eq!(of(&Method::GET, None), Some(Scope::Read));
        assert_eq!(of(&Method::GET, Some("/new")), Some(Scope::Read));
        assert_eq!(of(&Method::POST, Some("/new")), Some(Scope::Admin));
        assert_eq!(of(&Method::DELETE, Some("/healthz")), Some(Scope::Admin));
        assert_eq!(of(&Method::HEAD, Some("/healthz")), None);
        assert_eq!(of(&Method::HEAD, Some("/metrics")), Some(Scope::Read));
    }
}
