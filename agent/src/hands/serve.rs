//! The hands' loop: take an order, carry it out, answer.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::digest::digest;
use super::exec::exec;
use super::frame::{receive, send};
use super::order::{Answer, Order};
use super::repository::{Workspace, clone};

/// Orders that wait: the next one, and a cancel.
const WAITING_ORDERS: usize = 2;

/// Answers that wait for the brain to take them, before a command has to wait with its output.
const WAITING_ANSWERS: usize = 8;

/// Serves the brain that started this process with a socket as its standard input.
///
/// # Errors
/// Standard input is no socket, or the workspace can't be made.
pub(crate) async fn serve_stdin(root: &Path) -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    serve(UnixStream::from_std(socket)?, root).await
}

/// Serves the first brain that connects to the socket at `path`, and then nobody: it stays until it
/// is told to end, since a container that ended would be started again.
///
/// # Errors
/// The socket or the workspace can't be made.
pub(crate) async fn serve_socket(path: &Path, root: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        // What hands before these left; their brain has noticed.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    let (socket, _) = listener.accept().await?;
    drop(listener);
    serve(socket, root).await?;
    std::future::pending().await
}

/// Serves one brain until it closes the socket. What an order started dies with it.
///
/// # Errors
/// The workspace can't be made, or the brain does not speak the protocol.
pub(super) async fn serve(socket: UnixStream, root: &Path) -> io::Result<()> {
    let workspace = Workspace::make(root)?;
    let (mut reader, mut writer) = socket.into_split();
    let (received, mut orders) = mpsc::channel(WAITING_ORDERS);
    let (answers, mut to_send) = mpsc::channel(WAITING_ANSWERS);
    let receiving = async move {
        while let Some(order) = receive(&mut reader).await? {
            if received.send(order).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let sending = async {
        while let Some(answer) = to_send.recv().await {
            send(&mut writer, &answer).await?;
        }
        io::Result::Ok(())
    };
    let working = async move {
        while let Some(order) = orders.recv().await {
            let Some(answer) = carry_out(order, &workspace, &answers, &mut orders).await? else {
                break;
            };
            // Nobody takes it when the brain is gone, which the next order that does not come tells.
            let _ = answers.send(answer).await;
        }
        io::Result::Ok(())
    };
    tokio::try_join!(receiving, working, sending)?;
    Ok(())
}

/// Carries out one order to its answer; `None` when the brain is gone. A cancelled order is dropped,
/// and what it started is killed with it.
async fn carry_out(
    order: Order,
    workspace: &Workspace,
    answers: &mpsc::Sender<Answer>,
    orders: &mut mpsc::Receiver<Order>,
) -> io::Result<Option<Answer>> {
    tokio::select! {
        answer = work(order, workspace, answers) => Ok(Some(answer)),
        next = orders.recv() => match next {
            None => Ok(None),
            Some(Order::Cancel) => Ok(Some(Answer::Cancelled)),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the brain gave an order before the last one was done",
            )),
        },
    }
}

async fn work(order: Order, workspace: &Workspace, answers: &mpsc::Sender<Answer>) -> Answer {
    let done = match order {
        Order::Clone(order) => clone(&order, workspace).await.map(Answer::Cloned),
        Order::Digest(order) => digest(&order, workspace)
            .await
            .map(|text| Answer::Digest { text }),
        Order::Exec(order) => exec(&order.command, &workspace.repo, &workspace.home, answers)
            .await
            .map(|code| Answer::Exited { code }),
        Order::Cancel => Ok(Answer::Cancelled),
    };
    done.unwrap_or_else(|reason| Answer::Failed { reason })
}
