use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aideator_bus::Declared;
use aideator_edge::Config;
use aideator_edge::scope::Scope;
use aideator_edge::token::{Claims, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Answer, send};
use crate::world::{Edge, World, now, soon};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn config() -> Config {
    Config {
        secret: Some(SECRET.parse().unwrap()),
        heartbeat: Duration::from_millis(100),
        ..Config::default()
    }
}

/// A token and its id.
fn token(scope: Scope, lifetime: Duration) -> (String, String) {
    let claims = Claims::new("test", scope.into(), now(), lifetime).unwrap();
    let token = SECRET.parse::<Secret>().unwrap().sign(&claims);
    (token, claims.id.to_string())
}

async fn ask(edge: SocketAddr, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    send(edge, method, path, &headers, &body.to_string()).await
}

async fn get(edge: SocketAddr, path: &str, token: &str) -> Answer {
    ask(edge, "GET", path, token, &json!({})).await
}

async fn revoke(edge: SocketAddr, admin: &str, id: &str) -> Answer {
    let body = json!({ "token_id": id });
    ask(edge, "POST", "/api/v1/tokens/revoke", admin, &body).await
}

/// What is said to who brings this token: the status and the problem's code.
async fn said(edge: SocketAddr, token: &str) -> (u16, String) {
    let answer = get(edge, "/api/openapi.json", token).await;
    let status = answer.status;
    let code = answer.json().await["code"].as_str().map(str::to_owned);
    (status, code.unwrap_or_default())
}

#[tokio::test]
async fn every_route_asks_for_the_scope_that_its_description_names() {
    let world = World::begin().await;
    let edge = Edge::start(&world.server, config()).await.address;
    let tokens = Scope::ALL.map(|scope| (scope, token(scope, DAY).0));
    let document = get(edge, "/api/openapi.json", &tokens[0].1).await;
    let document = document.json().await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{run_id}", "r").replace("{variation}", "0");
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let Some(needed) = operation["security"][0]["bearer"][0].as_str() else {
                assert!(path == "/healthz" || path == "/readyz", "{path}");
                let answer = send(edge, &method, &path, &[], "").await;
                assert_eq!(answer.status, 200, "{path}");
                continue;
            };
            let answer = send(edge, &method, &path, &[], "").await;
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            for (scope, token) in &tokens {
                let answer = ask(edge, &method, &path, token, &json!({})).await;
                let includes =
                    *scope >= Scope::ALL.into_iter().find(|s| s.name() == needed).unwrap();
                asked += 1;
                if includes {
                    assert!(![401, 403].contains(&answer.status), "{path} {scope}");
                    continue;
                }
                assert_eq!(answer.status, 403, "{path} {scope}");
                let challenge = answer.headers["www-authenticate"].clone();
                assert!(
                    challenge.contains(&format!("scope=\"{needed}\"")),
                    "{challenge}"
                );
                let problem = answer.json().await;
                assert_eq!(
                    (&problem["code"], &problem["scope"]),
                    (&json!("scope"), &json!(needed))
                );
            }
        }
    }
    assert!(asked >= 3 * 13, "{asked}");
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_refused_with_the_reason() {
    let world = World::begin().await;
    let edge = Edge::start(&world.server, config()).await.address;
    let (good, _) = token(Scope::Read, DAY);
    assert_eq!(said(edge, &good).await.0, 200);
    let bad = |code: &str| (401, code.to_owned());
    let (brief, _) = token(Scope::Read, Duration::from_secs(1));
    soon(async { while said(edge, &brief).await.0 == 200 {} }).await;
    assert_eq!(said(edge, &brief).await, bad("token-expired"));
    assert_eq!(said(edge, "nonsense").await, bad("bad-token"));
    let mut changed = good.clone();
    changed.pop();
    assert_eq!(said(edge, &changed).await, bad("bad-token"));
    let other: Secret = "another secret of thirty-two bytes".parse().unwrap();
    let claims = Claims::peek(&good).unwrap();
    assert_eq!(said(edge, &other.sign(&claims)).await, bad("bad-token"));
    let answer = get(edge, "/", &changed).await;
    assert_eq!(
        answer.headers["www-authenticate"],
        "Bearer error=\"invalid_token\""
    );
}

