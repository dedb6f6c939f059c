//! An edge from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::Bus;
use axum::middleware;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admission::Door;
use crate::api::{self, App};
use crate::config::Config;
use crate::error::Error;
use crate::guard::{self, Gate, Policy};
use crate::hub::Hubs;
use crate::hub::window::Bounds;
use crate::pulse::Pulse;
use crate::revocations::Revocations;
use crate::serve::Server;
use crate::telemetry::{self, Meters};
use crate::web;

/// How often measurements are gathered.
const UPKEEP: Duration = Duration::from_secs(1);

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
    let mut tasks = JoinSet::new();
    for bus in [&deps.live, &deps.bulk] {
        tasks.spawn(count_slow(bus.slow_consumers(), Arc::clone(hubs.meters())));
    }
    if let Some(list) = revocations.clone() {
        tasks.spawn(async move { list.keep().await });
    }
    if let Some(recorder) = recorder {
        tasks.spawn(every(UPKEEP, || recorder.run_upkeep()));
    }
    let (beating, woken, beat) = (Arc::clone(&pulse), hubs.clone(), config.heartbeat);
    tasks.spawn(async move { beating.beat(beat, || woken.wake(true)).await });
    tracing::info!(%address, "the edge serves");
    let policy = Policy {
        loopback: address.ip().is_loopback(),
        keys: config.keys(),
        origins: config.allow_origin.clone(),
    };
    let gate = Arc::new(Gate {
        policy,
        revocations: revocations.clone(),
    });
    let app = App {
        bus: deps.live,
        bulk: deps.bulk,
        hubs: hubs.clone(),
        pulse,
        door: Arc::new(Door::new(config.streams_per_second)),
        unknown_run: config.unknown_run,
        revocations,
    };
    let guarding = middleware::from_fn_with_state(Arc::clone(&gate), guard::guard);
    let router = api::router(app.clone())
        .fallback(web::serve)
        .layer(guarding);
    let server = Server::new(app, gate, router, config.gone_after);
    let served = server.run(deps.listener, shutdown).await;
    hubs.close().await;
    served
}

/// Counts how often NATS messages were dropped because they were not read fast enough.
async fn count_slow(mut slow: watch::Receiver<u64>, meters: Arc<Meters>) {
    let mut seen = *slow.borrow_and_update();
    while slow.changed().await.is_ok() {
        let count = *slow.borrow_and_update();
        meters.nats_slow.increment(count - seen);
        seen = count;
    }
}

async fn every(period: Duration, act: impl Fn()) {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        act();
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[tokio::test]
    async fn what_nats_drops_is_counted_once_for_the_edge() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let count = || {
            let text = recorder.handle().render();
            let lines = text.lines();
            let name = "aideator_edge_slow_consumer_events_total ";
            lines
                .filter_map(|line| line.strip_prefix(name))
                .collect::<String>()
        };
        let meters = metrics::with_local_recorder(&recorder, || Arc::new(Meters::new()));
        let (events, slow) = watch::channel(7);
        let counting = count_slow(slow, meters);
        tokio::pin!(counting);
        let mut turn = async || assert!(futures::poll!(&mut counting).is_pending());
        turn().await;
        assert_eq!(count(), "0", "what was before this edge");
        events.send_replace(8);
        turn().await;
        turn().await;
        assert_eq!(count(), "1");
        events.send_replace(11);
        turn().await;
        assert_eq!(count(), "4");
    }
}
