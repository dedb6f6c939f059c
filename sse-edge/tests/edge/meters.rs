//! The measurements move when what they measure happens, and at no other time.

use std::net::SocketAddr;
use std::time::Duration;

use aideator_contract::{State, Subject, Variation};
use aideator_edge::Config;
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use serde_json::Value;

use crate::client::{Answer, follow};
use crate::world::{Edge, World, soon};

/// The measurements of the edges of one test: they run on its thread.
pub(crate) struct Meters {
    handle: PrometheusHandle,
    _guard: LocalRecorderGuard<'static>,
}

impl Meters {
    pub(crate) fn begin() -> Self {
        let recorder: &'static PrometheusRecorder =
            Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self {
            handle: recorder.handle(),
            _guard: metrics::set_default_local_recorder(recorder),
        }
    }

    /// The value of `aideator_edge_<name>`; a name may have labels.
    pub(crate) fn of(&self, name: &str) -> f64 {
        let text = self.handle.render();
        let value = text.lines().find_map(|line| {
            let rest = line.strip_prefix("aideator_edge_")?.strip_prefix(name)?;
            rest.strip_prefix(' ')?.parse().ok()
        });
        value.unwrap_or_else(|| panic!("there is no {name} in {text}"))
    }

    /// Waits until a value is this.
    pub(crate) async fn until(&self, name: &str, value: f64) {
        let reached = async {
            while self.of(name) != value {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .is_err()
        {
            panic!("{name} is {} and not {value}", self.of(name));
        }
    }
}

const STREAM: &str = "catch_ups_total{source=\"stream\"}";
const WINDOW: &str = "catch_ups_total{source=\"window\"}";

const ARCHIVE: &str = "catch_ups_total{source=\"archive\"}";

async fn caught_up(edge: SocketAddr, run: &str) -> Answer {
    let mut viewer = follow(edge, run, "").await;
    viewer.until("caught-up").await;
    viewer
}

#[tokio::test]
async fn viewers_and_runs_are_counted_while_they_are_there() {
    let meters = Meters::begin();
    let world = World::begin().await;
    world.run("a", 1).await;
    world.run("b", 1).await;
    assert_eq!((meters.of("viewers"), meters.of("hubs")), (0.0, 0.0));
    let first = caught_up(world.at(), "a").await;
    let second = caught_up(world.at(), "a").await;
    let third = caught_up(world.at(), "b").await;
    assert_eq!((meters.of("viewers"), meters.of("hubs")), (3.0, 2.0));
    drop((first, second));
    meters.until("viewers", 1.0).await;
    drop(third);
    meters.until("viewers", 0.0).await;
    world.edge.stop.cancel();
    meters.until("hubs", 0.0).await;
}

#[tokio::test]
async fn an_event_is_encoded_once_and_delivered_to_each_viewer() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut run = world.run("a", 1).await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        viewers.push(caught_up(world.at(), "a").await);
    }
    assert_eq!(
        (meters.of("frames_total"), meters.of("deliveries_total")),
        (1.0, 3.0)
    );
    // What a viewer finds there did not come live.
    assert_eq!(meters.of("live_latency_seconds_count"), 0.0);
    run.say(0, "word").await;
    for viewer in &mut viewers {
        viewer.event().await.unwrap();
    }
    meters.until("deliveries_total", 6.0).await;
    assert_eq!(meters.of("frames_total"), 2.0);
    assert_eq!(meters.of("live_latency_seconds_count"), 3.0);
    let sum = meters.of("live_latency_seconds_sum");
    assert!(sum < 3.0, "{sum} s");
}