#[tokio::test]
async fn a_token_revoked_on_one_edge_is_refused_by_all_and_for_ever() {
    let mut world = World::begin().await;
    let one = Edge::start(&world.server, config()).await.address;
    let other = Edge::start(&world.server, config()).await.address;
    let (admin, _) = token(Scope::Admin, DAY);
    let ((stolen, id), (kept, _)) = (token(Scope::Run, DAY), token(Scope::Run, DAY));
    for edge in [one, other] {
        assert_eq!(said(edge, &stolen).await.0, 200);
    }
    assert_eq!(revoke(one, &stolen, &id).await.status, 403);
    assert_eq!(said(one, &stolen).await.0, 200);

    let expires = Claims::peek(&stolen).unwrap().expires;
    let body = json!({ "token_id": id, "expires": expires });
    let answer = ask(one, "POST", "/api/v1/tokens/revoke", &admin, &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json().await["token_id"], json!(id));
    let revoked = (401, String::from("token-revoked"));
    assert_eq!(said(one, &stolen).await, revoked);
    let began = Instant::now();
    soon(async { while said(other, &stolen).await != revoked {} }).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    let later = Edge::start(&world.server, config()).await.address;
    assert_eq!(said(later, &stolen).await, revoked);

    world.server.restart().await;
    let last = Edge::start(&world.server, config()).await.address;
    for edge in [one, other, later, last] {
        assert_eq!(said(edge, &stolen).await, revoked);
        assert_eq!(said(edge, &kept).await.0, 200);
    }
    // The entry says who did it, and the server lets it go a minute after the token.
    let last = json!({ "last_by_subj": format!("$KV.AIDEATOR_REVOKED.{id}") });
    let stored = world.admin.request(
        "$JS.API.STREAM.MSG.GET.KV_AIDEATOR_REVOKED",
        last.to_string().into(),
        Duration::from_secs(5),
    );
    let stored: Value = serde_json::from_slice(&soon(stored).await.unwrap()).unwrap();
    let part = |name: &str| {
        let text = stored["message"][name].as_str().unwrap();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    };
    let entry: Value = serde_json::from_str(&part("data")).unwrap();
    assert_eq!(entry["by"], "test");
    assert!(part("hdrs").contains("Nats-TTL: 864"), "{}", part("hdrs"));
}

#[tokio::test]
async fn what_would_revoke_nothing_is_refused_with_words() {
    let world = World::begin().await;
    let edge = Edge::start(&world.server, config()).await.address;
    let (admin, _) = token(Scope::Admin, DAY);
    for body in [
        json!({}),
        json!({ "token_id": "a.b" }),
        json!({ "token_id": "a", "expires": 5 }),
        json!({ "token_id": "a", "expires": now().millis() }),
        json!({ "token_id": "a", "until": 5 }),
    ] {
        let answer = ask(edge, "POST", "/api/v1/tokens/revoke", &admin, &body).await;
        assert_eq!(answer.status, 422, "{body}");
    }
    // An edge on loopback that asks nobody has no tokens to revoke either.
    let answer = revoke(world.at(), "", "a").await;
    assert_eq!(answer.status, 422);
    let bucket = world
        .admin
        .stream_state("KV_AIDEATOR_REVOKED")
        .await
        .unwrap();
    assert_eq!(bucket.messages, 0);
}

