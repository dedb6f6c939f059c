use std::time::Duration;

use aideator_bus::credentials::User;
use aideator_edge::{Config, Deps, Error};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::{follow, get, send};
use crate::world::{Edge, World, connect, soon};

#[tokio::test]
async fn a_foreign_page_gets_nothing() {
    let world = World::begin().await;
    let with = async |name: &str, value: &str| {
        let answer = send(world.at(), "GET", "/healthz", &[(name, value)], "").await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        answer.status
    };
    assert_eq!(with("host", "evil.example").await, 403);
    assert_eq!(with("origin", "http://evil.example").await, 403);
    assert_eq!(with("origin", &format!("http://{}", world.at())).await, 200);
}

#[tokio::test]
async fn elsewhere_than_on_loopback_a_token_is_needed() {
    let world = World::begin().await;
    let deps = Deps {
        listener: TcpListener::bind("0.0.0.0:0").await.unwrap(),
        live: connect(&world.server, User::Edge).await,
        bulk: connect(&world.server, User::Edge).await,
    };
    let stop = CancellationToken::new();
    let refused = soon(aideator_edge::run(Config::default(), deps, stop)).await;
    assert!(matches!(refused, Err(Error::TokenNeeded(_))), "{refused:?}");

    let config = Config {
        token: Some("0123456789abcdef".parse().unwrap()),
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    assert_eq!(get(edge.address, "/api/v1/info").await.status, 401);
    let bearer = [("authorization", "Bearer 0123456789abcdef")];
    let answer = send(edge.address, "GET", "/api/openapi.json", &bearer, "").await;
    assert_eq!(answer.status, 200);
    let welcome = get(edge.address, "/?token=0123456789abcdef").await;
    assert_eq!(
        (welcome.status, welcome.headers["location"].as_str()),
        (303, "/")
    );
    let cookie = welcome.headers["set-cookie"].split(';').next().unwrap();
    let answer = send(
        edge.address,
        "GET",
        "/api/openapi.json",
        &[("cookie", cookie)],
        "",
    )
    .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_edge_that_stops_lets_its_viewers_go() {
    let world = World::begin().await;
    let config = Config {
        drain_s: 1,
        ..Config::default()
    };
    let edge = Edge::start(&world.server, config).await;
    world.run("s", 1).await;
    let mut viewers = Vec::new();
    for _ in 0..10 {
        let mut viewer = follow(edge.address, "s", "").await;
        viewer.until("caught-up").await;
        viewers.push(viewer);
    }
    edge.stop.cancel();
    soon(async {
        while get(edge.address, "/readyz").await.status != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for viewer in &mut viewers {
        assert_eq!(viewer.event().await, None);
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), edge.task).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
}

#[tokio::test]
async fn every_page_has_a_policy_or_says_that_it_was_not_built() {
    let world = World::begin().await;
    let answer = get(world.at(), "/runs/some-run").await;
    assert_eq!(answer.status, 200);
    let policy = &answer.headers["content-security-policy"];
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(answer.headers["content-type"].starts_with("text/html"));
    let answer = send(world.at(), "POST", "/", &[], "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(get(world.at(), "/no/such.js").await.status, 404);
}
