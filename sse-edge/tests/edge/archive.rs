//! Runs that are archived, and have left the stream or not.

use aideator_bus::archive::Archiver;
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{State, Subject};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::client::{Event, follow, get, send, text_of};
use crate::world::{Edge, Run, World};

impl World {
    /// Plays the watcher: the run is archived as it is now.
    pub(crate) async fn archive(&self, run: &Run) -> u64 {
        let archives = self.admin.archives();
        let mut archiver = match archives.get(&run.id).await.unwrap() {
            Some(before) => Archiver::behind(before),
            None => Archiver::new(self.admin.stream_state(RUNS_STREAM).await.unwrap().epoch),
        };
        let all = Subject::run_all(&run.id);
        let mut all = self.admin.scan(RUNS_STREAM, all.as_str(), 1, None);
        while let Some(stored) = all.next().await {
            archiver.push(&stored.unwrap());
        }
        let last = archiver.last();
        archives.put(&run.id, &archiver.finish()).await.unwrap();
        last
    }

    async fn purge(&self, run: &Run, last: u64) {
        assert!(self.admin.purge_run(&run.id, last).await.unwrap() > 0);
    }

    async fn other_edge(&self) -> Edge {
        Edge::start(&self.server, aideator_edge::Config::default()).await
    }
}

/// What viewers are shown of a track: the events of a variation, or, with 9, the state log.
fn track(events: &[Event], track: u64) -> Vec<&str> {
    let of = |event: &&Event| match event.name.as_str() {
        "" => serde_json::from_str::<Value>(&event.data).unwrap()["variation"] == track,
        "state" => track == 9,
        _ => false,
    };
    events
        .iter()
        .filter(of)
        .map(|event| event.data.as_str())
        .collect()
}

async fn finished(world: &World, name: &str) -> Run {
    let mut run = world.run(name, 2).await;
    run.go(0, State::Running).await;
    for n in 0..20 {
        run.say(n % 2, &format!("{n} ")).await;
        if n == 9 {
            run.go(1, State::Failed).await;
            run.retry(1).await;
        }
    }
    for v in 0..2 {
        run.go(v, State::Succeeded).await;
    }
    run
}

#[tokio::test]
async fn a_run_replays_and_resumes_the_same_from_stream_archive_and_both() {
    let world = World::begin().await;
    let mut run = finished(&world, "a").await;
    let from_stream = follow(world.at(), "a", "").await.until("end").await;
    let last = world.archive(&run).await;
    let both = world.other_edge().await;
    let from_both = follow(both.address, "a", "").await.until("end").await;
    world.purge(&run, last).await;
    let cold = world.other_edge().await;
    let from_archive = follow(cold.address, "a", "").await.until("end").await;
    for t in [0, 1, 9] {
        assert_eq!(track(&from_both, t), track(&from_stream, t));
        assert_eq!(track(&from_archive, t), track(&from_stream, t));
    }
    // The edge that has shown it, too, and whoever was cut anywhere.
    for edge in [world.at(), cold.address] {
        for at in 0..from_stream.len() {
            let mut viewer = follow(edge, "a", &from_stream[at].id).await;
            if viewer.status == 204 {
                // The last entry of the state log, `caught-up` and `end`.
                assert!(at >= from_stream.len() - 3);
                continue;
            }
            let mut events = from_stream[..=at].to_vec();
            events.extend(viewer.until("end").await);
            assert!(
                events.iter().all(|event| event.name != "gap"),
                "cut at {at}"
            );
            for t in [0, 1, 9] {
                assert_eq!(track(&events, t), track(&from_stream, t), "cut at {at}");
            }
        }
    }

    // It grows behind what has left the stream, and is archived again.
    let end = from_archive.last().unwrap().id.clone();
    run.retry(0).await;
    run.say(0, "again").await;
    let mut growing = follow(cold.address, "a", &end).await;
    let fresh = world.other_edge().await;
    let mut whole = follow(fresh.address, "a", "").await;
    run.go(0, State::Succeeded).await;
    let grown = growing.until("end").await;
    assert_eq!(text_of(&grown, 0), "again");
    let whole = whole.until("end").await;
    assert!(whole.iter().all(|event| event.name != "gap"), "{whole:?}");
    let last = world.archive(&run).await;
    world.purge(&run, last).await;
    let edge = world.other_edge().await;
    let archived = follow(edge.address, "a", "").await.until("end").await;
    for t in [0, 1, 9] {
        assert_eq!(track(&archived, t), track(&whole, t));
    }
}

