//! `aideator scripted`: what a scripted model says.

use crate::error::Error;
use crate::exit::Exit;
use crate::output::put;

/// Print the text of a scripted model, byte for byte, to check a stream against it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model, e.g. 'scripted/lorem?chunks=200&rate=50&seed=1' or scripted:/path/to/script.jsonl
    pub(crate) model: String,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Error> {
    put(&aideator_agent::model::scripted_text(&args.model).await?)?;
    Ok(Exit::Success)
}
