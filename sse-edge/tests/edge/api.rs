use aideator_bus::{Consume, Endpoint, Refusal, Service, ServiceSpec};
use aideator_contract::subject::{REQUESTS_STREAM, rpc};
use aideator_contract::{Change, Code, Reason, State, StateMessage, Subject, Summary};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::client::{Answer, JSON, get, send};
use crate::world::{World, now, put, soon};

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    send(world.at(), "POST", path, &[JSON], &body.to_string()).await
}

/// Answers as a submitter would, which accepts all but the prompt `bad`.
async fn submitter(world: &World) -> tokio::task::JoinHandle<()> {
    let bus = world.admin.clone();
    tokio::spawn(async move {
        let mut requests = bus
            .consume(Consume {
                stream: REQUESTS_STREAM.into(),
                durable: "submitter-run".into(),
                filter: "aideator.requests.run".into(),
                max_ack_pending: 8,
                ack_wait: std::time::Duration::from_secs(30),
            })
            .await
            .unwrap();
        while let Some(request) = requests.next().await {
            let body: aideator_contract::request::RunRequest =
                serde_json::from_slice(&request.stored.payload).unwrap();
            let run = body.run_id.clone().unwrap().parse().unwrap();
            let sequence = request.stored.sequence;
            let (change, summary) = if body.prompt == "bad" {
                let error = Reason::new(Code::BadValue, "that prompt is bad");
                let summary = Summary::rejected(body.sha256(), sequence, now());
                (Change::Rejected { error }, summary)
            } else {
                let valid = body.validate(&aideator_contract::request::Installation {
                    default_model: "m".into(),
                    ..Default::default()
                });
                let spec = valid.unwrap().spec;
                let summary = Summary::accepted(&spec, body.sha256(), sequence, now());
                (
                    Change::Accepted {
                        spec: Box::new(spec),
                    },
                    summary,
                )
            };
            let message = StateMessage::new(run, now(), change, summary);
            let payload = serde_json::to_vec(&message).unwrap();
            put(&bus, &Subject::state(&message.run), payload).await;
            request.ack().await.unwrap();
        }
    })
}

#[tokio::test]
async fn a_request_is_answered_once_it_is_decided() {
    let world = World::begin().await;
    let submitter = submitter(&world).await;
    let body = json!({ "prompt": "p", "run_id": "mine", "variations": 2 });
    let answer = post(&world, "/api/v1/runs", &body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["location"], "/api/v1/runs/mine");
    let created = answer.json().await;
    assert_eq!(created["run_id"], "mine");
    assert_eq!(created["stream_url"], "/api/v1/runs/mine/stream");
    assert_eq!(created["url"], "/runs/mine");

    assert_eq!(post(&world, "/api/v1/runs", &body).await.status, 200);
    let other = json!({ "prompt": "q", "run_id": "mine" });
    let conflict = post(&world, "/api/v1/runs", &other).await;
    assert_eq!(conflict.status, 409);
    assert_eq!(conflict.headers["content-type"], "application/problem+json");
    assert_eq!(conflict.json().await["code"], "conflict");

    let bad = json!({ "prompt": "bad", "run_id": "bad" });
    let rejected = post(&world, "/api/v1/runs", &bad).await;
    assert_eq!(rejected.status, 422);
    assert_eq!(rejected.json().await["detail"], "that prompt is bad");
    let good = json!({ "prompt": "good", "run_id": "bad" });
    assert_eq!(post(&world, "/api/v1/runs", &good).await.status, 201);

    let key = ("idempotency-key", "k1");
    let body = json!({ "prompt": "p" }).to_string();
    let first = send(world.at(), "POST", "/api/v1/runs", &[JSON, key], &body).await;
    assert_eq!(first.status, 201);
    let again = send(world.at(), "POST", "/api/v1/runs", &[JSON, key], &body).await;
    assert_eq!(again.status, 200);
    assert_eq!(first.json().await, again.json().await);
    submitter.abort();
}

#[tokio::test]
async fn a_request_nobody_decides_is_kept_and_answered_202() {
    let world = World::begin().await;
    let answer = post(&world, "/api/v1/runs", &json!({ "prompt": "p" })).await;
    assert_eq!(answer.status, 202);
    let requests = world.admin.stream_state(REQUESTS_STREAM).await.unwrap();
    assert_eq!(requests.messages, 1);
}

