//! `aideator retry`: try an ended variation again.

use aideator_contract::{RunId, Variation};

use super::typed;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::news;
use crate::server::Server;
use crate::view::number;

/// Try an ended variation again, as its next attempt.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// The variation, 1–5
    #[arg(value_parser = typed::variation)]
    pub(crate) variation: Variation,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    server.client()?.retry(&args.run, args.variation).await?;
    news(&format!(
        "variation {} begins again; watch it with: aideator watch {}",
        number(args.variation),
        args.run
    ));
    Ok(Exit::Success)
}
