use std::time::Duration;

use aideator_bus::server::testing::TestCluster;
use aideator_bus::{Append, AppendError, Bus, Connect, Consume, Declared, Expect};
use aideator_contract::Subject;
use aideator_contract::subject::{RUNS_STREAM, durable};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::timeout;

use crate::{declared, out, run, text, variation};

const MESSAGES: usize = 400;
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the same message until it is stored. A conflict is only believed when somebody else wrote.
async fn insist(bus: &Bus, n: usize, attempt: &Subject, fence: u64) {
    let id = format!("m{n}");
    let subject = out("a", 0);
    loop {
        let expect = Expect::LastOn {
            filter: attempt,
            sequence: fence,
        };
        let how = Append {
            msg_id: Some(&id),
            expect,
            timeout: Duration::from_secs(1),
            ..Append::default()
        };
        match bus.append(&subject, text(&n.to_string()), how).await {
            Ok(_) => return,
            Err(AppendError::Conflict(_)) => {
                let last = bus.last_from_leader(attempt).await;
                assert!(last.is_err() || last.unwrap().unwrap().sequence == fence);
            }
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn with_three_replicas_nothing_is_lost_or_doubled_when_the_leader_is_killed() {
    let mut cluster = TestCluster::start().await;
    let bus = Bus::connect(Connect::new(cluster.url(), "test"))
        .await
        .unwrap();
    // Long enough for an election; what is resent later is the publisher's to know.
    let window = Duration::from_secs(60);
    bus.ensure(&Declared {
        replicas: 3,
        duplicate_window: window,
        ..declared()
    })
    .await
    .unwrap();
    let consume = Consume {
        stream: RUNS_STREAM.to_owned(),
        durable: durable::WATCHER_REPORT.to_owned(),
        filter: out("a", 0).as_str().to_owned(),
        max_ack_pending: 64,
        ack_wait: Duration::from_secs(2),
    };
    let mut deliveries = bus.consume(consume).await.unwrap();
    let attempt = Subject::attempt(&run("a"), variation(0));
    let fence = bus
        .append(&attempt, text("opened"), Append::default())
        .await
        .unwrap()
        .sequence;

    let writer = bus.clone();
    let fenced = attempt.clone();
    let writing = tokio::spawn(async move {
        for n in 0..MESSAGES {
            insist(&writer, n, &fenced, fence).await;
        }
    });
    let mut heard = std::collections::BTreeSet::new();
    let mut killed = false;
    while heard.len() < MESSAGES {
        let delivery = timeout(PATIENCE, deliveries.next()).await.unwrap().unwrap();
        heard.insert(delivery.stored.sequence);
        let _ = delivery.ack().await;
        if heard.len() > MESSAGES / 2 && !killed {
            killed = true;
            cluster.kill_leader(RUNS_STREAM).await;
        }
    }
    timeout(PATIENCE, writing).await.unwrap().unwrap();
    let stored: Vec<_> = bus
        .scan(RUNS_STREAM, out("a", 0).as_str(), 1, None)
        .try_collect()
        .await
        .unwrap();
    let texts: Vec<String> = stored
        .iter()
        .map(|m| String::from_utf8(m.payload.to_vec()).unwrap())
        .collect();
    let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert_eq!(texts, expected);
    assert!(stored.iter().all(|m| heard.contains(&m.sequence)));
}