#[tokio::test]
async fn what_can_not_be_used_is_refused_with_words_and_not_stored() {
    let world = World::begin().await;
    let send = async |method: &str, path: &str, media: &str, body: &str| {
        let answer = send(world.at(), method, path, &[("content-type", media)], body).await;
        let status = answer.status;
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{path}"
        );
        let problem = answer.json().await;
        assert_eq!(problem["status"], status);
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    let json = "application/json";
    let runs = "/api/v1/runs";
    let large = format!("{{\"prompt\":\"{}\"}}", "x".repeat(130 * 1024));
    for (method, path, media, body, status, code) in [
        ("POST", runs, json, "{", 400, "bad-json"),
        (
            "POST",
            runs,
            json,
            r#"{"prompt":"p","colour":1}"#,
            422,
            "unknown-field",
        ),
        (
            "POST",
            runs,
            json,
            r#"{"prompt":"p","run_id":"A B"}"#,
            422,
            "bad-run-id",
        ),
        ("POST", runs, json, "", 422, "bad-value"),
        (
            "POST",
            runs,
            "text/plain",
            r#"{"prompt":"p"}"#,
            415,
            "media-type",
        ),
        ("POST", runs, json, &large, 413, "too-large"),
        ("DELETE", runs, json, "", 405, "method"),
        ("GET", "/api/v1/nowhere", json, "", 404, "not-found"),
        ("GET", "/api/v1/runs/A", json, "", 422, "bad-run-id"),
        ("GET", "/api/v1/runs/none", json, "", 404, "unknown-run"),
        ("GET", "/api/v1/runs/none/log", json, "", 404, "unknown-run"),
        ("GET", "/api/v1/runs?limit=x", json, "", 422, "bad-value"),
        ("GET", "/api/v1/runs?colour=x", json, "", 422, "bad-value"),
        ("GET", "/api/v1/runs", json, "", 503, "unavailable"),
        ("GET", "/api/v1/info", json, "", 503, "unavailable"),
        (
            "GET",
            "/api/v1/runs/none/stream?last_event_id=x",
            json,
            "",
            400,
            "bad-position",
        ),
        (
            "POST",
            "/api/v1/runs/none/cancel",
            json,
            "{}",
            404,
            "unknown-run",
        ),
        (
            "POST",
            "/api/v1/runs/none/pick",
            json,
            r#"{"variation":9}"#,
            422,
            "unknown-variation",
        ),
        (
            "POST",
            "/api/v1/runs/none/variations/7/retry",
            json,
            "",
            422,
            "unknown-variation",
        ),
    ] {
        let answer = send(method, path, media, body).await;
        assert_eq!(answer, (status, code.to_owned()), "{method} {path}");
    }
    let requests = world.admin.stream_state(REQUESTS_STREAM).await.unwrap();
    assert_eq!(requests.last, 0);
}

