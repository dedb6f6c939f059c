//! `aideator supervise`: the process that runs one attempt's agent and survives `up`.

use std::path::PathBuf;

use crate::error::Error;
use crate::exit::Exit;
use crate::supervise::{Ended, supervise};

/// Run the agent of the attempt whose folder this is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The attempt's folder
    pub(crate) folder: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Error> {
    let program = std::env::current_exe().map_err(Error::file("find", "the aideator program"))?;
    match supervise(&args.folder, &program).await? {
        Ended::Already => tracing::info!("this attempt is or was run by another process"),
        Ended::Agent(status) => tracing::info!(
            code = status.code,
            signal = status.signal,
            "the agent has ended"
        ),
    }
    Ok(Exit::Success)
}