#[tokio::test]
async fn a_run_that_leaves_the_stream_while_it_is_read_is_read_whole() {
    let world = World::begin().await;
    let mut run = world.run("m", 1).await;
    for n in 0..3000 {
        run.say(0, &format!("{n} ")).await;
    }
    run.go(0, State::Succeeded).await;
    let mut viewer = follow(world.at(), "m", "").await;
    let mut events = vec![viewer.event().await.unwrap()];
    let last = world.archive(&run).await;
    world.purge(&run, last).await;
    events.extend(viewer.until("end").await);
    assert!(events.iter().all(|event| event.name != "gap"));
    let said: String = (0..3000).map(|n| format!("{n} ")).collect();
    assert_eq!(text_of(&events, 0), said);
}

#[tokio::test]
async fn an_archived_run_is_there_for_whoever_asks() {
    let world = World::begin().await;
    let run = finished(&world, "a").await;
    let before = get(world.at(), "/api/v1/runs/a").await.json().await;
    let log = get(world.at(), "/api/v1/runs/a/log").await.text().await;
    let last = world.archive(&run).await;
    world.purge(&run, last).await;
    let edge = world.other_edge().await;
    assert_eq!(
        get(edge.address, "/api/v1/runs/a").await.json().await,
        before
    );
    assert_eq!(
        get(edge.address, "/api/v1/runs/a/log").await.text().await,
        log
    );
    assert_eq!(get(edge.address, "/api/v1/runs/b").await.status, 404);
    let pick = json!({ "variation": 0 }).to_string();
    let headers = [("content-type", "application/json")];
    let picked = send(edge.address, "POST", "/api/v1/runs/a/pick", &headers, &pick).await;
    assert_eq!(picked.status, 202);
}

#[tokio::test]
async fn a_log_up_to_a_place_is_kept_for_ever_and_given_in_parts() {
    let world = World::begin().await;
    let mut run = world.run("l", 1).await;
    for n in 0..5 {
        run.say(0, &n.to_string()).await;
    }
    let path = "/api/v1/runs/l/log";
    let now = get(world.at(), path).await;
    assert_eq!(now.headers["cache-control"], "no-cache");
    let tag = now.headers["etag"].clone();
    let whole = now.text().await;
    assert_eq!(whole.lines().count(), 6);
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        send(world.at(), "GET", path, headers, "").await
    };
    assert_eq!(ask(path, &[("if-none-match", &tag)]).await.status, 304);

    run.say(0, "more").await;
    let grown = ask(path, &[("if-none-match", &tag)]).await;
    assert_eq!(grown.status, 200);
    assert_ne!(grown.headers["etag"], tag);
    let to = format!("{path}?to={}", tag.trim_matches('"'));
    let fixed = ask(&to, &[]).await;
    assert_eq!(
        fixed.headers["cache-control"],
        "private, max-age=31536000, immutable"
    );
    assert_eq!(fixed.headers["etag"], tag);
    assert_eq!(fixed.text().await, whole);

    let part = ask(&to, &[("range", "bytes=10-19")]).await;
    assert_eq!(part.status, 206);
    assert_eq!(
        part.headers["content-range"],
        format!("bytes 10-19/{}", whole.len())
    );
    assert_eq!(part.text().await, whole[10..20]);
    let last = ask(&to, &[("range", "bytes=-5"), ("if-range", &tag)]).await;
    assert_eq!(last.text().await, whole[whole.len() - 5..]);
    let other = ask(&to, &[("range", "bytes=0-4"), ("if-range", "\"1.2\"")]).await;
    assert_eq!(
        other.status, 200,
        "of another log no part is a part of this one"
    );
    assert_eq!(ask(&to, &[("range", "bytes=999999-")]).await.status, 416);
    assert_eq!(ask(&format!("{path}?to=1.5.0"), &[]).await.status, 422);
    assert_eq!(ask(&format!("{path}?to=nonsense"), &[]).await.status, 400);
}
