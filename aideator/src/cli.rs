//! What can be typed. The help is the manual: it is checked by a newcomer's eye.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    agent, cancel, completions, doctor, ls, nats, pick, replay, retry, run, scripted, show,
    supervise, token, up, watch,
};

const EXAMPLES: &str = "\
EXAMPLES
  aideator up                                       start everything here; prints the address
  aideator run \"What does this project do?\"         ask once, watch the answer
  aideator run --repo . -n 3 \"Explain the build\"    three answers about the repository here
  aideator run -m gpt-5,claude-sonnet-5 - < prompt  two models, the prompt from a file
  aideator ls                                       past and present runs
  aideator replay RUN --speed 2                     play a run again as it happened
  aideator show RUN -v 2                            the text of the second variation alone
  aideator pick RUN 2 --reason shortest             say which one is best
  aideator doctor                                   what is missing here, and what mends it

MODELS
  With no key, `up` runs a small model on this machine. For a real one start `up` with
  OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, … or with OPENAI_BASE_URL (llama.cpp,
  vLLM, Ollama, LiteLLM). `scripted/lorem?chunks=200&rate=50&seed=1` is no model: it plays a
  fixed text, for tests.

ENVIRONMENT
  AIDEATOR_SERVER       address of the server to ask, as --server
  AIDEATOR_DATA_DIR     data directory, as --data-dir
  AIDEATOR_MODEL        default model of `up`, as --model
  AIDEATOR_BASE_URL     where models are asked (OpenAI API); goes before OPENAI_BASE_URL
  AIDEATOR_API_KEY      the key for that address; goes before OPENAI_API_KEY
  AIDEATOR_TOKEN        the token for a server that is not only for this machine
  AIDEATOR_SECRET       what signs such tokens, for `token new` and `up` (`aideator token --help`)
  AIDEATOR_TOOLS        folder with nats-server and the small model
  AIDEATOR_NATS_SERVER  the nats-server program to run
  NO_COLOR              no colours
  RUST_LOG              what is logged, e.g. debug

EXIT CODES
  0    every variation succeeded       1  one did not, or the command failed
  2    refused: bad request or command line
  3    no server can be reached
  130  interrupted; the run goes on (`aideator cancel RUN` stops it)";

/// Run 1–5 LLM agents on one prompt, watch them think side by side, pick the best.
#[derive(Debug, Parser)]
#[command(name = "aideator", version, after_help = EXAMPLES, max_term_width = 120)]
pub(crate) struct Cli {
    /// Address of the server: http://host:port. Without it: the `up` that runs in the data directory
    #[arg(
        long,
        global = true,
        env = "AIDEATOR_SERVER",
        hide_env = true,
        value_name = "URL"
    )]
    pub(crate) server: Option<String>,

    /// Where `up` keeps everything [default: ~/.local/share/aideator]
    #[arg(
        long,
        global = true,
        env = "AIDEATOR_DATA_DIR",
        hide_env = true,
        value_name = "DIR"
    )]
    pub(crate) data_dir: Option<PathBuf>,

    /// Log more, to standard error; twice for debugging
    #[arg(long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine (again): NATS, submitter, watcher, web server
    Up(up::Args),
    /// Start a run and watch it
    Run(run::Args),
    /// Watch a run from its beginning; resumes by itself
    Watch(watch::Args),
    /// Play a run again as it happened
    Replay(replay::Args),
    /// List runs
    Ls(ls::Args),
    /// Show a run, or the text of one variation
    Show(show::Args),
    /// Stop a run, or one variation
    Cancel(cancel::Args),
    /// Try an ended variation again
    Retry(retry::Args),
    /// Say which variation is best
    Pick(pick::Args),
    /// Say what is missing here, and the command that mends it
    Doctor(doctor::Args),
    /// Make, read and revoke the tokens of servers that are not only for this machine
    Token(token::Args),
    /// Publish, ask and listen on NATS, where no NATS client is installed
    Nats(nats::Args),
    /// Print what a scripted model says, to check a stream against it
    Scripted(scripted::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Run an attempt's agent (started by the submitter)
    #[command(hide = true)]
    Supervise(supervise::Args),
    /// One of an agent's two processes (started by the supervisor)
    #[command(hide = true)]
    Agent(agent::Args),
}

impl Command {
    /// Runs on behalf of an agent, where the log goes to a file that is read afterwards.
    pub(crate) fn is_agent(&self) -> bool {
        matches!(self, Self::Supervise(_) | Self::Agent(_))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_command_a_person_needs() {
        let help = Cli::command().render_long_help().to_string();
        for word in [
            "up",
            "run",
            "watch",
            "replay",
            "ls",
            "show",
            "cancel",
            "retry",
            "pick",
            "doctor",
            "OPENAI_API_KEY",
        ] {
            assert!(help.contains(word), "{word}");
        }
        assert!(!help.contains("supervise"));
    }
}
