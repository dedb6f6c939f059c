//! The edge's program as one process: started, killed, ended and started again at one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::process::Process;
use crate::server::serves;

/// How an edge is to run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its program.
    pub program: PathBuf,
    /// Where it serves.
    pub listen: SocketAddr,
    /// Where it is asked whether it is ready.
    pub asked_at: SocketAddr,
    /// Where NATS is.
    pub nats: String,
    /// The file of its credential.
    pub creds: PathBuf,
    /// What lets viewers in; not needed on loopback.
    pub token: Option<String>,
    /// The network namespace it lives in, if not ours.
    pub namespace: Option<String>,
    /// Where its log goes; each start begins it anew.
    pub log: PathBuf,
}

/// An edge, while it runs and while it does not.
#[derive(Debug)]
pub struct Instance {
    setup: Setup,
    process: Option<Process>,
}

impl Instance {
    /// Starts an edge and waits until it is ready.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let mut instance = Self {
            setup,
            process: None,
        };
        instance.restart().await?;
        Ok(instance)
    }

    /// Ends it if it runs, starts it and waits until it is ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.end().await;
        let Setup { log, asked_at, .. } = &self.setup;
        let mut process = Process::start(&mut self.setup.command(), log)?;
        serves(&mut process, *asked_at, Some("/readyz")).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it as an operator does (SIGTERM) and waits for its end.
    pub async fn end(&mut self) {
        if let Some(process) = self.process.take() {
            process.end().await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.setup.listen
    }

    /// Its process id; 0 while it does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }
}

impl Setup {
    fn command(&self) -> Command {
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", namespace]).arg(&self.program);
                inside
            }
            None => Command::new(&self.program),
        };
        command.arg("--listen").arg(self.listen.to_string());
        command.arg("--nats").arg(&self.nats);
        command.arg("--creds").arg(&self.creds);
        command.envs(self.token.iter().map(|token| ("AIDEATOR_TOKEN", token)));
        command
    }
}
