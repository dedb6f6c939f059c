//! The two roles as commands: `brain` and `hands`, hidden subcommands of `aideator agent` and the
//! commands of the `aideator-agent` binary.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aideator_bus::publisher::Ended;
use aideator_bus::{Bus, Connect, Credentials};
use aideator_contract::local::AttemptName;
use aideator_contract::repository::{Repository, RepositoryPolicy};
use aideator_contract::{
    Attempt, AttemptSpec, Mode, Outcome, RunId, Source, Variation, VariationSpec, limits,
};
use clap::{Args, Subcommand};
use rustix::process::{
    DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::brain::{self, Deps, Tools};
use crate::hands::{self, HandsAt};
use crate::model::Settings;
use crate::redact::Secrets;

/// The exit code of a process whose attempt is closed, taken by another process or never opened.
pub const NOT_OURS: u8 = 3;

/// The exit code of a process that was told to end by SIGTERM, as shells tell it.
const TERMINATED: u8 = 128 + 15;

/// How long the first connection to NATS may take.
const CONNECT: Duration = Duration::from_secs(60);

/// A role of the agent.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Run one attempt: hold the keys, ask the model, publish
    Brain(BrainArgs),
    /// Hold the workspace and carry out a brain's orders
    Hands(HandsArgs),
    /// Try an agent out without NATS: its answer goes to standard output
    Try(TryArgs),
}

/// Which attempt, and where NATS is. The model's key and base URL are taken from the environment.
#[derive(Debug, Args)]
pub struct BrainArgs {
    /// NATS server, nats://host:port
    #[arg(long, env = "AIDEATOR_NATS")]
    pub nats: String,
    /// File with the attempt's NATS credential
    #[arg(long, env = "AIDEATOR_CREDS")]
    pub creds: Option<PathBuf>,
    /// The run
    #[arg(long, env = "AIDEATOR_RUN")]
    pub run: RunId,
    /// The variation, 0 to 4
    #[arg(long, env = "AIDEATOR_VARIATION")]
    pub variation: Variation,
    /// The attempt, from 1
    #[arg(long, env = "AIDEATOR_ATTEMPT")]
    pub attempt: Attempt,
    /// What it works with
    #[command(flatten)]
    pub tools: ToolsArgs,
}

/// Where an agent's hands are, and how much its model reads.
#[derive(Debug, Args)]
pub struct ToolsArgs {
    /// Unix socket at which hands listen; without it they are started as a child
    #[arg(long, env = "AIDEATOR_HANDS_SOCKET")]
    pub hands_socket: Option<PathBuf>,
    /// Folder for the workspace of hands that are a child [default: a temporary one]
    #[arg(long, env = "AIDEATOR_WORKSPACE")]
    pub workspace: Option<PathBuf>,
    /// Tokens of repository digest given to the model [default: by the model]
    #[arg(long, env = "AIDEATOR_DIGEST_TOKENS")]
    pub digest_tokens: Option<usize>,
}

/// What an agent is tried out on.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// Repository, an https address; its default branch is read
    #[arg(long, env = "REPO_URL")]
    pub repo: Option<String>,
    /// What to ask
    #[arg(
        long,
        env = "PROMPT",
        default_value = "Analyze this repository and describe what it does"
    )]
    pub prompt: String,
    /// The model to ask
    #[arg(long, env = "MODEL", default_value = "scripted/lorem")]
    pub model: String,
    /// Hosts (host or host:port, separated by commas) that may be private and speak plain http
    #[arg(long, env = "AIDEATOR_TRUSTED_HOSTS", value_delimiter = ',')]
    pub trusted_hosts: Vec<String>,
    /// Seconds it may take
    #[arg(long, env = "DEADLINE_S", default_value_t = limits::DEADLINE_S)]
    pub deadline_s: u64,
    /// What it works with
    #[command(flatten)]
    pub tools: ToolsArgs,
}

/// Where the hands work and whom they serve.
#[derive(Debug, Args)]
pub struct HandsArgs {
    /// Folder to work in
    #[arg(long)]
    pub workspace: PathBuf,
    /// Unix socket to listen on [default: standard input is the socket]
    #[arg(long)]
    pub socket: Option<PathBuf>,
}

impl AgentCommand {
    /// Runs the role to its end. `hands_arguments` are what makes this same program the hands.
    pub async fn run(self, hands_arguments: &[&str]) -> ExitCode {
        let done = match self {
            Self::Brain(args) => brain(args, hands_arguments).await,
            Self::Hands(args) => hands(args).await,
            Self::Try(args) => return try_out(args, hands_arguments).await,
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error @ (Error::Ended(Ended::Superseded | Ended::Outrun) | Error::NotOpened)) => {
                tracing::info!(%error, "nothing to do");
                ExitCode::from(NOT_OURS)
            }
            Err(error @ Error::Terminated) => {
                tracing::info!(%error, "ended");
                ExitCode::from(TERMINATED)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the agent failed");
                ExitCode::FAILURE
            }
        }
    }
}

