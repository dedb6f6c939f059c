//! `aideator pick`: say which variation is best.

use aideator_contract::{RunId, Variation};

use super::typed;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::news;
use crate::server::Server;
use crate::view::number;

/// Say which variation is best. The last pick counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// The variation, 1–5
    #[arg(value_parser = typed::variation)]
    pub(crate) variation: Variation,
    /// Why
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    server
        .client()?
        .pick(&args.run, args.variation, args.reason.as_deref())
        .await?;
    news(&format!(
        "variation {} of {} is picked",
        number(args.variation),
        args.run
    ));
    Ok(Exit::Success)
}
