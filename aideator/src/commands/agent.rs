//! `aideator agent`: one of an agent's two processes.

use aideator_agent::AgentCommand;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::error::Error;
use crate::exit::Exit;
use crate::supervise::SUPERVISOR_ENV;

/// What makes this program the hands.
const HANDS: [&str; 2] = ["agent", "hands"];

/// Run a role of an agent.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) role: AgentCommand,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Error> {
    if let Ok(supervisor) = std::env::var(SUPERVISOR_ENV) {
        die_with(&supervisor)?;
    }
    let code = args.role.run(&HANDS).await;
    // The supervisor tells how the agent ended by exactly this code.
    Ok(Exit::Role(code))
}

/// A brain whose supervisor is gone would run unobserved: it ends with it, or at once if it is too late.
fn die_with(supervisor: &str) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| {
        Error::Internal(format!("can't be bound to the supervisor's life: {error}"))
    })?;
    let parent = getppid()
        .map(Pid::as_raw_nonzero)
        .map(|pid| pid.to_string());
    if parent.as_deref() == Some(supervisor) {
        Ok(())
    } else {
        Err(Error::Internal("the supervisor is gone".into()))
    }
}