async fn brain(args: BrainArgs, hands_arguments: &[&str]) -> Result<(), Error> {
    // Other processes of this user cannot read our memory or environment.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Error::Setup(error.into()))?;
    let (mut tools, _temporary) = args.tools.prepare(hands_arguments)?;
    let mut connect =
        Connect::new(&args.nats, format!("agent {}.{}", args.run, args.variation)).wait(CONNECT);
    if let Some(path) = &args.creds {
        let text =
            tokio::fs::read_to_string(path)
                .await
                .map_err(|source| Error::CredentialsFile {
                    path: path.display().to_string(),
                    source,
                })?;
        tools.secrets = tools.secrets.and(
            text.lines()
                .filter(|line| !line.contains(' '))
                .map(str::to_owned),
        );
        let credentials: Credentials = text.parse().map_err(Error::Credentials)?;
        if let Some(prefix) = credentials.inbox_prefix() {
            connect = connect.inbox_prefix(prefix);
        }
        connect = connect.credentials(credentials);
    }
    let mut shutdown = std::pin::pin!(terminated()?);
    let bus = tokio::select! {
        bus = Bus::connect(connect) => bus.map_err(Error::Bus)?,
        () = &mut shutdown => return Err(Error::Terminated),
    };
    let deps = Deps {
        bus: bus.clone(),
        name: AttemptName {
            run: args.run,
            variation: args.variation,
            attempt: args.attempt,
        },
        tools,
    };
    let done = brain::run(deps, shutdown).await;
    bus.close().await;
    done
}

impl ToolsArgs {
    /// What an agent works with here, and the temporary folder of its hands, if they need one.
    fn prepare(
        &self,
        hands_arguments: &[&str],
    ) -> Result<(Tools, Option<tempfile::TempDir>), Error> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let (hands, temporary) = match (&self.hands_socket, &self.workspace) {
            (Some(socket), _) => (HandsAt::Socket(socket.clone()), None),
            (None, Some(workspace)) => (child(hands_arguments, workspace)?, None),
            (None, None) => {
                let folder = tempfile::tempdir().map_err(Error::Setup)?;
                (child(hands_arguments, folder.path())?, Some(folder))
            }
        };
        let tools = Tools {
            hands,
            tip: false,
            settings: Settings::from_environment(environment.iter().cloned()),
            secrets: Secrets::in_environment(environment),
            digest_tokens: self.digest_tokens,
        };
        Ok((tools, temporary))
    }
}

fn child(arguments: &[&str], workspace: &Path) -> Result<HandsAt, Error> {
    Ok(HandsAt::Child {
        program: std::env::current_exe().map_err(Error::Setup)?,
        arguments: arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect(),
        workspace: workspace.to_owned(),
    })
}

async fn try_out(args: TryArgs, hands_arguments: &[&str]) -> ExitCode {
    let tried = async {
        let (mut tools, _temporary) = args.tools.prepare(hands_arguments)?;
        tools.tip = true;
        let policy = RepositoryPolicy {
            paths: true,
            trusted_hosts: args.trusted_hosts,
        };
        let source = args.repo.map(|repo| {
            let parsed = Repository::parse(&repo, &policy);
            // What can't be used the hands refuse with words.
            let trusted = matches!(parsed, Ok(Repository::Http { trusted: true, .. }));
            Source {
                repo,
                reference: None,
                commit: None,
                trusted,
            }
        });
        let spec = AttemptSpec {
            run: "try".parse().expect("a run id"),
            variation: Variation::at(0).expect("the first variation"),
            attempt: Attempt::FIRST,
            prompt: args.prompt,
            source,
            mode: Mode::Analyze,
            variation_spec: VariationSpec {
                model: args.model,
                temperature: None,
                instructions: None,
            },
            deadline_s: args.deadline_s,
            output_bytes: limits::OUTPUT_BYTES,
        };
        brain::try_out(&tools, spec, terminated()?).await
    };
    match tried.await {
        Ok(Outcome::Succeeded) => ExitCode::SUCCESS,
        Ok(outcome) => {
            tracing::error!(?outcome, "the agent did not succeed");
            ExitCode::FAILURE
        }
        Err(error) => {
            tracing::error!(%error, "the agent failed");
            ExitCode::FAILURE
        }
    }
}

async fn hands(args: HandsArgs) -> Result<(), Error> {
    // Two ways to notice a dead brain: this signal, and the socket it closes.
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| Error::Setup(error.into()))?;
    let serving = async {
        match &args.socket {
            Some(socket) => hands::serve_socket(socket, &args.workspace).await,
            None => hands::serve_stdin(&args.workspace).await,
        }
    };
    let terminated = terminated()?;
    let served = tokio::select! {
        served = serving => served,
        () = terminated => Ok(()),
    };
    hands::clear(&args.workspace);
    served.map_err(Error::Setup)
}

/// Waits for SIGTERM or SIGINT.
fn terminated() -> Result<impl Future<Output = ()>, Error> {
    let mut term = signal(SignalKind::terminate()).map_err(Error::Setup)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Setup)?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
