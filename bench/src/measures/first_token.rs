//! From sending a request to the first scripted token on a viewer's socket.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Options;
use crate::figures::{Samples, ms};
use crate::installation::Installation;
use crate::results::Row;
use crate::viewer::Viewer;

const TIMES: usize = 30;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Row> {
    let installation = Installation::new(&options.aideator)?;
    let up = installation.up(&["--nats", "127.0.0.1:0"]).await?;
    let client = reqwest::Client::new();
    let mut samples = Samples::default();
    for _ in 0..TIMES {
        samples.add(once(&client, up.http()?).await?);
    }
    up.stop().await?;
    let figure = format!(
        "p50 {}, p99 {} ({TIMES} runs: HTTP request, NATS, a process of its own, SSE)",
        ms(samples.percentile(50.0)),
        ms(samples.percentile(99.0)),
    );
    Ok(Row::new(
        "request to first scripted token on the viewer's socket",
        figure,
        "p50 < 200 ms",
    ))
}

async fn once(client: &reqwest::Client, http: &str) -> anyhow::Result<std::time::Duration> {
    let request = json!({ "prompt": "hello", "model": "scripted/lorem?chunks=5&rate=0&seed=1" });
    let begun = Instant::now();
    let answer: Value = client
        .post(format!("{http}/api/v1/runs"))
        .json(&request)
        .send()
        .await?
        .json()
        .await?;
    let run = answer["run_id"]
        .as_str()
        .with_context(|| format!("no run id: {answer}"))?;
    let mut viewer = Viewer::open(http, run).await?;
    let mut first = None;
    loop {
        let event = viewer.next().await?;
        if first.is_none() && event.data.contains("\"text-delta\"") {
            first = Some(event.at.duration_since(begun));
        }
        if event.name == "end" {
            return first.context("the run said nothing");
        }
    }
}
