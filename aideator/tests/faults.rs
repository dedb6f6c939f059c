//! Five scripted variations stream while viewers join, leave and resume at random and every part is
//! killed and started again: each viewer's text stays what the model said, byte for byte.
//!
//! `AIDEATOR_SEED=N` repeats a schedule; `AIDEATOR_SOAK=1` makes it long.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::Summary;
use aideator_contract::subject::{Command, RUNS_STREAM};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use support::runs::{lorem, said_by, send, sha256, when_finished};
use support::stage::{Part, Stage};
use support::viewer::Viewer;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const RUN: &str = "faults";
const VARIATIONS: usize = 5;
const EDGES: usize = 2;
/// How long a killed part stays away at most.
const AWAY: Duration = Duration::from_millis(900);

/// How much happens.
#[derive(Debug, Clone, Copy)]
struct Plan {
    chunks: u32,
    rate: u32,
    viewers: usize,
    kills: usize,
    limit: Duration,
}

impl Plan {
    fn of_this_run() -> Self {
        if std::env::var_os("AIDEATOR_SOAK").is_some() {
            return Self {
                chunks: 2_000,
                rate: 20,
                viewers: 40,
                kills: 40,
                limit: Duration::from_secs(900),
            };
        }
        Self {
            chunks: 300,
            rate: 25,
            viewers: 8,
            kills: 7,
            limit: Duration::from_secs(120),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_viewer_sees_every_text_whatever_is_killed() {
    let stage = Stage::in_parts(EDGES, &[]).await;
    seeded(stage, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_depends_on_the_duplicate_window() {
    let stage = Stage::in_parts(EDGES, &["--duplicate-window", "1"]).await;
    seeded(stage, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_may_lose_its_leader() {
    let stage = Stage::beside_a_cluster(EDGES, &["--duplicate-window", "1"]).await;
    seeded(stage, 3).await;
}

async fn seeded(stage: Stage, usual: u64) {
    let given = std::env::var("AIDEATOR_SEED").ok();
    let seed = given.map_or(usual, |seed| seed.parse().unwrap());
    let plan = Plan::of_this_run();
    eprintln!("AIDEATOR_SEED={seed} repeats this: {plan:?}");
    let watched = timeout(plan.limit, watched(stage, seed, plan)).await;
    watched.unwrap_or_else(|_| panic!("not done in {:?} (AIDEATOR_SEED={seed})", plan.limit));
}

async fn watched(mut stage: Stage, seed: u64, plan: Plan) {
    let mut random = StdRng::seed_from_u64(seed);
    let models = (0..VARIATIONS as u64).map(|v| lorem(plan.chunks, plan.rate, seed * 10 + v));
    let models: Vec<String> = models.collect();
    let mut texts = Vec::new();
    for model in &models {
        texts.push(said_by(model).await);
    }
    let total: usize = texts.iter().map(String::len).sum();
    let edges: Vec<SocketAddr> = (0..EDGES).map(|edge| stage.edge(edge)).collect();

    let variations: Vec<_> = models.iter().map(|m| json!({ "model": m })).collect();
    let request = json!({ "run_id": RUN, "prompt": "go", "variations": variations });
    send(&stage.script().await, Command::Run, &request, None).await;

    let (progress, seen) = watch::channel(0.0);
    let mut viewers = JoinSet::new();
    viewers.spawn(steady(edges.clone(), total, progress));
    for _ in 0..plan.viewers {
        let random = StdRng::seed_from_u64(random.random());
        viewers.spawn(fickle(edges.clone(), seen.clone(), random));
    }
    let killed = kill_in_turn(&mut stage, &mut random, plan, seen);
    let watched = async {
        let mut all = Vec::new();
        while let Some(viewer) = viewers.join_next().await {
            all.push(viewer.unwrap());
        }
        all
    };
    let ((), mut all) = tokio::join!(killed, watched);

    let admin = stage.admin().await;
    let summary = when_finished(&admin, RUN).await;
    for edge in &edges {
        let mut later = Viewer::of(RUN);
        later.to_the_end(*edge).await;
        all.push(later);
    }
    check_summary(&summary, &texts);
    for (number, viewer) in all.iter().enumerate() {
        check_viewer(number, viewer, &texts, &all[0]);
    }
    check_stored(&admin, plan).await;
}

/// Watches from beginning to end, and tells how much of the text there is.
async fn steady(edges: Vec<SocketAddr>, total: usize, progress: watch::Sender<f64>) -> Viewer {
    let mut viewer = Viewer::of(RUN);
    let mut tries = 0;
    while !viewer.ended {
        tries += 1;
        if let Some(mut line) = viewer.join(edges[tries % edges.len()]).await {
            while viewer.next(&mut line).await.is_some() {
                #[expect(clippy::cast_precision_loss, reason = "it is a rough measure")]
                progress.send_replace(viewer.bytes() as f64 / total as f64);
            }
        }
    }
    progress.send_replace(f64::INFINITY);
    viewer
}

/// Joins when so much was said, stays for so many events, comes back later on any edge.
async fn fickle(
    edges: Vec<SocketAddr>,
    mut said: watch::Receiver<f64>,
    mut random: StdRng,
) -> Viewer {
    let mut viewer = Viewer::of(RUN);
    let mut next_visit: f64 = random.random_range(0.0..0.8);
    while !viewer.ended {
        said.wait_for(|said| *said >= next_visit).await.unwrap();
        let edge = edges[random.random_range(0..edges.len())];
        let mut stay: u32 = random.random_range(1..200);
        if let Some(mut line) = viewer.join(edge).await {
            while stay > 0 && viewer.next(&mut line).await.is_some() {
                stay -= 1;
            }
        }
        next_visit = *said.borrow() + random.random_range(0.0..0.15);
    }
    viewer
}

/// One part after the other is killed when so much was said, and started again a moment later.
async fn kill_in_turn(
    stage: &mut Stage,
    random: &mut StdRng,
    plan: Plan,
    mut said: watch::Receiver<f64>,
) {
    let mut turn = Vec::new();
    for kill in 0..plan.kills {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let due = (kill as f64 + random.random_range(0.0..0.8)) / plan.kills as f64 * 0.95;
        said.wait_for(|said| *said >= due).await.unwrap();
        if turn.is_empty() {
            turn = vec![
                Part::Nats,
                Part::Submitter,
                Part::Watcher,
                Part::Edge(0),
                Part::Edge(1),
            ];
            turn.shuffle(random);
        }
        let part = turn.pop().expect("it was filled");
        let away = random.random_range(Duration::ZERO..AWAY);
        eprintln!("{due:.2}: {part:?} is killed for {away:?}");
        if part == Part::Nats && stage.has_cluster() {
            let leader = stage.cluster().kill_leader(RUNS_STREAM).await;
            sleep(away).await;
            stage.cluster().restart(leader).await;
        } else {
            stage.kill(part).await;
            sleep(away).await;
            stage.start(part).await;
        }
    }
}

fn check_summary(summary: &Summary, texts: &[String]) {
    let summary = serde_json::to_value(summary).unwrap();
    for (number, text) in texts.iter().enumerate() {
        let variation = &summary["variations"][number];
        assert_eq!(variation["state"], "succeeded", "{variation}");
        assert_eq!(variation["attempt"], 1, "{variation}");
        let digest = json!({ "sha256": sha256(text), "bytes": text.len() });
        assert_eq!(variation["digest"], digest, "variation {number}");
    }
}

fn check_viewer(number: usize, viewer: &Viewer, texts: &[String], first: &Viewer) {
    assert_eq!(viewer.faults, Vec::<String>::new(), "viewer {number}");
    for (variation, text) in (0..).zip(texts) {
        let seen = viewer.text(variation, 1);
        assert!(
            seen == text,
            "viewer {number}, variation {variation}: {} of {} bytes, the first difference at {:?}",
            seen.len(),
            text.len(),
            seen.bytes().zip(text.bytes()).position(|(a, b)| a != b),
        );
        assert!(
            viewer.events[&variation] == first.events[&variation],
            "viewer {number} saw other events of variation {variation}"
        );
    }
    assert_eq!(
        viewer.state, first.state,
        "viewer {number} knows the last state"
    );
}

/// Nothing is stored twice, whatever was sent twice.
async fn check_stored(admin: &Bus, plan: Plan) {
    for number in 0..VARIATIONS {
        let events = support::runs::events(admin, RUN, number).await;
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event["n"], n, "variation {number}: {event}");
        }
        let most = plan.chunks as usize + 20;
        assert!(events.len() > 20 && events.len() <= most);
    }
}
