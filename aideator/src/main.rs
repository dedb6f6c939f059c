//! The `aideator` command: everything on this machine (`up`), and a client of the HTTP API.
//!
//! It holds no logic of the services: `up` starts their `run` functions, everything else is an HTTP
//! client. Start reading at [`cli`] (what there is), then `commands/` (one file each).

mod api;
mod cli;
mod commands;
mod error;
mod exit;
mod folder;
mod logging;
mod output;
mod server;
mod supervise;
mod tools;
mod up;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    logging::init(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aideator: no threads can be started: {error}");
            return exit::Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(commands::run(cli));
    // A blocked read of standard input must not hold the process.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = error.exit();
            if exit != exit::Exit::Success {
                eprintln!("aideator: {}", error.chain());
            }
            exit.into()
        }
    }
}