#[tokio::test]
async fn where_a_past_was_found_is_counted_by_its_source() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut run = world.run("a", 1).await;
    for n in 0..4 {
        run.say(0, &n.to_string()).await;
    }
    let mut viewer = follow(world.at(), "a", "").await;
    let events = viewer.until("caught-up").await;
    assert_eq!((meters.of(WINDOW), meters.of(STREAM)), (1.0, 0.0));
    let _again = caught_up(world.at(), "a").await;
    assert_eq!((meters.of(WINDOW), meters.of(STREAM)), (2.0, 0.0));
    // The first viewer of an edge decides where its window begins; who wants more reads it alone.
    let edge = Edge::start(&world.server, Config::default()).await.address;
    let mut resumed = follow(edge, "a", &events[2].id).await;
    resumed.until("caught-up").await;
    assert_eq!((meters.of(WINDOW), meters.of(STREAM)), (3.0, 0.0));
    let _whole = caught_up(edge, "a").await;
    assert_eq!((meters.of(WINDOW), meters.of(STREAM)), (3.0, 1.0));
    assert_eq!(meters.of(ARCHIVE), 0.0);
    // Also where the stream still has it, what is archived is read there; a run that goes on behind its
    // archive is counted once.
    world.archive(&run).await;
    run.say(0, "more").await;
    let edge = Edge::start(&world.server, Config::default()).await.address;
    let mut resumed = follow(edge, "a", &events[2].id).await;
    resumed.until("caught-up").await;
    let _whole = caught_up(edge, "a").await;
    assert_eq!((meters.of(WINDOW), meters.of(STREAM)), (4.0, 1.0));
    assert_eq!(meters.of(ARCHIVE), 1.0);
}

#[tokio::test]
async fn what_was_not_heard_is_counted_once_when_it_is_found_and_when_it_is_healed() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut run = world.run("h", 1).await;
    let mut viewer = caught_up(world.at(), "h").await;
    run.say(0, "heard").await;
    viewer.event().await.unwrap();
    let holes = || {
        (
            meters.of("holes_found_total"),
            meters.of("holes_healed_total"),
        )
    };
    assert_eq!(holes(), (0.0, 0.0));
    let whole = config_of_runs(&world, None).await;
    let mut deaf = whole.clone();
    deaf.as_object_mut().unwrap().remove("republish");
    config_of_runs(&world, Some(deaf)).await;
    run.say(0, "missed").await;
    config_of_runs(&world, Some(whole)).await;
    run.say(0, "later").await;
    viewer.event().await.unwrap();
    viewer.event().await.unwrap();
    assert_eq!(holes(), (1.0, 1.0));
    // Once, whatever follows.
    run.say(0, "heard again").await;
    viewer.event().await.unwrap();
    assert_eq!(holes(), (1.0, 1.0));
}

/// The configuration of the stream of runs, after it was set if one is given.
async fn config_of_runs(world: &World, set: Option<Value>) -> Value {
    let (what, body) = match set {
        Some(config) => ("UPDATE", config.to_string()),
        None => ("INFO", String::new()),
    };
    let subject = format!("$JS.API.STREAM.{what}.AIDEATOR_RUNS");
    let asked = world
        .admin
        .request(&subject, body.into(), Duration::from_secs(5));
    let answer: Value = serde_json::from_slice(&soon(asked).await.unwrap()).unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    answer["config"].clone()
}

#[tokio::test]
async fn what_is_no_longer_kept_is_counted_as_a_gap() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut run = world.run("p", 1).await;
    for n in 0..4 {
        run.say(0, &n.to_string()).await;
    }
    let out = Subject::out(&run.id, Variation::at(0).unwrap());
    let ask = serde_json::json!({ "filter": out.as_str(), "keep": 1 }).to_string();
    let purge = "$JS.API.STREAM.PURGE.AIDEATOR_RUNS";
    let asked = world
        .admin
        .request(purge, ask.into(), Duration::from_secs(5));
    soon(asked).await.unwrap();
    assert_eq!(meters.of("gaps_total"), 0.0);
    run.go(0, State::Succeeded).await;
    let events = follow(world.at(), "p", "").await.until("end").await;
    let told = events.iter().filter(|event| event.name == "gap").count();
    assert_eq!((told, meters.of("gaps_total")), (1, 1.0));
}
