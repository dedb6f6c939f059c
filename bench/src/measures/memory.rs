//! Resident memory of each service, each its own process, after one run of five variations.

use aideator_contract::Mode;
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Options;
use crate::figures::mib;
use crate::installation::{Installation, children};
use crate::results::Row;
use crate::viewer::Viewer;

const PARTS: [&str; 3] = ["submitter", "watcher", "edge"];

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Row>> {
    let installation = Installation::new(&options.aideator)?;
    let nats = installation
        .up(&["--only", "nats", "--nats", "127.0.0.1:0"])
        .await?;
    let mut parts = Vec::new();
    for part in PARTS {
        parts.push(
            installation
                .up(&["--only", part, "--nats", &nats.ready.nats])
                .await?,
        );
    }
    let [submitter, _, edge] = parts.as_slice() else {
        anyhow::bail!("three parts")
    };
    let agents = run(edge.http()?, submitter.pid()?).await?;
    let mut rows = vec![Row::new("memory of nats-server", mib(nats.memory()?), "–")];
    for (part, up) in PARTS.iter().zip(&parts) {
        rows.push(Row::new(
            format!("memory of the {part}"),
            mib(up.memory()?),
            "–",
        ));
    }
    rows.push(Row::new(
        "memory of one running agent: supervisor, brain and hands",
        mib(agents),
        "–",
    ));
    for up in parts {
        up.stop().await?;
    }
    nats.stop().await?;
    Ok(rows)
}

/// One run of five variations; the memory of one of its agents while it ran.
async fn run(http: &str, submitter: u32) -> anyhow::Result<u64> {
    let request = json!({
        "prompt": "hello", "mode": Mode::Analyze, "variations": 5,
        "model": "scripted/lorem?chunks=200&rate=100&seed=1",
    });
    let client = reqwest::Client::new();
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
    let mut agents = 0;
    loop {
        let event = viewer.next().await?;
        if agents == 0 && event.data.contains("\"n\":50,") {
            agents = agent_memory(submitter);
        }
        if event.name == "end" {
            return Ok(agents);
        }
    }
}

fn agent_memory(submitter: u32) -> u64 {
    let Some(supervisor) = children(submitter, "supervise").first().copied() else {
        return 0;
    };
    let family = std::iter::once(supervisor).chain(children(supervisor, "agent"));
    family
        .filter_map(|pid| crate::installation::resident(pid).ok())
        .sum()
}