#[tokio::test]
async fn open_streams_end_with_their_token() {
    let world = World::begin().await;
    let edge = Edge::start(&world.server, config()).await.address;
    let mut run = world.run("r", 1).await;
    let (admin, _) = token(Scope::Admin, DAY);
    let (stolen, id) = token(Scope::Read, DAY);
    let (brief, _) = token(Scope::Read, Duration::from_secs(3));
    let path = "/api/v1/runs/r/stream";
    let mut revoked = get(edge, path, &stolen).await;
    let mut expiring = get(edge, path, &brief).await;
    let mut kept = get(edge, path, &admin).await;
    let mut other = world.run("other", 1).await;
    let mut several = get(edge, "/api/v1/stream?run=r&run=other", &stolen).await;
    several.until("caught-up").await;
    several.until("caught-up").await;
    for viewer in [&mut revoked, &mut expiring, &mut kept] {
        assert_eq!(viewer.status, 200);
        viewer.until("caught-up").await;
    }
    assert_eq!(revoke(edge, &admin, &id).await.status, 200);
    for (mut viewer, code) in [(revoked, "token-revoked"), (expiring, "token-expired")] {
        let events = viewer.until("error").await;
        let problem: Value = serde_json::from_str(&events.last().unwrap().data).unwrap();
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&json!(401), &json!(code))
        );
        assert_eq!(viewer.event().await, None);
    }
    for _ in ["r", "other"] {
        let events = several.until("error").await;
        assert!(events.last().unwrap().data.contains("token-revoked"));
    }
    other.say(0, "not for you").await;
    assert_eq!(several.event().await, None);
    run.say(0, "still here").await;
    run.go(0, aideator_contract::State::Succeeded).await;
    let rest = kept.until("end").await;
    assert_eq!(crate::client::text_of(&rest, 0), "still here");
}

#[tokio::test]
async fn an_edge_that_does_not_know_what_was_revoked_accepts_no_signed_token() {
    let world = World::begin().await;
    let delete = "$JS.API.STREAM.DELETE.KV_AIDEATOR_REVOKED";
    let deleted = world
        .admin
        .request(delete, "".into(), Duration::from_secs(5));
    soon(deleted).await.unwrap();
    let own = "own-own-own-own-own";
    let config = Config {
        token: Some(own.parse().unwrap()),
        ..config()
    };
    let edge = Edge::start(&world.server, config).await.address;
    let (good, _) = token(Scope::Read, DAY);
    let ready = async || send(edge, "GET", "/readyz", &[], "").await.status;
    assert_eq!(ready().await, 503);
    let answer = get(edge, "/api/openapi.json", &good).await;
    assert_eq!(answer.status, 503);
    let problem = answer.json().await;
    assert!(
        problem["detail"].as_str().unwrap().contains("revoked"),
        "{problem}"
    );
    assert_eq!(said(edge, own).await.0, 200);
    world.admin.ensure(&Declared::default()).await.unwrap();
    soon(async { while ready().await != 200 {} }).await;
    assert_eq!(said(edge, &good).await.0, 200);
}

#[tokio::test]
async fn a_browser_keeps_a_signed_token_until_it_expires() {
    let world = World::begin().await;
    let edge = Edge::start(&world.server, config()).await.address;
    let (good, _) = token(Scope::Read, DAY);
    let path = format!("/runs/r?token={good}");
    let by_https = [("x-forwarded-proto", "https")];
    let welcome = send(edge, "GET", &path, &by_https, "").await;
    assert_eq!(
        (welcome.status, welcome.headers["location"].as_str()),
        (303, "/runs/r")
    );
    let cookie = &welcome.headers["set-cookie"];
    assert!(
        cookie.contains("; HttpOnly; SameSite=Strict; Max-Age=86"),
        "{cookie}"
    );
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let shown = [("cookie", cookie.split(';').next().unwrap())];
    let answer = send(edge, "GET", "/runs/r", &shown, "").await;
    assert_eq!(answer.status, 200);
    let answer = send(edge, "POST", "/api/v1/runs", &shown, "{}").await;
    assert_eq!(answer.status, 403);
}
