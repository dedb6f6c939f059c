//! Bad input is refused with a clear error, kept as a dead letter where it came by NATS, and disturbs
//! nothing else.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::path::Path;
use std::process::Command as Process;

use aideator_bus::{Append, Bus};
use aideator_contract::subject::Command;
use aideator_contract::{State, Subject, limits};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::http::post;
use support::processes::{Agent, signal};
use support::runs::{
    dead, dead_letter, events, lorem, send, send_bytes, variation, when_finished, when_in,
    when_it_speaks,
};
use support::stage::Stage;
use support::until;
use support::viewer::Viewer;

const MODEL: &str = "scripted/lorem?chunks=3&rate=0";

/// A request that can't be used.
struct Bad {
    /// As it is sent.
    body: Vec<u8>,
    code: &'static str,
    /// What the words must name.
    word: &'static str,
    /// How HTTP answers.
    status: u16,
}

fn bad(body: &Value, code: &'static str, word: &'static str) -> Bad {
    Bad {
        body: body.to_string().into_bytes(),
        code,
        word,
        status: 422,
    }
}

/// Every way in which a request for a run can be wrong.
fn bad_runs(folder: &Path) -> Vec<Bad> {
    let repository = folder.join("repository");
    repository_at(&repository);
    let empty = folder.join("no-repository");
    std::fs::create_dir(&empty).unwrap();
    let run = |more: Value| {
        let mut request = json!({ "prompt": "p", "model": MODEL });
        let fields = request.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        request
    };
    let from = |repo: &str| run(json!({ "repo": repo }));
    let many = vec![json!({}); 6];
    let mut all = vec![
        Bad {
            body: b"prompt: hello".to_vec(),
            code: "bad-json",
            word: "JSON",
            status: 400,
        },
        Bad {
            body: vec![0xff, 0xfe, 0x00],
            code: "bad-json",
            word: "JSON",
            status: 400,
        },
        bad(&run(json!({ "promt": "p" })), "unknown-field", "promt"),
        bad(
            &run(json!({ "variations": [{ "modl": "m" }] })),
            "unknown-field",
            "modl",
        ),
        bad(&json!({ "model": MODEL }), "bad-value", "prompt"),
        bad(
            &run(json!({ "prompt": " \n" })),
            "bad-value",
            "prompt is empty",
        ),
        bad(
            &run(json!({ "prompt": "x".repeat(limits::PROMPT_BYTES + 1) })),
            "too-large",
            "prompt",
        ),
        bad(&run(json!({ "variations": 0 })), "bad-value", "1 to 5"),
        bad(&run(json!({ "variations": 6 })), "bad-value", "1 to 5"),
        bad(&run(json!({ "variations": many })), "bad-value", "1 to 5"),
        bad(
            &run(json!({ "run_id": "No Such-Id-" })),
            "bad-run-id",
            "run id",
        ),
        bad(
            &run(json!({ "model": "gpt-of-nobody" })),
            "unknown-model",
            "gpt-of-nobody",
        ),
        bad(&from("file:///etc"), "repository-address", "file://"),
        bad(
            &from("ssh://git@example.com/a.git"),
            "repository-address",
            "ssh://",
        ),
        bad(
            &from("https://me:secret@example.com/a"),
            "repository-address",
            "user name or password",
        ),
        bad(&from("https://127.0.0.1/a"), "private-address", "127.0.0.1"),
        bad(&from("https://10.1.2.3/a"), "private-address", "10.1.2.3"),
        bad(
            &from("https://192.168.0.1/a"),
            "private-address",
            "192.168.0.1",
        ),
        bad(
            &from("https://169.254.169.254/latest"),
            "private-address",
            "169.254",
        ),
        bad(
            &from("https://100.64.0.1/a"),
            "private-address",
            "100.64.0.1",
        ),
        bad(&from("https://[::1]/a"), "private-address", "::1"),
        bad(&from("https://[fe80::1]/a"), "private-address", "fe80::1"),
        bad(&from("https://[fd00::1]/a"), "private-address", "fd00::1"),
        bad(&from("https://localhost/a"), "private-address", "localhost"),
        bad(
            &run(json!({ "repo": repository, "ref": "no-such-branch" })),
            "ref-not-found",
            "no-such-branch",
        ),
        bad(
            &from(empty.to_str().unwrap()),
            "repository-not-found",
            "not a git repository",
        ),
        bad(
            &from("/no/such/folder"),
            "repository-not-found",
            "/no/such/folder",
        ),
    ];
    for one in &mut all {
        if one.code == "too-large" {
            one.status = 422;
        }
    }
    all
}

