//! Several runs on one connection.

use std::time::Duration;

use aideator_contract::State;
use aideator_edge::Config;
use serde_json::Value;

use crate::client::{Answer, Event, follow, get, get_again, send};
use crate::world::{Edge, World, soon};

const STREAM: &str = "/api/v1/stream?run=b&run=a&run=b";

async fn from(world: &World, id: &str) -> Answer {
    send(world.at(), "GET", STREAM, &[("last-event-id", id)], "").await
}

/// All events up to the last word about the runs.
async fn rest(viewer: &mut Answer) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = soon(viewer.event()).await {
        events.push(event);
    }
    events
}

/// What was stored of a run, in order.
fn stored<'a>(events: &'a [Event], run: &str) -> Vec<&'a str> {
    let of = |event: &&Event| {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        matches!(event.name.as_str(), "" | "state") && data["run"] == run
    };
    let stored = events.iter().filter(of);
    stored.map(|event| event.data.as_str()).collect()
}

/// How often this word was said about each run.
fn words(events: &[Event], name: &str) -> Vec<String> {
    let said = events.iter().filter(|event| event.name == name);
    let mut runs: Vec<_> = said
        .map(|event| serde_json::from_str::<Value>(&event.data).unwrap()["run_id"].to_string())
        .collect();
    runs.sort();
    runs
}

#[tokio::test]
async fn runs_share_a_connection_and_each_goes_on_where_it_was_cut() {
    let world = World::begin().await;
    let mut a = world.run("a", 1).await;
    let mut b = world.run("b", 2).await;
    let mut live = from(&world, "").await;
    assert_eq!(live.status, 200);
    for n in 0..20 {
        a.say(0, &format!("{n} ")).await;
        b.say(n % 2, &format!("{n} ")).await;
    }
    a.go(0, State::Succeeded).await;
    for v in 0..2 {
        b.go(v, State::Succeeded).await;
    }
    let seen = rest(&mut live).await;
    assert_eq!(words(&seen, "end"), [r#""a""#, r#""b""#]);
    assert_eq!(words(&seen, "caught-up"), [r#""a""#, r#""b""#]);
    let whole = |run| {
        let alone = follow(world.at(), run, "");
        async move { alone.await.until("end").await }
    };
    let (alone_a, alone_b) = (whole("a").await, whole("b").await);
    assert_eq!(stored(&seen, "a"), stored(&alone_a, "a"));
    assert_eq!(stored(&seen, "b"), stored(&alone_b, "b"));
    let mut complete = 0;
    for cut in 0..seen.len() {
        let mut viewer = from(&world, &seen[cut].id).await;
        if viewer.status == 204 {
            complete += 1;
            continue;
        }
        let all = [&seen[..=cut], &rest(&mut viewer).await].concat();
        for (run, alone) in [("a", &alone_a), ("b", &alone_b)] {
            assert_eq!(stored(&all, run), stored(alone, run), "cut behind {cut}");
        }
    }
    assert!(complete > 0);
    let end = &seen.last().unwrap().id;
    assert_eq!(from(&world, end).await.status, 204);
    // Through the HTTP library too, there with a body in pieces.
    let headers = [("last-event-id", seen[5].id.as_str())];
    let mut viewer = get_again(world.at(), STREAM, &headers).await;
    assert_eq!(viewer.status, 200);
    let all = [&seen[..=5], &rest(&mut viewer).await].concat();
    for (run, alone) in [("a", &alone_a), ("b", &alone_b)] {
        assert_eq!(stored(&all, run), stored(alone, run));
    }
}

#[tokio::test]
async fn a_live_stream_goes_on_where_it_was_cut_and_a_place_of_another_stream_is_a_gap() {
    let world = World::begin().await;
    let mut a = world.run("a", 1).await;
    let mut b = world.run("b", 1).await;
    a.say(0, "a1 ").await;
    b.say(0, "b1 ").await;
    let mut viewer = from(&world, "").await;
    let mut seen = Vec::new();
    while words(&seen, "caught-up").len() < 2 {
        seen.push(viewer.event().await.unwrap());
    }
    drop(viewer);
    a.say(0, "a2 ").await;
    let mut viewer = from(&world, &seen.last().unwrap().id).await;
    b.say(0, "b2 ").await;
    for run in [&mut a, &mut b] {
        run.go(0, State::Succeeded).await;
    }
    seen.extend(rest(&mut viewer).await);
    for run in ["a", "b"] {
        let alone = follow(world.at(), run, "").await.until("end").await;
        assert_eq!(stored(&seen, run), stored(&alone, run));
    }
    let elsewhere = "a:1.9.0,b:1.9.0";
    let again = rest(&mut from(&world, elsewhere).await).await;
    assert_eq!(words(&again, "gap"), [r#""a""#, r#""b""#]);
    let first = |run: &str| {
        let said = format!(r#"":"{run}""#);
        again.iter().find(|event| event.data.contains(&said))
    };
    assert!(
        ["a", "b"]
            .iter()
            .all(|run| first(run).unwrap().name == "gap")
    );
}

#[tokio::test]
async fn a_run_nobody_knows_ends_alone() {
    let world = World::begin().await;
    let config = Config {
        unknown_run: Duration::from_millis(100),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    let mut a = world.run("a", 1).await;
    let path = "/api/v1/stream?run=a&run=unheard-of";
    let mut viewer = get(edge.address, path).await;
    let error = viewer.until("error").await;
    let error: Value = serde_json::from_str(&error.last().unwrap().data).unwrap();
    assert_eq!(
        (&error["run_id"], &error["status"]),
        (&"unheard-of".into(), &404.into())
    );
    a.say(0, "still here").await;
    a.go(0, State::Succeeded).await;
    let events = rest(&mut viewer).await;
    assert_eq!(words(&events, "end"), [r#""a""#]);
}

#[tokio::test]
async fn a_snapshot_is_told_of_each() {
    let world = World::begin().await;
    for name in ["a", "b"] {
        let mut run = world.run(name, 1).await;
        for word in ["one ", "two"] {
            run.say(0, word).await;
        }
        run.go(0, State::Succeeded).await;
    }
    let path = format!("{STREAM}&snapshot=1");
    let events = rest(&mut get(world.at(), &path).await).await;
    assert_eq!(words(&events, "snapshot"), [r#""a""#, r#""b""#]);
    // Behind the acceptance of one, so nothing was shown of the other.
    let headers = [("last-event-id", events[0].id.as_str())];
    let mut cut = send(world.at(), "GET", &path, &headers, "").await;
    assert_eq!(words(&rest(&mut cut).await, "snapshot").len(), 1);
}

#[tokio::test]
async fn what_can_not_be_used_is_refused() {
    let world = World::begin().await;
    let many: Vec<_> = (0..17).map(|n| format!("run=r{n}")).collect();
    let many = format!("/api/v1/stream?{}", many.join("&"));
    for path in ["/api/v1/stream", "/api/v1/stream?run=NO", &many] {
        let refused = get(world.at(), path).await;
        assert_eq!(refused.status, 422, "{path}");
    }
    assert_eq!(from(&world, "1.5.0.1").await.status, 400, "of one run");
}
