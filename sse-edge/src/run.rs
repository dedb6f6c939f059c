//! An edge from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::Bus;
use axum::serve::ListenerExt as _;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::{self, App};
use crate::config::Config;
use crate::error::Error;
use crate::guard::{self, Gate, Policy};
use crate::hub::Hubs;
use crate::hub::window::Bounds;
use crate::pulse::Pulse;
use crate::revocations::Revocations;
use crate::{telemetry, web};

/// How long requests in hand may take after the streams have ended.
const CLOSING: Duration = Duration::from_secs(3);

/// What an edge needs from outside.
#[derive(Debug)]
pub struct Deps {
    /// Where it is to serve.
    pub listener: TcpListener,
    /// The NATS connection for the live tail and questions.
    pub live: Bus,
    /// Another one for bulk reads, so that they can't hold up the live tail.
    pub bulk: Bus,
}

/// Serves until `shutdown`, then lets go of the viewers, who come back to another edge.
///
/// # Errors
/// The edge may not serve there, or its socket failed.
pub async fn run(config: Config, deps: Deps, shutdown: CancellationToken) -> Result<(), Error> {
    let address = deps.listener.local_addr().map_err(Error::Socket)?;
    config.check(address)?;
    let recorder = telemetry::recorder();
    let pulse = Arc::new(Pulse::new(config.drain()));
    let hubs = Hubs::new(deps.live.clone(), deps.bulk.clone(), Bounds::default());
    let revocations = config
        .secret
        .is_some()
        .then(|| Arc::new(Revocations::new(&deps.live)));
    let app = App {
        bus: deps.live,
        bulk: deps.bulk,
        hubs: hubs.clone(),
        pulse: Arc::clone(&pulse),
        unknown_run: config.unknown_run,
        revocations: revocations.clone(),
    };
    let mut tasks = JoinSet::new();
    if let Some(list) = revocations.clone() {
        tasks.spawn(async move { list.keep().await });
    }
    let (beating, every) = (Arc::clone(&pulse), config.heartbeat);
    tasks.spawn(async move {
        beating
            .beat(every, || {
                if let Some(recorder) = recorder {
                    recorder.run_upkeep();
                }
            })
            .await;
    });
    tracing::info!(%address, "the edge serves");
    let policy = Policy {
        loopback: address.ip().is_loopback(),
        keys: config.keys(),
        origins: config.allow_origin.clone(),
    };
    let gate = Arc::new(Gate {
        policy,
        revocations,
    });
    let router = api::router(app)
        .fallback(web::serve)
        .layer(middleware::from_fn_with_state(gate, guard::guard));
    let served = serve(deps.listener, router, &config, &pulse, shutdown).await;
    hubs.close().await;
    served
}

async fn serve(
    listener: TcpListener,
    router: Router,
    config: &Config,
    pulse: &Pulse,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let listener = listener.tap_io(|socket| {
        // Tokens are small and each is due at once.
        let _ = socket.set_nodelay(true);
    });
    let quiet = CancellationToken::new();
    let closing = quiet.clone();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { closing.cancelled().await });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        served = &mut server => return served.map_err(Error::Socket),
        () = shutdown.cancelled() => {}
    }
    // Not ready first; then streams end one by one; then nobody new is let in.
    pulse.stop();
    tokio::select! {
        served = &mut server => return served.map_err(Error::Socket),
        () = sleep(config.drain()) => {}
    }
    quiet.cancel();
    match timeout(CLOSING, server).await {
        Ok(served) => served.map_err(Error::Socket),
        Err(_) => {
            tracing::warn!("some requests were not answered in time and are cut");
            Ok(())
        }
    }
}
