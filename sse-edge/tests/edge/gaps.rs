//! Who asks for what is no longer there, or never was, is told so before anything that comes later.

use std::time::Duration;

use aideator_bus::Declared;
use aideator_contract::{State, Variation};
use aideator_edge::Config;
use aideator_edge::position::{Position, Track};
use serde_json::{Value, json};

use crate::client::{Event, JSON, follow, get, send, text_of};
use crate::world::{Edge, Run, World, soon};

impl World {
    async fn ask(&self, what: &str, body: Value) {
        let subject = format!("$JS.API.STREAM.{what}.AIDEATOR_RUNS");
        let limit = Duration::from_secs(5);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let asked = self.admin.request(&subject, body.into(), limit);
        let answer: Value = serde_json::from_slice(&soon(asked).await.unwrap()).unwrap();
        assert!(answer["error"].is_null(), "{what}: {answer}");
    }

    /// Retention takes a message.
    async fn remove(&self, sequence: u64) {
        self.ask("MSG.DELETE", json!({ "seq": sequence })).await;
    }

    /// An edge that has seen nothing yet.
    async fn cold(&self) -> Edge {
        Edge::start(&self.server, Config::default()).await
    }

    /// The stream of runs is lost, and made anew.
    async fn recreate(&self) {
        self.ask("DELETE", Value::Null).await;
        self.admin.ensure(&Declared::default()).await.unwrap();
    }
}

/// What a viewer is told of a variation, in order: its words, and `-` where something is missing.
fn told(events: &[Event], variation: u64) -> Vec<String> {
    let of = |event: &Event| {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let is_gap =
            event.name == "gap" && (data["variation"] == variation || data["variation"].is_null());
        let is_word = event.name.is_empty() && data["variation"] == variation;
        let word = || data["delta"].as_str().unwrap().to_owned();
        match (is_gap, is_word) {
            (true, _) => Some("-".to_owned()),
            (_, true) => Some(word()),
            _ if event.name == "state" => {
                let state =
                    &data["summary"]["variations"][usize::try_from(variation).unwrap()]["state"];
                (state == "succeeded" || state == "failed").then(|| "over".to_owned())
            }
            _ => None,
        }
    };
    let mut told: Vec<String> = events.iter().filter_map(of).collect();
    told.dedup();
    told
}

/// Says five words; returns their sequences.
async fn five(run: &mut Run, variation: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    for n in 0..5 {
        sequences.push(run.say(variation, &n.to_string()).await);
    }
    sequences
}

async fn all(edge: &Edge, id: &str) -> Vec<Event> {
    follow(edge.address, "g", id).await.until("end").await
}

#[tokio::test]
async fn what_is_missing_in_the_middle_is_told_in_the_middle() {
    let world = World::begin().await;
    let mut run = world.run("g", 2).await;
    let words = five(&mut run, 0).await;
    five(&mut run, 1).await;
    for v in 0..2 {
        run.go(v, State::Succeeded).await;
    }
    let whole = all(&world.edge, "").await;
    for gone in &words[2..4] {
        world.remove(*gone).await;
    }
    let fresh = all(&world.cold().await, "").await;
    assert_eq!(told(&fresh, 0), ["0", "1", "-", "4", "over"]);
    assert_eq!(told(&fresh, 1), ["0", "1", "2", "3", "4", "over"]);
    // Who was shown what is left, and what is gone.
    let id = |word: &str| {
        let is_it = |event: &&Event| text_of(&[(*event).clone()], 0) == word;
        whole.iter().find(is_it).unwrap().id.clone()
    };
    let edge = world.cold().await;
    assert_eq!(told(&all(&edge, &id("1")).await, 0), ["-", "4", "over"]);
    let again = told(&all(&world.cold().await, &id("2")).await, 0);
    assert_eq!(again, ["-", "0", "1", "-", "4", "over"]);
    // On an edge whose window begins behind it.
    assert_eq!(told(&all(&edge, "").await, 0), ["0", "1", "-", "4", "over"]);
    let log = get(edge.address, "/api/v1/runs/g/log").await.text().await;
    let lines: Vec<&str> = log.lines().collect();
    let gap = lines.iter().position(|line| line.starts_with("{\"gap\":"));
    assert!(lines[gap.unwrap() + 1].contains("\"delta\":\"4\""), "{log}");
}

#[tokio::test]
async fn what_is_missing_at_the_end_is_told_before_the_end_is() {
    let world = World::begin().await;
    let mut run = world.run("g", 2).await;
    let words = five(&mut run, 0).await;
    run.go(0, State::Failed).await;
    let retried = run.retry(0).await;
    assert_eq!(retried.get(), 2);
    let again = five(&mut run, 0).await;
    run.go(0, State::Succeeded).await;
    let other = five(&mut run, 1).await;
    run.go(1, State::Succeeded).await;
    let whole = all(&world.edge, "").await;
    // The end of the first attempt, all of the second, and all of the other variation.
    for gone in words[3..].iter().chain(&again).chain(&other) {
        world.remove(*gone).await;
    }
    let left = ["0", "1", "2", "-", "over", "-", "over"];
    let expected = || left.iter().map(ToString::to_string).collect::<Vec<_>>();
    let fresh = all(&world.cold().await, "").await;
    assert_eq!(told(&fresh, 0), expected());
    assert_eq!(told(&fresh, 1), ["-", "over"]);
    // Once each.
    let gaps = fresh.iter().filter(|event| event.name == "gap");
    assert_eq!(gaps.count(), 3);
    // Who resumes where it is still kept, alone behind the window too.
    let edge = world.cold().await;
    let at = whole
        .iter()
        .position(|event| text_of(std::slice::from_ref(event), 0) == "2")
        .unwrap();
    let rest = all(&edge, &whole[at].id).await;
    // One word about all of it, from where nothing more is.
    assert_eq!(told(&rest, 0), ["-", "over"]);
    assert_eq!(told(&all(&edge, "").await, 0), expected());
    // Who resumes behind two gaps is told of the third alone.
    let gaps = fresh.iter().enumerate();
    let gaps: Vec<_> = gaps.filter(|(_, event)| event.name == "gap").collect();
    let rest = all(&edge, &fresh[gaps[1].0 + 1].id).await;
    assert_eq!(told(&rest, 0), ["over"]);
    assert_eq!(told(&rest, 1), ["-", "over"]);
    let log = get(edge.address, "/api/v1/runs/g/log").await.text().await;
    assert_eq!(log.matches("{\"gap\":").count(), 3);
    // What the archive never had is told from there, too.
    let last = world.archive(&run).await;
    world.admin.purge_run(&run.id, last).await.unwrap();
    let archived = all(&world.cold().await, "").await;
    assert_eq!(told(&archived, 0), expected());
    assert_eq!(told(&archived, 1), ["-", "over"]);
}

