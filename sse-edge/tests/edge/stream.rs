use std::time::Duration;

use aideator_contract::{State, Variation};

use crate::client::{Event, follow, get, send, text_of};
use crate::world::{Edge, World, soon};

#[tokio::test]
async fn a_viewer_who_joins_in_the_middle_sees_all_and_the_end() {
    let world = World::begin().await;
    let mut run = world.run("a", 2).await;
    run.go(0, State::Running).await;
    for word in ["one ", "two "] {
        run.say(0, word).await;
    }
    let mut viewer = follow(world.at(), "a", "").await;
    assert_eq!(viewer.status, 200);
    assert_eq!(viewer.headers["content-type"], "text/event-stream");
    assert_eq!(viewer.headers["cache-control"], "no-cache, no-transform");
    assert_eq!(viewer.headers["x-accel-buffering"], "no");
    let past = viewer.until("caught-up").await;
    assert_eq!(text_of(&past, 0), "one two ");
    run.say(0, "three").await;
    run.go(1, State::Cancelled).await;
    run.go(0, State::Succeeded).await;
    let rest = viewer.until("end").await;
    assert_eq!(text_of(&rest, 0), "three");
    assert_eq!(viewer.event().await, None);
    let end = rest.last().unwrap();
    assert_eq!(end.data, r#"{"run_id":"a","status":"finished"}"#);
    assert_eq!(follow(world.at(), "a", &end.id).await.status, 204);

    // The run grows: an old viewer is told when it asks again.
    run.retry(0).await;
    let mut viewer = follow(world.at(), "a", &end.id).await;
    assert_eq!(viewer.status, 200);
    run.say(0, "again").await;
    run.go(0, State::Succeeded).await;
    let grown = viewer.until("end").await;
    assert_eq!(text_of(&grown, 0), "again");
}

#[tokio::test]
async fn a_place_where_nothing_is_costs_its_viewer_a_gap_and_nobody_else_anything() {
    let world = World::begin().await;
    let mut run = world.run("here", 1).await;
    run.say(0, "all ").await;
    run.say(0, "of it").await;
    let mut other = world.run("other", 1).await;
    other.say(0, "words").await;
    let elsewhere = follow(world.at(), "other", "")
        .await
        .until("caught-up")
        .await;
    let elsewhere = elsewhere.last().unwrap().id.clone();
    // The first viewer of a run decides where its hub begins.
    let mut lost = follow(world.at(), "here", &elsewhere).await;
    let mut innocent = follow(world.at(), "here", "").await;
    let seen = innocent.until("caught-up").await;
    assert!(seen.iter().all(|event| event.name != "gap"), "{seen:?}");
    assert_eq!(text_of(&seen, 0), "all of it");
    let seen = lost.until("caught-up").await;
    assert_eq!(seen[0].name, "gap");
    assert_eq!(text_of(&seen, 0), "all of it");
}

/// What a viewer is left with who has these events, and then those.
fn stored(events: &[Event]) -> Vec<String> {
    let stored = |event: &&Event| event.name.is_empty() || event.name == "state";
    let events = events.iter().filter(stored);
    events.map(|event| event.data.clone()).collect()
}

#[tokio::test]
async fn who_resumes_at_any_id_on_any_edge_gets_exactly_the_rest() {
    let world = World::begin().await;
    let other = Edge::start(&world.server, aideator_edge::Config::default()).await;
    let mut run = world.run("b", 3).await;
    for n in 0..12 {
        run.say(n % 3, &format!("{n} ")).await;
        if n == 5 {
            run.go(1, State::Failed).await;
            run.retry(1).await;
        }
    }
    let mut watching = follow(other.address, "b", "").await;
    for v in 0..3 {
        run.go(v, State::Succeeded).await;
    }
    let all = watching.until("end").await;
    let per_variation = |events: &[Event], v: u64| -> Vec<String> {
        let of = |data: &String| {
            let json: serde_json::Value = serde_json::from_str(data).unwrap();
            json["variation"] == v || json["change"].is_object() && v == 9
        };
        stored(events).into_iter().filter(of).collect()
    };
    for at in 0..all.len() {
        let mut events = all[..=at].to_vec();
        let mut viewer = follow(world.at(), "b", &all[at].id).await;
        if viewer.status == 204 {
            assert_eq!(stored(&events).len(), stored(&all).len());
            continue;
        }
        events.extend(viewer.until("end").await);
        for v in [0, 1, 2, 9] {
            assert_eq!(
                per_variation(&events, v),
                per_variation(&all, v),
                "resumed at {at}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_when_nats_is_killed() {
    let mut world = World::begin().await;
    let mut run = world.run("k", 1).await;
    let mut viewer = follow(world.at(), "k", "").await;
    let mut events = viewer.until("caught-up").await;
    let mut said = String::new();
    for round in 0..4 {
        for n in 0..20 {
            let word = format!("{round}.{n} ");
            run.say(0, &word).await;
            said += &word;
        }
        world.server.restart().await;
    }
    run.go(0, State::Succeeded).await;
    events.extend(viewer.until("end").await);
    assert_eq!(text_of(&events, 0), said);
    let outs = events.iter().filter(|event| event.name.is_empty()).count();
    assert_eq!(outs, 80, "each once");
    assert!(events.iter().all(|event| event.name != "gap"));
}

#[tokio::test]
async fn who_was_shown_what_is_purged_is_told_so_and_gets_what_is_left() {
    let world = World::begin().await;
    let mut run = world.run("p", 1).await;
    for n in 0..4 {
        run.say(0, &n.to_string()).await;
    }
    run.go(0, State::Succeeded).await;
    let all = follow(world.at(), "p", "").await.until("end").await;
    let out = aideator_contract::Subject::out(&run.id, Variation::at(0).unwrap());
    let ask = serde_json::json!({ "filter": out.as_str(), "keep": 1 }).to_string();
    let purge = "$JS.API.STREAM.PURGE.AIDEATOR_RUNS";
    let limit = Duration::from_secs(5);
    world.admin.request(purge, ask.into(), limit).await.unwrap();

    // Another edge, that has seen none of it.
    let edge = Edge::start(&world.server, aideator_edge::Config::default()).await;
    let rest = follow(edge.address, "p", &all[2].id)
        .await
        .until("end")
        .await;
    assert_eq!(rest[0].name, "gap");
    assert_eq!(text_of(&rest, 0), "3");
    let fresh = follow(edge.address, "p", "").await.until("end").await;
    let gap = fresh.iter().find(|event| event.name == "gap").unwrap();
    assert!(gap.data.contains(r#""variation":0"#), "{}", gap.data);
    assert_eq!(text_of(&fresh, 0), "3");
}

#[tokio::test]
async fn a_position_of_another_stream_is_a_gap() {
    let world = World::begin().await;
    let mut run = world.run("e", 1).await;
    run.say(0, "x").await;
    let mut viewer = follow(world.at(), "e", "1.5.0.1").await;
    let events = viewer.until("caught-up").await;
    assert_eq!(events[0].name, "gap");
    assert_eq!(text_of(&events, 0), "x");
    // In the query, for those who can't send the header.
    let path = format!("/api/v1/runs/e/stream?lastEventId={}", events[2].id);
    let mut viewer = get(world.at(), &path).await;
    let rest = viewer.until("caught-up").await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    let header = ("last-event-id", events[1].id.as_str());
    let mut viewer = send(world.at(), "GET", &path, &[header], "").await;
    assert_eq!(text_of(&viewer.until("caught-up").await, 0), "x");
}

#[tokio::test]
async fn a_run_that_comes_later_is_waited_for() {
    let world = World::begin().await;
    let mut viewer = follow(world.at(), "later", "").await;
    assert_eq!(viewer.status, 200);
    let mut run = world.run("later", 1).await;
    run.say(0, "here").await;
    run.go(0, State::Succeeded).await;
    assert_eq!(text_of(&viewer.until("end").await, 0), "here");
}

#[tokio::test]
async fn the_edge_makes_no_consumer() {
    let world = World::begin().await;
    let mut runs = Vec::new();
    let mut viewers = Vec::new();
    for name in ["x", "y"] {
        let mut run = world.run(name, 1).await;
        run.say(0, "1").await;
        for _ in 0..3 {
            viewers.push(follow(world.at(), name, "").await);
        }
        runs.push(run);
    }
    for viewer in &mut viewers {
        viewer.until("caught-up").await;
    }
    let ask = "$JS.API.CONSUMER.NAMES.AIDEATOR_RUNS";
    let answer = world
        .admin
        .request(ask, "".into(), Duration::from_secs(5))
        .await;
    let answer: serde_json::Value = serde_json::from_slice(&answer.unwrap()).unwrap();
    assert_eq!(answer["total"], 0, "{answer}");
}

#[tokio::test]
async fn many_viewers_of_a_fast_run_all_see_all_of_it() {
    let world = World::begin().await;
    let mut run = world.run("f", 2).await;
    let at = world.at();
    let viewers: Vec<_> = (0..8)
        .map(|viewer| {
            tokio::spawn(async move {
                let mut events = Vec::new();
                let mut id = String::new();
                loop {
                    // Leaves and comes back, again and again.
                    let mut answer = follow(at, "f", &id).await;
                    for _ in 0..20 + viewer * 30 {
                        let Some(event) = answer.event().await else {
                            break;
                        };
                        if !event.id.is_empty() {
                            id.clone_from(&event.id);
                        }
                        let ended = event.name == "end";
                        events.push(event);
                        if ended {
                            return events;
                        }
                    }
                }
            })
        })
        .collect();
    let mut said = [String::new(), String::new()];
    for n in 0..600 {
        let word = format!("{n} ");
        run.say(n % 2, &word).await;
        said[n % 2] += &word;
    }
    run.go(0, State::Succeeded).await;
    run.go(1, State::Succeeded).await;
    for viewer in viewers {
        let events = soon(viewer).await.unwrap();
        for (v, said) in said.iter().enumerate() {
            assert_eq!(&text_of(&events, v as u64), said);
        }
        let outs = events.iter().filter(|event| event.name.is_empty());
        assert_eq!(outs.count(), 600, "each once");
    }
}

#[tokio::test]
async fn a_rejected_run_is_its_rejection_and_the_end() {
    let world = World::begin().await;
    world.rejected("no").await;
    let mut viewer = follow(world.at(), "no", "").await;
    let events = viewer.until("end").await;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["state", "caught-up", "end"]);
    assert_eq!(events[2].data, r#"{"run_id":"no","status":"rejected"}"#);
    assert_eq!(follow(world.at(), "no", &events[0].id).await.status, 204);
}

#[tokio::test]
async fn a_run_that_never_comes_is_an_error_in_the_stream() {
    let world = World::begin().await;
    let config = aideator_edge::Config {
        unknown_run: Duration::from_millis(100),
        ..Default::default()
    };
    let edge = Edge::start(&world.server, config).await;
    let mut viewer = follow(edge.address, "never", "").await;
    let error = viewer.event().await.unwrap();
    assert_eq!((error.name.as_str(), error.id.as_str()), ("error", ""));
    assert!(error.data.contains("unknown-run"), "{}", error.data);
    assert_eq!(viewer.event().await, None);
}

#[tokio::test]
async fn who_resumes_while_the_edge_still_reads_the_past_sees_nothing_twice() {
    let world = World::begin().await;
    let mut run = world.run("w", 2).await;
    for n in 0..400 {
        run.say(n % 2, &format!("{n} ")).await;
    }
    let all = follow(world.at(), "w", "").await.until("caught-up").await;
    for at in [1, 200, 399] {
        let cold = Edge::start(&world.server, aideator_edge::Config::default()).await;
        let mut first = follow(cold.address, "w", "").await;
        let mut second = follow(cold.address, "w", &all[at].id).await;
        let rest = second.until("caught-up").await;
        assert_eq!(stored(&rest).len(), 400 - at, "resumed at {at}");
        assert_eq!(stored(&first.until("caught-up").await).len(), 401);
    }
}
