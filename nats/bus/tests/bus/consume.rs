use std::collections::BTreeMap;
use std::time::Duration;

use aideator_bus::{Append, Bus, Consume, Deliveries, Delivery};
use aideator_contract::subject::{Command, REQUESTS_STREAM};
use futures::StreamExt as _;

use crate::{begin, put, soon, text};

fn consume() -> Consume {
    Consume {
        stream: REQUESTS_STREAM.to_owned(),
        durable: Command::Run.durable().to_owned(),
        filter: Command::Run.subject().as_str().to_owned(),
        max_ack_pending: 8,
        ack_wait: Duration::from_secs(2),
    }
}

async fn next(deliveries: &mut Deliveries) -> Delivery {
    soon(deliveries.next()).await.unwrap()
}

async fn ask(bus: &Bus, what: &str) -> u64 {
    put(bus, &Command::Run.subject(), what).await
}

async fn floor(bus: &Bus) -> u64 {
    bus.consumer_ack_floor(REQUESTS_STREAM, Command::Run.durable())
        .await
        .unwrap()
}

/// Messages the server has sent to a reader and that are not settled.
async fn sent(bus: &Bus) -> u64 {
    let durable = Command::Run.durable();
    let ask = format!("$JS.API.CONSUMER.INFO.{REQUESTS_STREAM}.{durable}");
    let limit = Duration::from_secs(5);
    let info = bus.request(&ask, text(""), limit).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    info["num_ack_pending"].as_u64().unwrap()
}

#[tokio::test]
async fn an_acked_message_leaves_the_queue_and_moves_the_floor() {
    let (_server, bus) = begin().await;
    assert_eq!(floor(&bus).await, 0);
    let mut deliveries = bus.consume(consume()).await.unwrap();
    assert_eq!(floor(&bus).await, u64::MAX);
    let headers = [("Aideator-Subject", "here")];
    let how = Append {
        msg_id: Some("id"),
        headers: &headers,
        ..Append::default()
    };
    let sequence = bus
        .append(&Command::Run.subject(), text("do"), how)
        .await
        .unwrap()
        .sequence;
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.stored.sequence, sequence);
    assert_eq!(delivery.stored.subject, Command::Run.subject().as_str());
    assert_eq!(delivery.stored.payload, "do");
    assert_eq!(delivery.stored.msg_id.as_deref(), Some("id"));
    assert_eq!(delivery.header("Aideator-Subject"), Some("here"));
    assert_eq!(delivery.deliveries, 1);
    assert!(floor(&bus).await < sequence);
    delivery.ack().await.unwrap();
    assert!(floor(&bus).await >= sequence);
    assert_eq!(bus.stream_state(REQUESTS_STREAM).await.unwrap().messages, 0);
}

#[tokio::test]
async fn the_floor_passes_other_subjects_messages() {
    let (_server, bus) = begin().await;
    let mut deliveries = bus.consume(consume()).await.unwrap();
    ask(&bus, "run").await;
    let cancel = put(&bus, &Command::Cancel.subject(), "cancel").await;
    assert!(floor(&bus).await < cancel);
    next(&mut deliveries).await.ack().await.unwrap();
    assert!(floor(&bus).await >= cancel);
}

#[tokio::test]
async fn a_refused_message_comes_again_and_a_terminated_one_does_not() {
    let (_server, bus) = begin().await;
    let mut deliveries = bus.consume(consume()).await.unwrap();
    let first = ask(&bus, "first").await;
    next(&mut deliveries)
        .await
        .nak(Duration::from_millis(50))
        .await;
    let again = next(&mut deliveries).await;
    assert_eq!((again.stored.sequence, again.deliveries), (first, 2));
    drop(again);
    let dropped = next(&mut deliveries).await;
    assert_eq!((dropped.stored.sequence, dropped.deliveries), (first, 3));
    dropped.term().await.unwrap();
    let second = ask(&bus, "second").await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.stored.sequence, second);
    delivery.ack().await.unwrap();
}

#[tokio::test]
async fn progress_keeps_a_message_in_hand() {
    let (_server, bus) = begin().await;
    let quick = Consume {
        ack_wait: Duration::from_millis(600),
        ..consume()
    };
    let mut deliveries = bus.consume(quick).await.unwrap();
    ask(&bus, "slow work").await;
    let delivery = next(&mut deliveries).await;
    for _ in 0..5 {
        let quiet = tokio::time::timeout(Duration::from_millis(250), deliveries.next()).await;
        assert!(quiet.is_err(), "it was delivered again");
        delivery.progress().await;
    }
    delivery.ack().await.unwrap();
}

#[tokio::test]
async fn more_messages_than_a_pull_asks_for_all_come_in_order() {
    let (_server, bus) = begin().await;
    let mut deliveries = bus.consume(consume()).await.unwrap();
    let mut sequences = Vec::new();
    for n in 0..100 {
        sequences.push(ask(&bus, &n.to_string()).await);
    }
    for sequence in sequences {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.stored.sequence, sequence);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_stopped_reader_held_goes_to_the_next_at_once() {
    let (_server, bus) = begin().await;
    let patient = Consume {
        ack_wait: Duration::from_secs(60),
        ..consume()
    };
    let mut first = bus.consume(patient.clone()).await.unwrap();
    for n in 0..5 {
        ask(&bus, &n.to_string()).await;
    }
    let held = next(&mut first).await;
    // What the server is about to send when the reader goes may be missed, and comes again later.
    soon(async { while sent(&bus).await < 5 {} }).await;
    drop((held, first));
    let mut second = bus.consume(patient).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 5 {
        let delivery = next(&mut second).await;
        seen.insert(delivery.stored.sequence);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_lost_while_the_server_is_killed_and_restarted_again_and_again() {
    let (mut server, bus) = begin().await;
    let mut deliveries = bus.consume(consume()).await.unwrap();
    let writer = bus.clone();
    const MESSAGES: usize = 300;
    let writing = tokio::spawn(async move {
        for n in 0..MESSAGES {
            let id = format!("m{n}");
            let how = || Append {
                msg_id: Some(&id),
                timeout: Duration::from_secs(1),
                ..Append::default()
            };
            while let Err(error) = writer
                .append(&Command::Run.subject(), text(&n.to_string()), how())
                .await
            {
                assert!(error.is_transient(), "{error}");
                tokio::task::yield_now().await;
            }
        }
    });
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut kills = 0;
    while seen.len() < MESSAGES {
        let delivery = soon(deliveries.next()).await.unwrap();
        let n = String::from_utf8(delivery.stored.payload.to_vec()).unwrap();
        if delivery.ack().await.is_ok() {
            *seen.entry(n).or_default() += 1;
        }
        if seen.len() > (kills + 1) * MESSAGES / 5 && kills < 4 {
            kills += 1;
            server.restart().await;
        }
    }
    soon(writing).await.unwrap();
    assert_eq!(kills, 4);
    soon(async {
        while floor(&bus).await != u64::MAX {
            next(&mut deliveries).await.ack().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_consumer_deleted_under_its_reader_is_made_again() {
    let (_server, bus) = begin().await;
    let mut deliveries = bus.consume(consume()).await.unwrap();
    ask(&bus, "before").await;
    next(&mut deliveries).await.ack().await.unwrap();
    let delete = format!(
        "$JS.API.CONSUMER.DELETE.{REQUESTS_STREAM}.{}",
        Command::Run.durable()
    );
    bus.request(&delete, "".into(), Duration::from_secs(5))
        .await
        .unwrap();
    let sequence = ask(&bus, "after").await;
    assert_eq!(next(&mut deliveries).await.stored.sequence, sequence);
}
