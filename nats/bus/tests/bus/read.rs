use aideator_bus::{Batch, Bus, Connect, Stored};
use aideator_contract::Subject;
use aideator_contract::subject::RUNS_STREAM;
use futures::TryStreamExt as _;

use crate::{begin, out, put, run};

/// `rounds` messages on each of five variations of runs `a` and `b`, interleaved.
async fn interleaved(bus: &Bus, rounds: usize) {
    for n in 0..rounds {
        for name in ["a", "b"] {
            for v in 0..5 {
                put(bus, &out(name, v), &format!("{name}{v}-{n}")).await;
            }
        }
    }
}

fn texts(messages: &[Stored]) -> Vec<String> {
    messages
        .iter()
        .map(|m| String::from_utf8(m.payload.to_vec()).unwrap())
        .collect()
}

#[tokio::test]
async fn pages_over_interleaved_subjects_are_exact() {
    let (_server, bus) = begin().await;
    interleaved(&bus, 20).await;
    let filter = Subject::run_all(&run("a"));
    let mut from = 1;
    let mut read = Vec::new();
    let mut pages = 0;
    loop {
        let batch = Batch {
            stream: RUNS_STREAM,
            filter: filter.as_str(),
            from,
            limit: 7,
            max_bytes: 0,
        };
        let page = bus.batch(batch).await.unwrap();
        assert_eq!(
            page.messages.len() as u64 + page.pending,
            100 - read.len() as u64
        );
        assert_eq!(page.next, page.messages.last().unwrap().sequence + 1);
        from = page.next;
        read.extend(page.messages);
        pages += 1;
        if page.pending == 0 {
            break;
        }
    }
    assert_eq!(pages, 15);
    let expected: Vec<String> = (0..20)
        .flat_map(|n| (0..5).map(move |v| format!("a{v}-{n}")))
        .collect();
    assert_eq!(texts(&read), expected);
    assert!(
        read.windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert!(
        read.iter()
            .all(|m| m.ts > 1_700_000_000_000 && m.subject.starts_with("aideator.runs.a."))
    );
}

#[tokio::test]
async fn a_page_ends_at_its_bytes() {
    let (_server, bus) = begin().await;
    let large = "x".repeat(10_000);
    for _ in 0..10 {
        put(&bus, &out("a", 0), &large).await;
    }
    let filter = out("a", 0);
    let batch = Batch {
        stream: RUNS_STREAM,
        filter: filter.as_str(),
        from: 1,
        limit: 100,
        max_bytes: 25_000,
    };
    let page = bus.batch(batch).await.unwrap();
    assert!(
        (1..=3).contains(&page.messages.len()),
        "{}",
        page.messages.len()
    );
    assert_eq!(page.messages.len() as u64 + page.pending, 10);
}

#[tokio::test]
async fn an_empty_page_says_where_it_began() {
    let (_server, bus) = begin().await;
    let filter = out("a", 0);
    let batch = Batch {
        stream: RUNS_STREAM,
        filter: filter.as_str(),
        from: 5,
        limit: 10,
        max_bytes: 0,
    };
    let page = bus.batch(batch).await.unwrap();
    assert_eq!((page.messages.len(), page.pending, page.next), (0, 0, 5));
}

#[tokio::test]
async fn a_scan_reads_over_many_pages_and_stops_where_it_is_told() {
    let (_server, bus) = begin().await;
    let subject = out("a", 0);
    let all = (0..2500).map(|_| put(&bus, &subject, "x"));
    let sequences = futures::future::join_all(all).await;
    let scan = |up_to| {
        bus.scan(RUNS_STREAM, subject.as_str(), 1, up_to)
            .try_collect::<Vec<_>>()
    };
    assert_eq!(scan(None).await.unwrap().len(), sequences.len());
    let some = scan(Some(1200)).await.unwrap();
    assert_eq!((some.len(), some.last().unwrap().sequence), (1200, 1200));
    assert_eq!(scan(Some(0)).await.unwrap().len(), 0);
}

#[tokio::test]
async fn any_replica_and_the_leader_give_the_same_last_message_on_one_server() {
    let (_server, bus) = begin().await;
    let subject = out("a", 0);
    assert_eq!(bus.last(&subject).await.unwrap(), None);
    assert_eq!(bus.last_from_leader(&subject).await.unwrap(), None);
    put(&bus, &subject, "first").await;
    let how = aideator_bus::Append {
        msg_id: Some("id-2"),
        ..Default::default()
    };
    let sequence = bus
        .append(&subject, "second".into(), how)
        .await
        .unwrap()
        .sequence;
    put(&bus, &out("a", 1), "another").await;
    let last = bus.last(&subject).await.unwrap().unwrap();
    assert_eq!(
        (last.sequence, last.payload.as_ref(), last.msg_id.as_deref()),
        (sequence, &b"second"[..], Some("id-2"))
    );
    assert_eq!(bus.last_from_leader(&subject).await.unwrap(), Some(last));
}

#[tokio::test]
async fn a_page_of_which_a_message_was_dropped_is_an_error_not_a_shorter_page() {
    let (server, bus) = begin().await;
    for n in 0..50 {
        put(&bus, &out("a", 0), &n.to_string()).await;
    }
    let narrow = Bus::connect(Connect::new(server.url(), "narrow").capacity(4))
        .await
        .unwrap();
    let filter = out("a", 0);
    let batch = |limit| Batch {
        stream: RUNS_STREAM,
        filter: filter.as_str(),
        from: 1,
        limit,
        max_bytes: 0,
    };
    assert_eq!(narrow.batch(batch(3)).await.unwrap().messages.len(), 3);
    // The end of the page may be dropped as well; then the page runs into its limit.
    let error = narrow.batch(batch(50)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
