//! `aideator show`: a run, or the text of one variation.

use std::io::IsTerminal as _;

use aideator_contract::view::RunView;
use aideator_contract::{RunId, Status, Variation};

use super::typed;
use crate::api::{Client, Told};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{now, put};
use crate::server::Server;
use crate::view::{Board, Paint, Tone, ago, duration, harmless, number, state_word, tokens};

/// Show a run: what was asked, where each variation is and why, tokens and cost. With -v: a text.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// Print the text of this variation (1–5) as it is by now, and nothing else
    #[arg(short, long, value_name = "V", value_parser = typed::variation)]
    pub(crate) variation: Option<Variation>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let client = server.client()?;
    if let Some(variation) = args.variation {
        return text(&client, &args.run, variation).await;
    }
    let view = client.get(&args.run).await?;
    let text = if args.json {
        serde_json::to_string_pretty(&view).map_err(|error| Error::Internal(error.to_string()))?
            + "\n"
    } else {
        describe(&view, Paint::for_stdout())
    };
    put(&text)?;
    Ok(Exit::Success)
}

/// The text of a variation, byte for byte; in a terminal without what a terminal would obey.
async fn text(client: &Client, run: &RunId, variation: Variation) -> Result<Exit, Error> {
    let mut board = Board::default();
    let mut follow = client.follow(run, None);
    while let Some(told) = follow.next().await? {
        if told == Told::CaughtUp {
            break;
        }
        board.apply(&told);
    }
    let Some(pane) = board.panes.get(variation.index()) else {
        let count = board.panes.len();
        return Err(Error::Usage(format!(
            "{run} has {count} variations; there is no {}",
            number(variation)
        )));
    };
    let answer = pane.answer();
    if std::io::stdout().is_terminal() {
        put(&(harmless(&answer) + "\n"))?;
    } else {
        put(&answer)?;
    }
    match pane.is_whole() {
        Some(false) if board.gaps.is_empty() => Err(Error::Internal(
            "the text is not what the agent's digest proves".into(),
        )),
        _ => Ok(Exit::Success),
    }
}

fn describe(view: &RunView, paint: Paint) -> String {
    let summary = &view.summary;
    let mut lines = Vec::new();
    let status = match summary.status {
        Status::Open => paint.tone(Tone::Busy, "open"),
        Status::Finished => paint.tone(Tone::Good, "finished"),
        Status::Rejected => paint.tone(Tone::Bad, "rejected"),
    };
    let created = ago(now().since(summary.created));
    lines.push(format!(
        "{} {status} · {created}",
        paint.tone(Tone::Bold, view.run_id.as_str())
    ));
    if let Some(spec) = &view.spec {
        if let Some(source) = &spec.source {
            let commit = source
                .commit
                .as_deref()
                .map(|c| format!(" at {}", &c[..c.len().min(12)]))
                .unwrap_or_default();
            lines.push(format!("repository {}{commit}", harmless(&source.repo)));
        }
        let prompt = harmless(spec.prompt.trim_end());
        lines.extend(prompt.lines().map(|line| format!("> {line}")));
    }
    for (variation, of) in Variation::first(Variation::MAX).zip(&summary.variations) {
        let (word, tone) = state_word(of.state);
        let mut line = format!(
            "{} {} {}",
            number(variation),
            harmless(&of.model),
            paint.tone(tone, word)
        );
        if of.attempt.get() > 1 {
            line.push_str(&format!(" · attempt {}", of.attempt));
        }
        if let (Some(started), true) = (of.started, of.state.is_terminal()) {
            line.push_str(&format!(" · {}", duration(of.since.since(started))));
        }
        if let Some(place) = view.queue.iter().find(|place| place.variation == variation) {
            line.push_str(&format!(" · place {} in the queue", place.position));
        }
        if let Some(reason) = &of.reason {
            line.push_str(&format!(" · {}", harmless(&reason.message)));
        }
        if let Some(usage) = &of.usage {
            line.push_str(&format!(" · {}", tokens(usage)));
        }
        lines.push(line);
    }
    if let Some(pick) = &summary.pick {
        let why = pick
            .reason
            .as_deref()
            .map(|why| format!(": {}", harmless(why)))
            .unwrap_or_default();
        lines.push(format!(
            "{} {}{why}",
            paint.tone(Tone::Good, "picked"),
            number(pick.variation)
        ));
    }
    lines.join("\n") + "\n"
}