#[tokio::test]
async fn commands_are_checked_and_stored() {
    let world = World::begin().await;
    let mut run = world.run("c", 2).await;
    run.go(0, State::Failed).await;
    let at = |what: &str| format!("/api/v1/runs/c/{what}");
    let status = async |path: String, body: Value| post(&world, &path, &body).await.status;
    assert_eq!(
        status(at("cancel"), json!({ "reason": "enough" })).await,
        202
    );
    assert_eq!(status(at("variations/1/cancel"), json!({})).await, 202);
    assert_eq!(status(at("variations/0/cancel"), json!({})).await, 409);
    assert_eq!(status(at("variations/2/cancel"), json!({})).await, 422);
    assert_eq!(status(at("variations/0/retry"), json!({})).await, 202);
    assert_eq!(status(at("variations/1/retry"), json!({})).await, 409);
    assert_eq!(
        status(at("pick"), json!({ "variation": 0, "reason": "short" })).await,
        202
    );
    assert_eq!(status(at("pick"), json!({ "variation": 2 })).await, 422);
    run.go(1, State::Cancelled).await;
    assert_eq!(status(at("cancel"), json!({})).await, 409);
    let all = "aideator.requests.>";
    let stored: Vec<_> = world
        .admin
        .scan(REQUESTS_STREAM, all, 1, None)
        .collect()
        .await;
    let stored: Vec<(String, Value)> = stored
        .into_iter()
        .map(|stored| stored.unwrap())
        .map(|stored| {
            (
                stored.subject,
                serde_json::from_slice(&stored.payload).unwrap(),
            )
        })
        .collect();
    let expected = [
        ("cancel", json!({ "run_id": "c", "reason": "enough" })),
        ("cancel", json!({ "run_id": "c", "variation": 1 })),
        ("retry", json!({ "run_id": "c", "variation": 0 })),
        (
            "pick",
            json!({ "run_id": "c", "variation": 0, "reason": "short" }),
        ),
    ];
    let expected = expected.map(|(command, body)| (format!("aideator.requests.{command}"), body));
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn a_run_is_shown_from_its_state_log_and_its_log_is_what_viewers_saw() {
    let world = World::begin().await;
    let mut run = world.run("d", 2).await;
    run.say(0, "one").await;
    run.say(1, "two").await;
    run.go(0, State::Succeeded).await;
    let shown = get(world.at(), "/api/v1/runs/d").await.json().await;
    assert_eq!(shown["run_id"], "d");
    assert_eq!(shown["spec"]["prompt"], "p");
    assert_eq!(shown["summary"]["variations"][0]["state"], "succeeded");

    let log = get(world.at(), "/api/v1/runs/d/log").await;
    assert_eq!(log.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = log
        .text()
        .await
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said: Vec<_> = lines.iter().map(|line| line["delta"].as_str()).collect();
    assert_eq!(said, [None, Some("one"), Some("two"), None]);
    assert_eq!(lines[0]["change"]["type"], "accepted");
}

#[tokio::test]
async fn services_behind_the_edge_are_asked_and_their_words_passed_on() {
    let world = World::begin().await;
    let spec = ServiceSpec {
        name: "test",
        version: "0.1.0",
        description: "Answers",
        endpoints: [("list", rpc::RUNS_LIST), ("info", rpc::INFO)]
            .map(|(name, subject)| Endpoint {
                name,
                subject,
                schema: None,
            })
            .into(),
    };
    let service = Service::start(&world.admin, spec, |question| async move {
        if question.subject == rpc::INFO {
            let info = json!({ "version": "1", "default_model": "m", "models": [], "local": true,
                "allow_exec": false, "max_variations": 5 });
            return Ok(info.to_string().into());
        }
        let asked: Value = serde_json::from_slice(&question.payload).unwrap();
        if asked["before"] == "nonsense" {
            let text = serde_json::to_string(&Reason::new(Code::BadValue, "no such page"));
            return Err(Refusal {
                code: 400,
                text: text.unwrap(),
            });
        }
        assert_eq!(
            asked,
            json!({ "limit": 7, "status": "open", "picked": true })
        );
        Ok(r#"{"runs":[]}"#.into())
    });
    let _service = service.await.unwrap();
    let info = get(world.at(), "/api/v1/info").await.json().await;
    assert_eq!(info["default_model"], "m");
    let page = get(world.at(), "/api/v1/runs?limit=7&status=open&picked=true").await;
    assert_eq!(page.json().await, json!({ "runs": [] }));
    let refused = get(world.at(), "/api/v1/runs?before=nonsense").await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json().await["detail"], "no such page");
}

#[tokio::test]
async fn the_edge_says_whether_it_is_of_use() {
    let mut world = World::begin().await;
    assert_eq!(get(world.at(), "/healthz").await.status, 200);
    assert_eq!(get(world.at(), "/readyz").await.status, 200);
    let document = get(world.at(), "/api/openapi.json").await.json().await;
    assert_eq!(document["openapi"], "3.1.0");
    world.run("m", 1).await;
    let mut viewer = crate::client::follow(world.at(), "m", "").await;
    viewer.until("caught-up").await;
    let metrics = get(world.at(), "/metrics").await.text().await;
    assert!(metrics.contains("aideator_edge_viewers"), "{metrics}");
    assert!(metrics.contains("aideator_edge_frames_total"), "{metrics}");
    world.server.kill().await;
    soon(async {
        while get(world.at(), "/readyz").await.status != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(get(world.at(), "/healthz").await.status, 200);
}