#[tokio::test]
async fn what_left_the_stream_before_it_was_archived_is_told() {
    let world = World::begin().await;
    let mut run = world.run("g", 1).await;
    run.say(0, "archived").await;
    world.archive(&run).await;
    let words = five(&mut run, 0).await;
    world.admin.purge_run(&run.id, words[2]).await.unwrap();
    run.go(0, State::Succeeded).await;
    let expected = ["archived", "-", "3", "4", "over"];
    let fresh = all(&world.cold().await, "").await;
    assert_eq!(told(&fresh, 0), expected);
    let edge = world.cold().await;
    let at = fresh.iter().position(|event| event.name == "gap").unwrap();
    assert_eq!(told(&all(&edge, &fresh[at].id).await, 0), expected[1..]);
    assert_eq!(told(&all(&edge, "").await, 0), expected);
}

#[tokio::test]
async fn who_was_shown_more_than_there_is_is_told_that_the_end_is_lost() {
    let world = World::begin().await;
    let mut run = world.run("g", 1).await;
    let words = five(&mut run, 0).await;
    run.go(0, State::Succeeded).await;
    let seen = all(&world.edge, "").await;
    let mut position: Position = seen[2].id.parse().unwrap();
    let out = Track::Out(Variation::at(0).unwrap());
    position.shown.set(out, words[4] + 100);
    let rest = all(&world.edge, &position.to_string()).await;
    assert_eq!(rest[0].name, "gap");
    assert!(rest[0].data.contains("lost its end"), "{}", rest[0].data);
    assert_eq!(told(&rest, 0), ["-", "0", "1", "2", "3", "4", "over"]);
}

#[tokio::test]
async fn a_stream_that_is_made_anew_ends_its_viewers_and_is_a_gap_for_them() {
    let mut world = World::begin().await;
    let mut run = world.run("g", 1).await;
    run.say(0, "old").await;
    let mut viewer = follow(world.at(), "g", "").await;
    let seen = viewer.until("caught-up").await;
    world.recreate().await;
    let mut anew = world.run("g", 1).await;
    anew.say(0, "new").await;
    anew.go(0, State::Succeeded).await;
    world.server.restart().await;
    while let Some(event) = viewer.event().await {
        assert_ne!(event.name, "end", "{event:?}");
        assert_eq!(
            text_of(&[event], 0),
            "",
            "nothing of another stream follows"
        );
    }
    let id = &seen.last().unwrap().id;
    for edge in [&world.edge, &world.cold().await] {
        assert_eq!(told(&all(edge, id).await, 0), ["-", "new", "over"]);
    }
}

#[tokio::test]
async fn what_is_archived_from_a_stream_that_is_gone_stays_and_its_ids_hold() {
    let world = World::begin().await;
    let mut run = world.run("g", 1).await;
    five(&mut run, 0).await;
    run.go(0, State::Succeeded).await;
    let whole = all(&world.edge, "").await;
    world.archive(&run).await;
    world.recreate().await;
    let edge = world.cold().await;
    let again = all(&edge, "").await;
    assert_eq!(again, whole);
    let at = whole
        .iter()
        .position(|event| text_of(std::slice::from_ref(event), 0) == "2")
        .unwrap();
    assert_eq!(
        told(&all(&edge, &whole[at].id).await, 0),
        ["3", "4", "over"]
    );
    // Nothing can follow it, and who wants that is told so at once.
    for (what, body) in [("variations/0/retry", "{}"), ("pick", r#"{"variation":0}"#)] {
        let path = format!("/api/v1/runs/g/{what}");
        let answer = send(edge.address, "POST", &path, &[JSON], body).await;
        assert_eq!(answer.status, 409, "{what}");
    }
    // A place in the stream there is now is none in it.
    let mut other = world.run("other", 1).await;
    other.say(0, "word").await;
    let events = follow(edge.address, "other", "")
        .await
        .until("caught-up")
        .await;
    let id = &events.last().unwrap().id;
    assert_eq!(told(&all(&edge, id).await, 0)[..2], ["-", "0"]);
}

#[tokio::test]
async fn who_asks_for_a_place_in_a_run_nobody_knows_is_told_first_that_it_is_lost() {
    let world = World::begin().await;
    let config = Config {
        unknown_run: Duration::from_millis(100),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    let mut viewer = follow(edge.address, "never", "1.5.0.1").await;
    let names = [viewer.event().await, viewer.event().await].map(|event| event.unwrap().name);
    assert_eq!(names, ["gap", "error"]);
    assert_eq!(viewer.event().await, None);
}
