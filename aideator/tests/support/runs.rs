//! Runs as their streams tell.

use std::time::Duration;

use aideator_agent::model::scripted_text;
use aideator_bus::{Append, Appended, Bus, Stored};
use aideator_contract::subject::{Command, DEAD_ALL, DEAD_STREAM, REQUESTS_STREAM, RUNS_STREAM};
use aideator_contract::{State, StateMessage, Subject, Summary, Variation, VariationSummary};
use futures::TryStreamExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::until;

/// The model that says so many chunks at this rate.
pub fn lorem(chunks: u32, rate: u32, seed: u64) -> String {
    format!("scripted/lorem?chunks={chunks}&rate={rate}&seed={seed}")
}

/// What a scripted model says.
pub async fn said_by(model: &str) -> String {
    scripted_text(model).await.unwrap()
}

/// A variation by its number from 0.
pub fn variation(number: usize) -> Variation {
    Variation::at(number).unwrap()
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stores a request as `nats pub` with an ack and, if it is given, a `Nats-Msg-Id` does.
pub async fn send(bus: &Bus, command: Command, body: &Value, msg_id: Option<&str>) -> Appended {
    send_bytes(bus, command, body.to_string().into_bytes(), msg_id).await
}

/// The same, of anything.
pub async fn send_bytes(
    bus: &Bus,
    command: Command,
    body: Vec<u8>,
    msg_id: Option<&str>,
) -> Appended {
    let how = Append {
        msg_id,
        ..Append::default()
    };
    bus.append(&command.subject(), body.into(), how)
        .await
        .unwrap()
}

/// The last state of a run.
pub async fn last(bus: &Bus, run: &str) -> Option<StateMessage> {
    let subject = Subject::state(&run.parse().unwrap());
    let stored = bus.last_from_leader(&subject).await.ok()??;
    Some(serde_json::from_slice(&stored.payload).unwrap())
}

/// Waits until a run's summary is as wanted.
pub async fn when(
    bus: &Bus,
    run: &str,
    what: &str,
    mut wanted: impl FnMut(&Summary) -> bool,
) -> Summary {
    let mut seen = None;
    let reached = async || {
        seen = last(bus, run).await.map(|message| message.summary);
        seen.clone().filter(|summary| wanted(summary))
    };
    until(&format!("run {run}: {what}"), reached).await
}

/// Waits until a variation is in one of these states.
pub async fn when_in(bus: &Bus, run: &str, number: usize, states: &[State]) -> VariationSummary {
    let what = format!("variation {number} is one of {states:?}");
    let summary = when(bus, run, &what, |summary| {
        let variation = summary.variations.get(number);
        variation.is_some_and(|variation| states.contains(&variation.state))
    })
    .await;
    summary.variations[number].clone()
}

/// Waits until every variation has ended.
pub async fn when_finished(bus: &Bus, run: &str) -> Summary {
    when(bus, run, "it is finished", |summary| {
        summary.finished.is_some()
    })
    .await
}

/// Waits until an agent has said something.
pub async fn when_it_speaks(bus: &Bus, run: &str, number: usize) {
    let subject = Subject::out(&run.parse().unwrap(), variation(number));
    until("an agent speaks", async || {
        let stored = bus.last(&subject).await.ok()??;
        let event: Value = serde_json::from_slice(&stored.payload).unwrap();
        (event["type"] == "text-delta").then_some(())
    })
    .await;
}

/// Waits until every request up to this sequence of this command is decided.
pub async fn when_decided(bus: &Bus, command: Command, sequence: u64) {
    until("a request is decided", async || {
        let floor = bus.consumer_ack_floor(REQUESTS_STREAM, command.durable());
        (floor.await.ok()? >= sequence).then_some(())
    })
    .await;
}

/// Every message of a subject (wildcards allowed) of the runs.
pub async fn stored(bus: &Bus, subject: &str) -> Vec<Stored> {
    let scan = bus.scan(RUNS_STREAM, subject, 1, None);
    scan.try_collect().await.unwrap()
}

/// Every event of a variation.
pub async fn events(bus: &Bus, run: &str, number: usize) -> Vec<Value> {
    let subject = Subject::out(&run.parse().unwrap(), variation(number));
    let stored = stored(bus, subject.as_str()).await;
    let events = stored
        .iter()
        .map(|one| serde_json::from_slice(&one.payload));
    events.map(Result::unwrap).collect()
}

/// The text in events of one attempt.
pub fn text_of(events: &[Value], attempt: u64) -> String {
    let deltas = events
        .iter()
        .filter(|event| event["attempt"] == attempt && event["type"] == "text-delta");
    deltas
        .map(|event| event["delta"].as_str().unwrap())
        .collect()
}

/// Every dead letter, with the subject it is under.
pub async fn dead(bus: &Bus) -> Vec<(String, Value)> {
    let scan = bus.scan(DEAD_STREAM, DEAD_ALL, 1, None);
    let stored: Vec<Stored> = scan.try_collect().await.unwrap();
    let letters = stored.into_iter().map(|one| {
        let letter = serde_json::from_slice(&one.payload).unwrap();
        (one.subject, letter)
    });
    letters.collect()
}

/// Waits for the dead letter of the request with this sequence.
pub async fn dead_letter(bus: &Bus, command: Command, sequence: u64) -> Value {
    let subject = command.dead();
    until(&format!("a letter on {subject}"), async || {
        let letters = dead(bus).await.into_iter();
        let mut ours = letters.filter(|(on, letter)| {
            on == subject.as_str() && letter["sequence"] == sequence && letter["v"] == 1
        });
        ours.next().map(|(_, letter)| letter)
    })
    .await
}

/// Asks a service.
pub async fn ask(bus: &Bus, subject: &str, question: &Value) -> Result<Value, aideator_bus::Error> {
    let limit = Duration::from_secs(10);
    let answer = bus
        .request(subject, question.to_string().into(), limit)
        .await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}
