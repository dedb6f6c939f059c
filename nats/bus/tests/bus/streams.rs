use std::time::Duration;

use aideator_bus::server::testing::TestServer;
use aideator_bus::{Declared, Error};
use aideator_contract::subject::{DEAD_STREAM, REQUESTS_STREAM, RUNS_STREAM};

use crate::{begin, connect, declared, out, put};

#[tokio::test]
async fn streams_are_declared_twice_without_harm() {
    let (_server, bus) = begin().await;
    let sequence = put(&bus, &out("a", 0), "kept").await;
    let epoch = bus.stream_state(RUNS_STREAM).await.unwrap().epoch;
    bus.ensure(&declared()).await.unwrap();
    let state = bus.stream_state(RUNS_STREAM).await.unwrap();
    assert_eq!((state.epoch, state.last), (epoch, sequence));
    for stream in [REQUESTS_STREAM, DEAD_STREAM, "KV_AIDEATOR_OPEN"] {
        assert_eq!(bus.stream_state(stream).await.unwrap().messages, 0);
    }
}

#[tokio::test]
async fn a_stream_takes_what_storage_the_server_has() {
    let server = TestServer::start().await;
    let bus = connect(&server).await;
    let wanted = 1 << 50;
    bus.ensure(&Declared {
        runs_bytes: wanted,
        ..declared()
    })
    .await
    .unwrap();
    let found = bus.stream_state(RUNS_STREAM).await.unwrap().max_bytes;
    assert!(found < wanted, "{found}");
    // Who comes later and declares the same changes nothing.
    bus.ensure(&Declared {
        runs_bytes: wanted,
        ..declared()
    })
    .await
    .unwrap();
    assert_eq!(
        bus.stream_state(RUNS_STREAM).await.unwrap().max_bytes,
        found
    );
}

#[tokio::test]
async fn what_can_be_changed_is_changed() {
    let (_server, bus) = begin().await;
    let smaller = Declared {
        runs_bytes: 100 * 1024 * 1024,
        ..declared()
    };
    bus.ensure(&smaller).await.unwrap();
    assert_eq!(
        bus.stream_state(RUNS_STREAM).await.unwrap().max_bytes,
        smaller.runs_bytes
    );
}

#[tokio::test]
async fn what_can_not_be_changed_is_refused_with_words() {
    let (_server, bus) = begin().await;
    let api = |what: &str, body: &str| {
        let (bus, subject, body) = (bus.clone(), format!("$JS.API.{what}"), body.to_owned());
        async move {
            bus.request(&subject, body.into(), Duration::from_secs(5))
                .await
                .unwrap()
        }
    };
    api("STREAM.DELETE.AIDEATOR_DEAD", "").await;
    let memory = r#"{"name":"AIDEATOR_DEAD","subjects":["aideator.dead.>"],"storage":"memory","retention":"limits"}"#;
    api("STREAM.CREATE.AIDEATOR_DEAD", memory).await;
    let error = bus.ensure(&declared()).await.unwrap_err();
    let Error::StreamDiffers {
        stream,
        field,
        wanted,
        found,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((stream.as_str(), field.as_str()), (DEAD_STREAM, "storage"));
    assert_eq!(
        (wanted.as_str(), found.as_str()),
        ("\"file\"", "\"memory\"")
    );
}
