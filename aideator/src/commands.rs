//! The commands, one file each, and what several of them share.

pub(crate) mod agent;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod doctor;
mod following;
pub(crate) mod ls;
pub(crate) mod nats;
pub(crate) mod pick;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod scripted;
pub(crate) mod show;
pub(crate) mod supervise;
pub(crate) mod token;
pub(crate) mod typed;
pub(crate) mod up;
pub(crate) mod watch;

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::exit::Exit;
use crate::server::Server;

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Result<Exit, Error> {
    let server = Server {
        address: cli.server,
        data_dir: cli.data_dir,
    };
    match cli.command {
        Command::Up(args) => up::run(args, &server).await,
        Command::Run(args) => run::run(args, &server).await,
        Command::Watch(args) => watch::run(args, &server).await,
        Command::Replay(args) => replay::run(args, &server).await,
        Command::Ls(args) => ls::run(args, &server).await,
        Command::Show(args) => show::run(args, &server).await,
        Command::Cancel(args) => cancel::run(args, &server).await,
        Command::Retry(args) => retry::run(args, &server).await,
        Command::Pick(args) => pick::run(args, &server).await,
        Command::Doctor(args) => doctor::run(args, &server).await,
        Command::Token(args) => token::run(args, &server).await,
        Command::Nats(args) => nats::run(args, &server).await,
        Command::Scripted(args) => scripted::run(args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Supervise(args) => supervise::run(args).await,
        Command::Agent(args) => agent::run(args).await,
    }
}
