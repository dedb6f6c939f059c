//! The brain's end of the socket: starts the hands, gives orders, takes answers.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aideator_contract::{Code, Reason};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::frame::{receive, send};
use super::order::{Answer, CloneOrder, Cloned, DigestOrder, ExecOrder, Order};

/// How long the hands have to end what they started.
const ENDING: Duration = Duration::from_secs(3);

/// How long hands that listen elsewhere may take to be there: their container starts first.
const COMING: Duration = Duration::from_secs(30);
const COMING_STEP: Duration = Duration::from_millis(20);

/// Where the hands are.
#[derive(Debug, Clone)]
pub enum HandsAt {
    /// A child of the brain's.
    Child {
        /// The program.
        program: PathBuf,
        /// Its first arguments, to which the workspace is added.
        arguments: Vec<String>,
        /// The folder they may use.
        workspace: PathBuf,
    },
    /// A container of their own that listens on this Unix socket.
    Socket(PathBuf),
}

/// Hands that take orders, one at a time.
#[derive(Debug)]
pub(crate) struct Hands {
    socket: UnixStream,
    /// Where the brain started them.
    child: Option<Child>,
}

/// What a running command tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExecEvent {
    /// It printed this.
    Output(String),
    /// It ended with this code.
    Exited(i32),
    /// It was cancelled.
    Cancelled,
}

impl Hands {
    /// Starts hands as a child with an empty environment (but for `PATH`) and a socket as its
    /// standard input, or connects to those of another container.
    ///
    /// # Errors
    /// The program can't be started, or nobody listens.
    pub(crate) async fn begin(at: &HandsAt) -> Result<Self, Reason> {
        let begun = match at {
            HandsAt::Child {
                program,
                arguments,
                workspace,
            } => Self::spawn(program, arguments, workspace),
            HandsAt::Socket(path) => Self::connect(path).await,
        };
        begun.map_err(|error| {
            Reason::new(
                Code::HandsFailed,
                format!("the agent's hands can't be started: {error}"),
            )
        })
    }

    async fn connect(path: &Path) -> io::Result<Self> {
        let give_up = Instant::now() + COMING;
        loop {
            match UnixStream::connect(path).await {
                Ok(socket) => {
                    return Ok(Self {
                        socket,
                        child: None,
                    });
                }
                Err(error) if Instant::now() >= give_up => return Err(error),
                Err(_) => sleep(COMING_STEP).await,
            }
        }
    }

