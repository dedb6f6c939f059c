//! `aideator watch`: a run from its beginning, live to its end.

use aideator_contract::RunId;

use super::following::{Manner, show};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::news;
use crate::server::Server;

/// Watch a run from its beginning; resumes by itself when the line breaks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// Print the stored events, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on behind this position (an `id` of the run's stream) instead of from the beginning
    #[arg(long, value_name = "ID")]
    pub(crate) from: Option<String>,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let client = server.client()?;
    let mut follow = client.follow(&args.run, args.from);
    let exit = show(&mut follow, Manner::of(args.json)).await?;
    if exit == Exit::Interrupted {
        if let (true, Some(position)) = (args.json, follow.position()) {
            news(&format!(
                "go on with: aideator watch {} --json --from {position}",
                args.run
            ));
        }
        news(&format!(
            "{} goes on; stop it with: aideator cancel {}",
            args.run, args.run
        ));
    }
    Ok(exit)
}
