//! `?snapshot=1`: what was said so far at once, then what comes.

use std::time::Duration;

use aideator_contract::{State, Subject, Variation};
use aideator_edge::Config;
use serde_json::{Value, json};

use crate::client::{Event, get, send};
use crate::world::{Edge, World, soon};

const STREAM: &str = "/api/v1/runs/a/stream?snapshot=1";

/// What a viewer has been told of a variation: every event, deltas of one part joined.
fn told(events: &[Event], variation: u64) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    for event in events {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let said = match event.name.as_str() {
            "snapshot" => data["events"].as_array().unwrap().clone(),
            "" => vec![data.clone()],
            _ => continue,
        };
        if data["variation"] != variation {
            continue;
        }
        for mut event in said {
            let event = event.as_object_mut().unwrap();
            let Some(delta) = event["delta"].as_str().map(str::to_owned) else {
                told.push(json!(event));
                continue;
            };
            match told.last_mut() {
                Some(last) if last["id"] == event["id"] && last["attempt"] == event["attempt"] => {
                    last["delta"] = json!(last["delta"].as_str().unwrap().to_owned() + &delta);
                }
                _ => told.push(json!({
                    "id": event["id"], "attempt": event["attempt"], "delta": delta,
                })),
            }
        }
    }
    told
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn at_any_moment_a_snapshot_and_what_follows_is_what_a_replay_is() {
    let world = World::begin().await;
    let mut run = world.run("a", 2).await;
    run.go(0, State::Running).await;
    let mut viewers = Vec::new();
    for n in 0..60 {
        run.say(n % 2, &format!("{n} ")).await;
        if n % 7 == 0 {
            viewers.push(get(world.at(), STREAM).await);
        }
        if n == 30 {
            run.go(1, State::Failed).await;
            run.retry(1).await;
        }
    }
    for v in 0..2 {
        run.go(v, State::Succeeded).await;
    }
    viewers.push(get(world.at(), STREAM).await);
    let replay = get(world.at(), "/api/v1/runs/a/stream");
    let replay = replay.await.until("end").await;
    assert!(replay.iter().all(|event| event.name != "snapshot"));
    for mut viewer in viewers {
        let events = viewer.until("end").await;
        for variation in 0..2 {
            assert_eq!(told(&events, variation), told(&replay, variation));
        }
        let last = |events: &[Event]| {
            let state = events.iter().rfind(|event| event.name == "state");
            state.map(|event| event.data.clone())
        };
        assert_eq!(last(&events), last(&replay));
        assert!(names(&events).contains(&"snapshot"));
    }
}

#[tokio::test]
async fn a_finished_run_is_one_event_a_variation_and_each_id_goes_on_as_a_replay() {
    let world = World::begin().await;
    let mut run = world.run("a", 2).await;
    for n in 0..40 {
        run.say(n % 2, &format!("{n} ")).await;
    }
    for v in 0..2 {
        run.go(v, State::Succeeded).await;
    }
    let events = get(world.at(), STREAM).await.until("end").await;
    let order = ["state", "snapshot", "snapshot", "state", "caught-up", "end"];
    assert_eq!(names(&events), order);
    let replay = get(world.at(), "/api/v1/runs/a/stream");
    let replay = replay.await.until("end").await;
    for cut in 0..3 {
        let headers = [("last-event-id", events[cut].id.as_str())];
        let mut rest = send(world.at(), "GET", STREAM, &headers, "").await;
        let rest = rest.until("end").await;
        // An EventSource asks for the same address again: it is not begun anew.
        assert!(!names(&rest).contains(&"snapshot"));
        let all = [&events[..=cut], &rest].concat();
        for variation in 0..2 {
            assert_eq!(told(&all, variation), told(&replay, variation), "{cut}");
        }
        let last_state = |events: &[Event]| events[events.len() - 3].data.clone();
        assert_eq!(last_state(&all), last_state(&replay), "the last state");
    }
}

#[tokio::test]
async fn a_run_nobody_knows_yet_is_waited_for_and_not_for_ever() {
    let world = World::begin().await;
    let mut viewer = get(world.at(), STREAM).await;
    let mut run = world.run("a", 1).await;
    run.say(0, "first").await;
    run.go(0, State::Succeeded).await;
    let events = viewer.until("end").await;
    assert_eq!(told(&events, 0)[0]["delta"], "first");
    let config = Config {
        unknown_run: Duration::from_millis(100),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    let path = "/api/v1/runs/unheard-of/stream?snapshot=1";
    let words = get(edge.address, path).await.until("error").await;
    assert_eq!(names(&words), ["error"]);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_told_before_the_snapshot() {
    let world = World::begin().await;
    let mut run = world.run("a", 1).await;
    run.say(0, "gone ").await;
    let kept = run.say(0, "kept").await;
    let subject = Subject::out(&run.id, Variation::at(0).unwrap());
    let purge = json!({ "filter": subject.as_str(), "seq": kept });
    let limit = Duration::from_secs(5);
    let subject = "$JS.API.STREAM.PURGE.AIDEATOR_RUNS";
    let purged = world
        .admin
        .request(subject, purge.to_string().into(), limit);
    soon(purged).await.unwrap();
    let events = get(world.at(), STREAM).await.until("caught-up").await;
    assert_eq!(names(&events), ["state", "gap", "snapshot", "caught-up"]);
    assert_eq!(told(&events, 0)[0]["delta"], "kept");
}

#[tokio::test]
async fn what_is_no_answer_to_whether_is_refused() {
    let world = World::begin().await;
    let refused = get(world.at(), "/api/v1/runs/a/stream?snapshot=maybe").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().await.contains("`snapshot` is 1 or 0"));
}
