use std::time::{Duration, Instant};

use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, AppendError, Away, Bus, Connect, Error};
use bytes::Bytes;

use crate::{begin, connect, out, put, soon};

#[tokio::test]
async fn the_first_connection_is_waited_for_and_no_longer() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let begun = Instant::now();
    let connect =
        Connect::new(format!("nats://{address}"), "test").wait(Duration::from_millis(300));
    let error = Bus::connect(connect).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_stranger_is_turned_away_at_once() {
    let server = TestServer::start_with_operator().await;
    let other = TestServer::start_with_operator().await;
    let foreign = other
        .credentials(aideator_bus::credentials::User::Admin)
        .unwrap();
    let connect = Connect::new(server.url(), "stranger").credentials(foreign);
    let error = soon(Bus::connect(connect)).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_request_in_flight_fails_when_the_server_is_killed_and_works_after_its_restart() {
    let (mut server, bus) = begin().await;
    let mut reconnects = bus.reconnects();
    reconnects.mark_unchanged();
    let mut silent = bus.subscribe("test.silent").await.unwrap();
    let (lost, ()) = soon(async {
        tokio::join!(
            bus.request("test.silent", Bytes::new(), Duration::from_secs(60)),
            async {
                silent.next().await.unwrap();
                server.kill().await;
            }
        )
    })
    .await;
    assert!(
        matches!(
            lost,
            Err(Error::Unreachable {
                away: Away::Disconnected,
                ..
            })
        ),
        "{lost:?}"
    );
    server.restart().await;
    soon(reconnects.changed()).await.unwrap();
    soon(async {
        loop {
            let tried = bus
                .append(&out("a", 0), Bytes::new(), Append::default())
                .await;
            match tried {
                Ok(appended) => return assert_eq!(appended.sequence, 1),
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn while_the_server_is_away_a_request_waits_for_its_limit() {
    let (mut server, bus) = begin().await;
    server.kill().await;
    let how = Append {
        timeout: Duration::from_millis(200),
        ..Append::default()
    };
    let error = soon(bus.append(&out("a", 0), Bytes::new(), how))
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_refused_subject_is_told_at_once() {
    let server = TestServer::start_with_operator().await;
    let user = aideator_bus::credentials::User::Edge;
    let edge = Connect::new(server.url(), "edge").credentials(server.credentials(user).unwrap());
    let edge = Bus::connect(edge).await.unwrap();
    let begun = Instant::now();
    let error = edge
        .append(&out("a", 0), Bytes::new(), Append::default())
        .await
        .unwrap_err();
    assert!(matches!(error, AppendError::Refused(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn closing_sends_what_was_published() {
    let (server, bus) = begin().await;
    let listener = connect(&server).await;
    let mut heard = listener.subscribe("test.heard").await.unwrap();
    // Answered behind the subscription, so the server has it.
    listener.last(&out("a", 0)).await.unwrap();
    bus.publish("test.heard", Bytes::from_static(b"last word"))
        .await
        .unwrap();
    bus.close().await;
    assert_eq!(soon(heard.next()).await.unwrap().payload, "last word");
    put(&listener, &out("a", 0), "others go on").await;
}