/// A repository with one commit.
fn repository_at(path: &Path) {
    let git = |arguments: &[&str]| {
        let mut git = Process::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .arg("-C")
            .arg(path)
            .args(arguments);
        assert!(git.output().unwrap().status.success(), "{arguments:?}");
    };
    std::fs::create_dir(path).unwrap();
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
}

#[tokio::test]
async fn a_bad_request_by_nats_becomes_a_dead_letter_with_the_reason() {
    let stage = Stage::whole(&[]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    let all = bad_runs(stage.folder());
    let mut sent = Vec::new();
    for bad in &all {
        sent.push(
            send_bytes(&script, Command::Run, bad.body.clone(), None)
                .await
                .sequence,
        );
    }
    let huge = json!({ "prompt": "p", "instructions": "x".repeat(limits::REQUEST_BYTES) });
    let huge = send(&script, Command::Run, &huge, None).await.sequence;

    for (bad, sequence) in all.iter().zip(sent) {
        let letter = dead_letter(&admin, Command::Run, sequence).await;
        let text = String::from_utf8_lossy(&bad.body[..bad.body.len().min(200)]);
        assert_eq!(letter["reason"]["code"], bad.code, "{text}: {letter}");
        let words = letter["reason"]["message"].as_str().unwrap();
        assert!(words.contains(bad.word), "{text}: {words}");
        assert!(!words.contains("secret"), "no login is repeated: {words}");
        assert_eq!(letter["subject"], "aideator.requests.run");
        match serde_json::from_slice::<Value>(&bad.body) {
            Ok(request) => assert_eq!(letter["request"], request, "kept as it was sent"),
            Err(_) => assert!(letter["text"].is_string() || letter["base64"].is_string()),
        }
    }
    let letter = dead_letter(&admin, Command::Run, huge).await;
    assert_eq!(letter["reason"]["code"], "too-large");
    assert_eq!(dead(&admin).await.len(), all.len() + 1, "one letter each");
    a_good_request_runs(&script, &admin).await;
}

#[tokio::test]
async fn a_bad_request_by_http_is_answered_with_a_problem_document() {
    let stage = Stage::whole(&[]).await;
    let admin = stage.admin().await;
    for bad in bad_runs(stage.folder()) {
        let Ok(body) = String::from_utf8(bad.body) else {
            continue;
        };
        let answer = post(stage.http(), "/api/v1/runs", &body).await;
        let shown = &body[..body.len().min(200)];
        problem(&answer, bad.status, bad.code, shown);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(bad.word), "{shown}: {detail}");
    }
    let huge = json!({ "prompt": "x".repeat(limits::REQUEST_BYTES + 1) });
    let answer = post(stage.http(), "/api/v1/runs", &huge.to_string()).await;
    problem(&answer, 413, "too-large", "a huge body");
    a_good_request_runs(&stage.script().await, &admin).await;
}

