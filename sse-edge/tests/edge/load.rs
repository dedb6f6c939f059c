//! What happens when viewers are slow, vanish, or come all at once.

use std::time::Duration;

use aideator_contract::State;
use aideator_edge::Config;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Answer, follow, get, text_of};
use crate::meters::Meters;
use crate::world::{Edge, World, soon};

/// Somebody who asks for a stream and then reads nothing.
async fn stalled(edge: std::net::SocketAddr, run: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = soon(socket.connect(edge)).await.unwrap();
    let head = format!("GET /api/v1/runs/{run}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

#[tokio::test]
async fn a_viewer_who_leaves_is_noticed_at_once() {
    let meters = Meters::begin();
    let world = World::begin().await;
    world.run("l", 1).await;
    let mut viewer = follow(world.at(), "l", "").await;
    viewer.until("caught-up").await;
    assert_eq!(meters.of("viewers"), 1.0);
    drop(viewer);
    meters.until("viewers", 0.0).await;
}

#[tokio::test]
async fn a_viewer_who_reads_nothing_delays_nobody_and_is_ended() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let config = Config {
        gone_after: Duration::from_secs(1),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await.address;
    let mut run = world.run("s", 1).await;
    run.say(0, "first ").await;
    let mut healthy = follow(edge, "s", "").await;
    let mut events = healthy.until("caught-up").await;
    let _stalled = [stalled(edge, "s").await, stalled(edge, "s").await];
    meters.until("viewers", 3.0).await;
    // More than their sockets take, and than the window keeps.
    let word = "x".repeat(16 * 1024);
    let mut said = String::from("first ");
    for _ in 0..250 {
        run.say(0, &word).await;
        said += &word;
        while text_of(&events, 0).len() < said.len() {
            events.push(healthy.event().await.unwrap());
        }
    }
    assert_eq!(text_of(&events, 0), said);
    meters.until("viewers", 1.0).await;
    run.go(0, State::Succeeded).await;
    healthy.until("end").await;
}

#[tokio::test]
async fn who_reads_nothing_does_not_make_others_wait_for_joined_frames() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut run = world.run("w", 1).await;
    let mut healthy = follow(world.at(), "w", "").await;
    healthy.until("caught-up").await;
    let _stalled = [
        stalled(world.at(), "w").await,
        stalled(world.at(), "w").await,
    ];
    meters.until("viewers", 3.0).await;
    let word = "x".repeat(16 * 1024);
    let one_is_woken = async {
        loop {
            let before = meters.of("wakeups_total");
            run.say(0, &word).await;
            healthy.event().await.unwrap();
            if meters.of("wakeups_total") - before == 1.0 {
                return;
            }
        }
    };
    soon(one_is_woken).await;
}

#[tokio::test]
async fn a_viewer_who_pauses_gets_all_of_it_when_it_reads_on() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let word = "x".repeat(16 * 1024);
    // More than its socket takes: the window has the rest. More than the window keeps: the stream has it.
    let mut delivered = 0.0;
    for (run, words, falls) in [("in", 60, 0.0), ("out", 250, 1.0)] {
        let mut run = world.run(run, 1).await;
        let mut viewer = paused(world.at(), run.id.as_str()).await;
        let mut events = viewer.until("caught-up").await;
        let mut said = String::new();
        for _ in 0..words {
            run.say(0, &word).await;
            said += &word;
        }
        run.go(0, State::Succeeded).await;
        events.extend(viewer.until("end").await);
        assert_eq!(text_of(&events, 0), said);
        let outs = events.iter().filter(|event| event.name.is_empty()).count();
        assert_eq!(outs, words, "each once");
        assert_eq!(meters.of("slow_viewers_total"), falls);
        // And the run's first and last state.
        delivered += words as f64 + 2.0;
        assert_eq!(meters.of("deliveries_total"), delivered);
    }
}

/// A viewer whose connection takes little while it does not read.
async fn paused(edge: std::net::SocketAddr, run: &str) -> Answer {
    crate::client::read(stalled(edge, run).await).await
}

#[tokio::test]
async fn a_run_that_is_watched_by_many_is_joined_and_still_whole() {
    let world = World::begin().await;
    // No heartbeat wakes whom the pace forgets.
    let config = Config {
        heartbeat: Duration::from_secs(3600),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await.address;
    let mut run = world.run("j", 1).await;
    let mut viewers = Vec::new();
    for _ in 0..300 {
        let mut viewer = follow(edge, "j", "").await;
        viewer.until("caught-up").await;
        viewers.push(viewer);
    }
    let mut said = String::new();
    for n in 0..300 {
        let word = format!("{n} ");
        run.say(0, &word).await;
        said += &word;
    }
    run.go(0, State::Succeeded).await;
    for mut viewer in viewers {
        assert_eq!(text_of(&viewer.until("end").await, 0), said);
    }
}

#[tokio::test]
async fn who_comes_when_too_many_come_waits_or_is_told_when_to_come_back() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let config = Config {
        streams_per_second: 1,
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await.address;
    world.run("c", 1).await;
    assert_eq!(follow(edge, "c", "").await.status, 200);
    assert_eq!(meters.of("streams_delayed_total"), 0.0);
    // One a second: five can have a turn, the fifth of them in four seconds.
    let waiting: Vec<_> = (0..4)
        .map(|_| tokio::spawn(async move { follow(edge, "c", "").await.status }))
        .collect();
    meters.until("streams_delayed_total", 4.0).await;
    let away = follow(edge, "c", "").await;
    assert_eq!(away.status, 503);
    let seconds: u64 = away.headers["retry-after"].parse().unwrap();
    assert!((4..=5).contains(&seconds), "{seconds}");
    assert_eq!(away.json().await["code"], "busy");
    assert_eq!(meters.of("streams_refused_total"), 1.0);
    for status in waiting {
        assert_eq!(soon(status).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn an_edge_that_stops_answers_everybody_until_it_is_gone() {
    let world = World::begin().await;
    let config = Config {
        drain_s: 1,
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    let mut run = world.run("d", 1).await;
    run.say(0, "word").await;
    let mut early = follow(edge.address, "d", "").await;
    early.until("caught-up").await;
    edge.stop.cancel();
    soon(async { while get(edge.address, "/readyz").await.status != 503 {} }).await;
    // Not ready, and yet nobody who comes is refused, and what they are sent is whole.
    let mut late = follow(edge.address, "d", "").await;
    assert_eq!(late.status, 200);
    let events = late.until("caught-up").await;
    assert_eq!(text_of(&events, 0), "word");
    assert_eq!(get(edge.address, "/healthz").await.status, 200);
    assert_eq!(late.event().await, None);
    assert_eq!(early.event().await, None);
    soon(edge.task).await.unwrap().unwrap();
}
