//! `aideator ls`: runs, newest first.

use aideator_contract::view::{ListRequest, RunRow};
use aideator_contract::{State, Status, Timestamp, Variation};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::{news, now, put};
use crate::server::Server;
use crate::view::{Paint, Screen, Tone, ago, cut, harmless, number, state_word};

/// List runs, newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// At most so many, 1–200
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// Only runs that are: open, finished, rejected
    #[arg(long, value_parser = word::<Status>)]
    pub(crate) status: Option<Status>,
    /// Only runs with a variation that is: queued, running, succeeded, failed, cancelled, timed_out, …
    #[arg(long, value_parser = word::<State>)]
    pub(crate) state: Option<State>,
    /// Only runs with this model
    #[arg(short, long)]
    pub(crate) model: Option<String>,
    /// Only runs of this repository
    #[arg(long)]
    pub(crate) repo: Option<String>,
    /// Only the page that begins behind this (the last line of a page says it)
    #[arg(long, value_name = "NEXT")]
    pub(crate) before: Option<String>,
    /// Print one JSON object a run and line
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let wanted = ListRequest {
        limit: Some(args.limit),
        before: args.before,
        status: args.status,
        state: args.state,
        model: args.model,
        repo: args.repo,
        picked: None,
    };
    let page = server.client()?.list(&wanted).await?;
    let paint = Paint::for_stdout();
    let columns = usize::from(Screen::size().0);
    for row in &page.runs {
        let line = if args.json {
            serde_json::to_string(row).map_err(|error| Error::Internal(error.to_string()))?
        } else {
            line(row, now(), columns, paint)
        };
        put(&format!("{line}\n"))?;
    }
    if page.runs.is_empty() && !args.json {
        news("no runs yet; start one with: aideator run \"What does this project do?\"");
    }
    if let Some(next) = &page.next {
        news(&format!("more with: aideator ls --before {next}"));
    }
    Ok(Exit::Success)
}

fn line(row: &RunRow, now: Timestamp, columns: usize, paint: Paint) -> String {
    let id = format!("{:<20}", row.run_id.as_str());
    let when = format!("{:>8}", ago(now.since(row.created)));
    let mut line = format!(
        "{} {}  ",
        paint.tone(Tone::Bold, &id),
        paint.tone(Tone::Dim, &when)
    );
    let mut used = id.len() + when.len() + 3;
    for (variation, summary) in Variation::first(Variation::MAX).zip(&row.variations) {
        let (word, tone) = state_word(summary.state);
        let picked = row
            .pick
            .as_ref()
            .is_some_and(|pick| pick.variation == variation);
        let text = format!(
            "{}:{word}{} ",
            number(variation),
            if picked { "★" } else { "" }
        );
        used += text.chars().count();
        line.push_str(&paint.tone(tone, &text));
    }
    if row.status == Status::Rejected {
        used += 9;
        line.push_str(&paint.tone(Tone::Bad, "rejected "));
    }
    let prompt = harmless(&row.prompt).replace('\n', " ");
    line.push_str(&cut(
        prompt.trim(),
        columns.saturating_sub(used + 2).max(20),
    ));
    line
}

/// A word as it stands on the wire.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let wire = text.replace([' ', '-'], "_");
    serde_json::from_value(wire.into()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_typed_as_people_say_them() {
        assert_eq!(word::<State>("timed out"), Ok(State::TimedOut));
        assert_eq!(word::<Status>("finished"), Ok(Status::Finished));
        assert!(word::<State>("lost").unwrap_err().contains("lost"));
    }
}