    fn spawn(program: &Path, arguments: &[String], workspace: &Path) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("--workspace")
            .arg(workspace)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let child = command.spawn()?;
        Ok(Self {
            socket: UnixStream::from_std(ours)?,
            child: Some(child),
        })
    }

    /// Hands that listen elsewhere, at this socket.
    #[cfg(test)]
    pub(crate) fn at(socket: UnixStream) -> Self {
        Self {
            socket,
            child: None,
        }
    }

    /// Fetches a repository.
    ///
    /// # Errors
    /// The clone failed, or the hands did.
    pub(crate) async fn clone_repository(&mut self, order: CloneOrder) -> Result<Cloned, Reason> {
        match self.ask(Order::Clone(order)).await? {
            Answer::Cloned(cloned) => Ok(cloned),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Describes the repository.
    ///
    /// # Errors
    /// Its objects can't be read, or the hands failed.
    pub(crate) async fn digest(&mut self, order: DigestOrder) -> Result<String, Reason> {
        match self.ask(Order::Digest(order)).await? {
            Answer::Digest { text } => Ok(text),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Starts a command; [`next`](Self::next) tells what it does.
    ///
    /// # Errors
    /// The hands are gone.
    pub(crate) async fn exec(&mut self, order: ExecOrder) -> Result<(), Reason> {
        send(&mut self.socket, &Order::Exec(order))
            .await
            .map_err(|error| lost(&error))
    }

    /// What the running command tells next. To be awaited to its end: it is not cancellation safe.
    ///
    /// # Errors
    /// The command can't be run, or the hands are gone.
    pub(crate) async fn next(&mut self) -> Result<ExecEvent, Reason> {
        match self.answer().await? {
            Answer::Output { text } => Ok(ExecEvent::Output(text)),
            Answer::Exited { code } => Ok(ExecEvent::Exited(code)),
            Answer::Cancelled => Ok(ExecEvent::Cancelled),
            Answer::Failed { reason } => Err(reason),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Ends the hands and with them everything they started. They notice the closed socket; if they
    /// don't, they are killed.
    pub(crate) async fn end(self) {
        drop(self.socket);
        let Some(mut child) = self.child else { return };
        if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
            tracing::warn!("the hands did not end by themselves");
            if let Err(error) = child.kill().await {
                tracing::warn!(%error, "the hands can't be killed");
            }
        }
    }

    async fn ask(&mut self, order: Order) -> Result<Answer, Reason> {
        send(&mut self.socket, &order)
            .await
            .map_err(|error| lost(&error))?;
        match self.answer().await? {
            Answer::Failed { reason } => Err(reason),
            answer => Ok(answer),
        }
    }

    async fn answer(&mut self) -> Result<Answer, Reason> {
        match receive(&mut self.socket).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(lost(&"they ended")),
            Err(error) => Err(lost(&error)),
        }
    }
}

fn lost(why: &dyn std::fmt::Display) -> Reason {
    Reason::new(
        Code::HandsFailed,
        format!("the agent's hands were lost: {why}"),
    )
}

fn unexpected(answer: &Answer) -> Reason {
    tracing::debug!(?answer, "unexpected answer of the hands");
    Reason::new(
        Code::Internal,
        "the agent's hands answered something else than was asked",
    )
}

#[cfg(test)]
mod tests {
    use super::super::serve::serve;
    use super::*;

    struct Served {
        hands: Hands,
        serving: tokio::task::JoinHandle<io::Result<()>>,
        _workspace: tempfile::TempDir,
    }

    fn served() -> Served {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let root = workspace.path().to_owned();
        let serving = tokio::spawn(async move { serve(theirs, &root).await });
        Served {
            hands: Hands::at(ours),
            serving,
            _workspace: workspace,
        }
    }

    #[tokio::test]
    async fn a_command_streams_its_output_and_tells_its_code() {
        let mut served = served();
        served
            .hands
            .exec(ExecOrder {
                command: "echo hello; exit 7".into(),
            })
            .await
            .unwrap();
        assert_eq!(
            served.hands.next().await.unwrap(),
            ExecEvent::Output("hello\n".into())
        );
        assert_eq!(served.hands.next().await.unwrap(), ExecEvent::Exited(7));
    }

    #[tokio::test]
    async fn orders_follow_each_other_and_a_failure_ends_nothing() {
        let mut served = served();
        let order = DigestOrder {
            commit: "0".repeat(40),
            prompt: String::new(),
            budget_bytes: 100,
        };
        assert!(served.hands.digest(order).await.is_err());
        served
            .hands
            .exec(ExecOrder {
                command: "true".into(),
            })
            .await
            .unwrap();
        assert_eq!(served.hands.next().await.unwrap(), ExecEvent::Exited(0));
    }

    #[tokio::test]
    async fn hands_end_with_their_brain_and_take_what_they_started_along() {
        let mut served = served();
        served
            .hands
            .exec(ExecOrder {
                command: "echo $$; sleep 60".into(),
            })
            .await
            .unwrap();
        let ExecEvent::Output(pid) = served.hands.next().await.unwrap() else {
            panic!()
        };
        drop(served.hands);
        tokio::time::timeout(std::time::Duration::from_secs(5), served.serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let stat = Path::new("/proc").join(pid.trim()).join("stat");
        let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let waiting = async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(5), waiting)
            .await
            .unwrap();
    }
}
