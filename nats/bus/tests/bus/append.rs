use aideator_bus::{Append, AppendError, Expect};
use aideator_contract::Subject;
use bytes::Bytes;

use crate::{begin, out, put, run, text, variation};

#[tokio::test]
async fn a_message_with_a_known_id_is_stored_once() {
    let (_server, bus) = begin().await;
    let how = Append {
        msg_id: Some("m1"),
        ..Append::default()
    };
    let first = bus
        .append(&out("a", 0), text("x"), how.clone())
        .await
        .unwrap();
    let second = bus.append(&out("a", 0), text("x"), how).await.unwrap();
    assert!(!first.duplicate);
    assert!(second.duplicate);
    assert_eq!(first.sequence, second.sequence);
    assert_eq!(
        bus.last(&out("a", 0))
            .await
            .unwrap()
            .unwrap()
            .msg_id
            .as_deref(),
        Some("m1")
    );
}

#[tokio::test]
async fn of_two_writers_that_expect_the_same_last_message_one_wins() {
    let (_server, bus) = begin().await;
    let state = Subject::state(&run("a"));
    let expecting = |sequence| Append {
        expect: Expect::LastOnSubject(sequence),
        ..Append::default()
    };
    let first = bus.append(&state, text("1"), expecting(0)).await.unwrap();
    let late = bus.append(&state, text("2"), expecting(0)).await;
    assert!(matches!(late, Err(AppendError::Conflict(_))), "{late:?}");
    bus.append(&state, text("2"), expecting(first.sequence))
        .await
        .unwrap();
}

#[tokio::test]
async fn behind_a_closed_fence_nothing_is_stored() {
    let (_server, bus) = begin().await;
    let attempt = Subject::attempt(&run("a"), variation(0));
    let fence = put(&bus, &attempt, "opened 1").await;
    let behind = |sequence| Append {
        expect: Expect::LastOn {
            filter: &attempt,
            sequence,
        },
        ..Append::default()
    };
    bus.append(&out("a", 0), text("hello"), behind(fence))
        .await
        .unwrap();
    bus.append(&out("a", 0), text("world"), behind(fence))
        .await
        .unwrap();
    let closed = put(&bus, &attempt, "closed 1").await;
    let zombie = bus.append(&out("a", 0), text("!"), behind(fence)).await;
    assert!(
        matches!(zombie, Err(AppendError::Conflict(_))),
        "{zombie:?}"
    );
    assert_eq!(
        bus.last(&out("a", 0)).await.unwrap().unwrap().payload,
        "world"
    );
    assert!(closed > fence);
}

#[tokio::test]
async fn of_two_processes_of_one_attempt_one_claims_it_by_a_wildcard() {
    let (_server, bus) = begin().await;
    let fence = put(&bus, &Subject::attempt(&run("a"), variation(0)), "opened 1").await;
    put(
        &bus,
        &Subject::attempt(&run("a"), variation(1)),
        "another variation",
    )
    .await;
    let all = Subject::variation_all(&run("a"), variation(0));
    let claim = Append {
        expect: Expect::LastOn {
            filter: &all,
            sequence: fence,
        },
        ..Append::default()
    };
    bus.append(&out("a", 0), text("start"), claim.clone())
        .await
        .unwrap();
    let second = bus.append(&out("a", 0), text("start"), claim).await;
    assert!(
        matches!(second, Err(AppendError::Conflict(_))),
        "{second:?}"
    );
}

#[tokio::test]
async fn what_the_server_does_not_take_is_refused_before_it_is_sent() {
    let (_server, bus) = begin().await;
    let large = Bytes::from(vec![b'x'; bus.max_payload() + 1]);
    let error = bus
        .append(&out("a", 0), large, Append::default())
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::TooLarge(_)), "{error}");
}

#[tokio::test]
async fn a_full_stream_says_so() {
    let (_server, bus) = begin().await;
    let small = aideator_bus::Declared {
        runs_bytes: 64 * 1024,
        ..crate::declared()
    };
    bus.ensure(&small).await.unwrap();
    let chunk = Bytes::from(vec![b'x'; 16 * 1024]);
    for _ in 0..3 {
        bus.append(&out("a", 0), chunk.clone(), Append::default())
            .await
            .unwrap();
    }
    let error = bus
        .append(&out("a", 0), chunk, Append::default())
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::Full(_)), "{error}");
}

#[tokio::test]
async fn without_the_stream_nobody_answers() {
    let server = aideator_bus::server::testing::TestServer::start().await;
    let bus = crate::connect(&server).await;
    let error = bus
        .append(&out("a", 0), text("x"), Append::default())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Unreachable(aideator_bus::Away::NoResponders)
        ),
        "{error}"
    );
}
