use std::collections::BTreeMap;
use std::time::Duration;

use aideator_bus::archive::Archiver;
use aideator_bus::{Bus, Declared, Objects, Stored};
use aideator_contract::subject::ARCHIVE_BUCKET;
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::{begin, run, text};

async fn bucket(bus: &Bus) -> Objects {
    bus.ensure(&Declared::default()).await.unwrap();
    bus.objects(ARCHIVE_BUCKET)
}

#[tokio::test]
async fn an_object_of_many_chunks_reads_back_and_is_replaced_whole() {
    let (_server, bus) = begin().await;
    let objects = bucket(&bus).await;
    assert!(objects.get("a run").await.unwrap().is_none());
    let first: Bytes = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let position = BTreeMap::from([("position".to_owned(), "12".to_owned())]);
    objects
        .put("a run", position.clone(), first.clone())
        .await
        .unwrap();
    let (info, content) = objects.get("a run").await.unwrap().unwrap();
    assert_eq!((info.size, &info.metadata), (1_000_000, &position));
    assert!(content == first);

    objects
        .put("a run", BTreeMap::new(), Bytes::from_static(b"short"))
        .await
        .unwrap();
    assert_eq!(objects.get("a run").await.unwrap().unwrap().1, "short");
    // One chunk and one piece of metadata: what was replaced is gone.
    assert_eq!(
        bus.stream_state("OBJ_AIDEATOR_ARCHIVE")
            .await
            .unwrap()
            .messages,
        2
    );

    objects
        .put("empty", BTreeMap::new(), Bytes::new())
        .await
        .unwrap();
    assert_eq!(objects.get("empty").await.unwrap().unwrap().1, "");
}

#[tokio::test]
async fn reading_an_object_makes_no_consumer() {
    let (_server, bus) = begin().await;
    let objects = bucket(&bus).await;
    objects
        .put("a", BTreeMap::new(), Bytes::from(vec![7; 300_000]))
        .await
        .unwrap();
    let mut advisories = bus
        .subscribe("$JS.EVENT.ADVISORY.CONSUMER.>")
        .await
        .unwrap();
    objects.get("a").await.unwrap().unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(100), advisories.next()).await;
    assert!(quiet.is_err(), "a consumer was made");
}

#[tokio::test]
async fn what_the_metadata_of_an_object_says_of_it_is_not_believed() {
    let (_server, bus) = begin().await;
    let objects = bucket(&bus).await;
    let content = Bytes::from(vec![7; 300_000]);
    objects.put("a", BTreeMap::new(), content).await.unwrap();
    let subject = "$O.AIDEATOR_ARCHIVE.M.YQ==";
    let mut stored = bus.scan("OBJ_AIDEATOR_ARCHIVE", subject, 1, None);
    let stored = stored.next().await.unwrap().unwrap();
    let info: Value = serde_json::from_slice(&stored.payload).unwrap();
    for (entry, lie) in [
        ("size", json!(u64::MAX)),
        ("size", json!(1)),
        ("digest", json!("SHA-256=")),
        ("nuid", json!("another")),
        ("chunks", json!("many")),
    ] {
        let mut info = info.clone();
        info[entry] = lie;
        let info = Bytes::from(info.to_string());
        let limit = Duration::from_secs(5);
        bus.request(subject, info, limit).await.unwrap();
        let read = objects.get("a").await;
        assert!(read.is_err(), "{entry}: {read:?}");
    }
}

#[tokio::test]
async fn an_archive_is_not_read_as_that_of_another_run() {
    let (_server, bus) = begin().await;
    bucket(&bus).await;
    let archives = bus.archives();
    let mut archiver = Archiver::new(1);
    archiver.push(&Stored {
        subject: "aideator.runs.a.state".to_owned(),
        sequence: 1,
        ts: 0,
        payload: text("{}"),
        msg_id: None,
    });
    let archive = archiver.finish();
    for name in ["a", "b"] {
        archives.put(&run(name), &archive).await.unwrap();
    }
    assert!(archives.get(&run("a")).await.unwrap().is_some());
    let refused = archives.get(&run("b")).await.unwrap_err();
    assert!(!refused.is_transient(), "{refused}");
}
