//! What is measured, one file each.

mod first_token;
mod idle;
mod latency;
mod memory;
mod replay;
mod startup;
mod sustained;

use crate::Options;
use crate::results::Row;

/// Measures everything that `--only` allows, one after the other.
pub(crate) async fn all(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let wanted = |name: &str| {
        options
            .only
            .as_ref()
            .is_none_or(|word| name.contains(word.as_str()))
    };
    if wanted("startup") {
        say("start-up of `up`");
        rows.push(startup::measure(options).await?);
    }
    if wanted("first-token") {
        say("request to first token");
        rows.push(first_token::measure(options).await?);
    }
    if wanted("latency") {
        say("publish to viewer, through storage");
        rows.extend(latency::measure(options).await?);
    }
    if wanted("sustained") {
        say("sustained chunks of one run and of 100 runs");
        rows.extend(sustained::measure(options).await?);
    }
    if wanted("idle") {
        say("1,000 idle viewers");
        rows.extend(idle::measure(options).await?);
    }
    if wanted("memory") {
        say("memory of each service");
        rows.extend(memory::measure(options).await?);
    }
    if wanted("replay") {
        say("replay of 5,000 chunks by a cold hub");
        rows.extend(replay::measure(options).await?);
    }
    Ok(rows)
}

/// Progress goes to the error output, so that the table alone is on the other.
fn say(what: &str) {
    eprintln!("measuring: {what}");
}
