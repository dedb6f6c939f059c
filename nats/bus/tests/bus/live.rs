use aideator_bus::{Batch, Bus, Connect, Live, LiveMessage};
use aideator_contract::Subject;
use aideator_contract::subject::RUNS_STREAM;

use crate::{begin, connect, out, put, run, soon};

async fn next(live: &mut Live) -> LiveMessage {
    soon(live.next()).await.unwrap()
}

#[tokio::test]
async fn the_tail_names_each_predecessor_on_the_same_subject() {
    let (_server, bus) = begin().await;
    let before = put(&bus, &out("a", 0), "before").await;
    let mut live = bus.live(&run("a")).await.unwrap();
    put(&bus, &out("b", 0), "another run").await;
    let first = put(&bus, &out("a", 0), "first").await;
    let other = put(&bus, &out("a", 1), "other").await;
    let second = put(&bus, &out("a", 0), "second").await;
    let heard = [
        next(&mut live).await,
        next(&mut live).await,
        next(&mut live).await,
    ];
    let told: Vec<_> = heard
        .iter()
        .map(|m| (m.stored.sequence, m.previous))
        .collect();
    assert_eq!(told, [(first, before), (other, 0), (second, first)]);
    assert_eq!(heard[0].stored.subject, out("a", 0).as_str());
    assert_eq!(heard[0].stored.payload, "first");
    assert!(heard[0].stored.ts > 1_700_000_000_000);
}

#[tokio::test]
async fn what_the_tail_lost_shows_on_the_next_message_and_is_read_from_the_stream() {
    let (mut server, bus) = begin().await;
    let mut live = bus.live(&run("a")).await.unwrap();
    let known = put(&bus, &out("a", 0), "known").await;
    assert_eq!(next(&mut live).await.stored.sequence, known);

    // Another connection is back first and writes while the tail is not there.
    let mut reconnects = bus.reconnects();
    reconnects.mark_unchanged();
    server.restart().await;
    let writer = connect(&server).await;
    let lost = put(&writer, &out("a", 0), "lost").await;
    soon(reconnects.changed()).await.unwrap();
    bus.last(&out("a", 0)).await.unwrap();
    let seen = put(&writer, &out("a", 0), "seen").await;

    let mut heard = next(&mut live).await;
    if heard.stored.sequence == lost {
        // The tail was faster this time.
        heard = next(&mut live).await;
    }
    assert_eq!((heard.stored.sequence, heard.previous), (seen, lost));
    let filter = Subject::run_all(&run("a"));
    let batch = Batch {
        stream: RUNS_STREAM,
        filter: filter.as_str(),
        from: known + 1,
        limit: 10,
        max_bytes: 0,
    };
    let healed = bus.batch(batch).await.unwrap();
    assert_eq!(healed.messages[0].payload, "lost");
    assert_eq!(healed.messages[1], heard.stored);
}

#[tokio::test]
async fn a_read_begun_after_the_tail_leaves_no_hole() {
    let (_server, bus) = begin().await;
    let writer = bus.clone();
    let writing = tokio::spawn(async move {
        for n in 0..300 {
            put(&writer, &out("a", 0), &n.to_string()).await;
        }
    });
    // Join at different moments; what is stored and what is heard meet without a hole.
    for _ in 0..10 {
        let mut live = bus.live(&run("a")).await.unwrap();
        let stored = bus.last_from_leader(&out("a", 0)).await.unwrap();
        if writing.is_finished() {
            break;
        }
        let stored = stored.map_or(0, |stored| stored.sequence);
        if let Ok(Some(heard)) =
            tokio::time::timeout(std::time::Duration::from_millis(200), live.next()).await
        {
            assert!(
                heard.previous <= stored,
                "{} follows {}",
                heard.stored.sequence,
                heard.previous
            );
        }
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_is_counted_and_sees_its_gap() {
    let (server, bus) = begin().await;
    let narrow = Connect::new(server.url(), "narrow").capacity(4);
    let narrow = Bus::connect(narrow).await.unwrap();
    let mut slow = narrow.slow_consumers();
    let mut live = narrow.live(&run("a")).await.unwrap();
    let mut sequences = Vec::new();
    for n in 0..10 {
        sequences.push(put(&bus, &out("a", 0), &n.to_string()).await);
    }
    soon(slow.wait_for(|dropped| *dropped == 6)).await.unwrap();
    for sequence in &sequences[..4] {
        assert_eq!(next(&mut live).await.stored.sequence, *sequence);
    }
    let after = put(&bus, &out("a", 0), "after").await;
    let heard = next(&mut live).await;
    assert_eq!(
        (heard.stored.sequence, heard.previous),
        (after, sequences[9])
    );
}
