//! `aideator cancel`: stop a run, or one variation.

use aideator_contract::{RunId, Variation};

use super::typed;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::news;
use crate::server::Server;
use crate::view::number;

/// Stop a run, or one variation of it. What it has said stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// The variation, 1–5; all without it
    #[arg(value_parser = typed::variation)]
    pub(crate) variation: Option<Variation>,
    /// Why, for those who read it later
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    server
        .client()?
        .cancel(&args.run, args.variation, args.reason.as_deref())
        .await?;
    match args.variation {
        Some(variation) => news(&format!(
            "variation {} of {} is told to stop",
            number(variation),
            args.run
        )),
        None => news(&format!("{} is told to stop", args.run)),
    }
    Ok(Exit::Success)
}
