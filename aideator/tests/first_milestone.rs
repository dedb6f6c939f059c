//! One scripted variation from a published request to a viewer, cut in the middle, resumed and
//! replayed exactly, by the built binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where something is not as expected"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use aideator_bus::{Bus, Connect};
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Scissors, Up, aideator, lines, signal, within};

const MODEL: &str = "scripted/lorem?chunks=150&rate=75&seed=11";

#[tokio::test]
async fn a_published_request_reaches_a_viewer_whatever_happens_to_the_line() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path());
    publish(&up, "first").await;

    // One viewer's line is cut again and again; it goes on by itself.
    let scissors = Scissors::before(up.http(), &[600, 3_000, 9_000]);
    let server = format!("http://{}", scissors.address);
    let cut = tokio::task::spawn_blocking(move || watch(&server, "first"));
    // Another is interrupted by its user, and goes on from the position it was given.
    let server = up.http().to_owned();
    let resumed = tokio::task::spawn_blocking(move || interrupted_and_resumed(&server, "first"));
    let (cut, resumed) = (cut.await.unwrap(), resumed.await.unwrap());
    assert!(scissors.connections() > 3, "the line was cut three times");

    let replayed = watch(up.http(), "first");
    same(&cut, &replayed, "replayed as it was seen live");
    same(&resumed, &replayed, "resumed to the byte");
    check(&replayed);

    // Another `up` on the same data: the same ports, the same run.
    let (http, nats) = (up.http().to_owned(), up.nats().to_owned());
    up.stop();
    let up = Up::start(data.path());
    assert_eq!((up.http(), up.nats()), (http.as_str(), nats.as_str()));
    same(&watch(up.http(), "first"), &replayed, "after a restart");
    up.stop();
}

/// As any script does: without credentials.
async fn publish(up: &Up, run: &str) {
    let bus = Bus::connect(Connect::new(up.nats(), "a script"))
        .await
        .unwrap();
    let request = json!({ "run_id": run, "prompt": "hi", "model": MODEL });
    bus.publish("aideator.requests.run", request.to_string().into())
        .await
        .unwrap();
    bus.close().await;
}

fn watch(server: &str, run: &str) -> Vec<String> {
    lines(
        &aideator()
            .args(["watch", run, "--json", "--server", server])
            .output()
            .unwrap(),
    )
}

fn interrupted_and_resumed(server: &str, run: &str) -> Vec<String> {
    let mut viewer = aideator()
        .args(["watch", run, "--json", "--server", server])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    let mut output = BufReader::new(viewer.stdout.take().unwrap());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        seen.push(line.trim_end().to_owned());
        if seen.len() == 20 {
            signal(&viewer, Signal::INT);
        }
        line.clear();
    }
    assert!(
        seen.len() < 100,
        "interrupted in the middle, after {}",
        seen.len()
    );
    let status = within("the viewer ends", || viewer.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    let mut advice = String::new();
    viewer.stderr.unwrap().read_to_string(&mut advice).unwrap();
    let words: Vec<&str> = advice.split_whitespace().collect();
    let from = words.iter().position(|word| *word == "--from").unwrap();
    let rest = aideator()
        .args([
            "watch",
            run,
            "--json",
            "--from",
            words[from + 1],
            "--server",
            server,
        ])
        .output()
        .unwrap();
    seen.extend(lines(&rest));
    seen
}

/// Each subject is the same, byte for byte; how two subjects mix is nobody's promise.
fn same(one: &[String], other: &[String], why: &str) {
    assert_eq!(out(one), out(other), "{why}");
    assert_eq!(states(one), states(other), "{why}");
}

fn states(printed: &[String]) -> Vec<&String> {
    let is_state = |line: &&String| json_of(line).get("change").is_some();
    printed.iter().filter(is_state).collect()
}

/// The agent's events of what was printed; states may come between them anywhere.
fn out(printed: &[String]) -> Vec<&String> {
    printed
        .iter()
        .filter(|line| json_of(line).get("n").is_some())
        .collect()
}

/// The text is what the model said, nothing lost, doubled or reordered, and what the agent proved.
fn check(printed: &[String]) {
    let events: Vec<Value> = out(printed).into_iter().map(|line| json_of(line)).collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["n"], at, "{event}");
    }
    let deltas = events.iter().filter(|event| event["type"] == "text-delta");
    let text: String = deltas
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    let script = aideator().args(["scripted", MODEL]).output().unwrap();
    assert_eq!(text, String::from_utf8(script.stdout).unwrap());

    let last = json_of(
        printed
            .iter()
            .rfind(|line| json_of(line).get("change").is_some())
            .unwrap(),
    );
    assert_eq!(last["summary"]["status"], "finished");
    let variation = &last["summary"]["variations"][0];
    assert_eq!(variation["state"], "succeeded");
    let sha256: String = Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        variation["digest"],
        json!({ "sha256": sha256, "bytes": text.len() })
    );
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}
