//! `aideator completions`: what a shell needs to complete what is typed.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::put;

/// Print the completions of a shell, e.g. for bash: source <(aideator completions bash)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let mut text = Vec::new();
    generate(args.shell, &mut Cli::command(), "aideator", &mut text);
    put(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Success)
}