#[tokio::test]
async fn a_command_that_fits_no_run_is_refused_with_words() {
    let stage = Stage::whole(&[]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    let request = json!({ "run_id": "done", "prompt": "p", "model": MODEL, "variations": 2 });
    send(&script, Command::Run, &request, None).await;
    when_finished(&admin, "done").await;

    let nobody = json!({ "run_id": "nobody" });
    let done = json!({ "run_id": "done" });
    let of = |run: &str, variation: u8| json!({ "run_id": run, "variation": variation });
    for (command, body, code, word) in [
        (Command::Cancel, nobody, "unknown-run", "nobody"),
        (Command::Cancel, done, "already-finished", "ended"),
        (Command::Cancel, of("done", 3), "unknown-variation", "3"),
        (
            Command::Cancel,
            json!({ "run_id": "A b" }),
            "bad-run-id",
            "run id",
        ),
        (
            Command::Cancel,
            json!({ "run": "done" }),
            "unknown-field",
            "run",
        ),
        (Command::Pick, of("done", 4), "unknown-variation", "4"),
        (Command::Pick, of("done", 7), "unknown-variation", "0 to 4"),
        (Command::Pick, of("nobody", 0), "unknown-run", "nobody"),
        (Command::Retry, of("done", 2), "unknown-variation", "2"),
        (Command::Retry, of("nobody", 0), "unknown-run", "nobody"),
        (Command::Retry, json!([]), "bad-value", ""),
    ] {
        let sent = send(&script, command, &body, None).await;
        let letter = dead_letter(&admin, command, sent.sequence).await;
        assert_eq!(letter["reason"]["code"], code, "{command} {body}: {letter}");
        let words = letter["reason"]["message"].as_str().unwrap();
        assert!(words.contains(word), "{command} {body}: {words}");
    }
    for (path, body, status, code) in [
        ("nobody/cancel", "{}", 404, "unknown-run"),
        ("done/cancel", "{}", 409, "already-finished"),
        ("done/pick", r#"{"variation":4}"#, 422, "unknown-variation"),
        ("done/pick", r#"{"variation":7}"#, 422, "unknown-variation"),
        ("done/pick", r#"{"winner":1}"#, 422, "unknown-field"),
        ("nobody/pick", r#"{"variation":0}"#, 404, "unknown-run"),
        ("done/variations/3/cancel", "{}", 422, "unknown-variation"),
        ("done/variations/x/retry", "{}", 422, "unknown-variation"),
        ("No-Id-/cancel", "{}", 422, "bad-run-id"),
    ] {
        let answer = post(stage.http(), &format!("/api/v1/runs/{path}"), body).await;
        problem(&answer, status, code, path);
    }
    let pick = json!({ "run_id": "done", "variation": 0 });
    send(&script, Command::Pick, &pick, None).await;
    until("the first can be picked", async || {
        let summary = support::runs::last(&admin, "done").await?.summary;
        (summary.pick?.variation == variation(0)).then_some(())
    })
    .await;
    a_good_request_runs(&script, &admin).await;
}

#[tokio::test]
async fn what_a_newer_version_says_is_passed_on_and_disturbs_nothing() {
    let stage = Stage::whole(&[]).await;
    let (script, admin) = (stage.script().await, stage.admin().await);
    let request = json!({ "run_id": "newer", "prompt": "p", "model": lorem(5_000, 20, 1) });
    send(&script, Command::Run, &request, None).await;
    when_it_speaks(&admin, "newer", 0).await;
    let agent = Agent::of(&stage.attempt("newer", 0, 1)).await;
    signal(agent.brain, Signal::STOP);
    // What it had on its way is stored before anything of ours.
    let said = until("it is quiet", async || {
        let before = events(&admin, "newer", 0).await;
        when_in(&admin, "newer", 0, &[State::Running]).await;
        (events(&admin, "newer", 0).await.len() == before.len()).then_some(before.len())
    })
    .await;

    let run = "newer".parse().unwrap();
    let newer = json!({
        "v": 2, "run": "newer", "variation": 0, "attempt": 1, "n": said, "ts": 1,
        "type": "hologram", "depth": 3,
    });
    let out = Subject::out(&run, variation(0));
    let payload = newer.to_string();
    admin
        .append(&out, payload.clone().into(), Append::default())
        .await
        .unwrap();
    let report = Subject::report(&run, variation(0));
    let word = json!({
        "v": 2, "run": "newer", "variation": 0, "attempt": 1, "ts": 1,
        "type": "done", "outcome": { "type": "ascended" },
    });
    let word = word.to_string().into();
    admin
        .append(&report, word, Append::default())
        .await
        .unwrap();

    let letter = until("a dead letter", async || {
        let letters = dead(&admin).await.into_iter();
        let mut ours = letters.filter(|(on, _)| on == "aideator.dead.report");
        ours.next().map(|(_, letter)| letter)
    })
    .await;
    assert_eq!(letter["reason"]["code"], "newer-version", "{letter}");
    assert_eq!(letter["run_id"], "newer");
    let state = when_in(&admin, "newer", 0, &State::ALL).await.state;
    assert_eq!(state, State::Running, "the report was no last word");

    signal(agent.brain, Signal::KILL);
    when_in(&admin, "newer", 0, &[State::Failed]).await;
    let mut viewer = Viewer::of("newer");
    viewer.to_the_end(stage.http()).await;
    assert_eq!(viewer.faults, Vec::<String>::new());
    assert!(viewer.events[&0].contains(&payload), "passed on as it is");
    a_good_request_runs(&script, &admin).await;
}

fn problem(answer: &support::http::Answer, status: u16, code: &str, about: &str) {
    assert_eq!(answer.status, status, "{about}: {}", answer.body);
    assert_eq!(answer.media_type, "application/problem+json", "{about}");
    let document = answer.json();
    assert_eq!(document["code"], code, "{about}: {document}");
    assert_eq!(document["status"], status, "{about}");
    let detail = document["detail"].as_str().unwrap();
    assert!(!detail.is_empty(), "{about}");
}

async fn a_good_request_runs(script: &Bus, admin: &Bus) {
    let request = json!({ "run_id": "good", "prompt": "p", "model": MODEL });
    send(script, Command::Run, &request, None).await;
    let summary = when_finished(admin, "good").await;
    assert_eq!(summary.variations[0].state, State::Succeeded);
}
