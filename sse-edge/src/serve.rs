//! The edge's socket. The edge accepts connections itself and reads the head of the first request: the
//! stream of a run is sent on the bare socket by a small task ([`stream`]); everything else goes to the
//! HTTP library with what was read ([`rest`]), also a stream that is asked for through HTTP/2 or on a
//! connection that was used before. What a request gets is decided in the same place either way.

mod head;
mod rest;
mod socket;
mod stream;

use std::io::{self, ErrorKind};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use self::head::Heard;
use crate::api::App;
use crate::error::Error;
use crate::guard::Gate;

/// How long the head of a request for a stream may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long requests in hand may take after the streams have ended.
const CLOSING: Duration = Duration::from_secs(3);
/// When there is no room for another connection, accepting pauses for this.
const NO_ROOM: Duration = Duration::from_millis(100);

/// What all connections share.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) gate: Arc<Gate>,
    /// Serves what is no stream on a bare socket.
    pub(crate) router: Router,
    pub(crate) gone_after: Duration,
    /// Their tasks.
    tasks: TaskTracker,
    /// Connections without a request in hand end.
    quiet: CancellationToken,
}

impl Server {
    pub(crate) fn new(app: App, gate: Arc<Gate>, router: Router, gone_after: Duration) -> Self {
        Self {
            app,
            gate,
            router,
            gone_after,
            tasks: TaskTracker::new(),
            quiet: CancellationToken::new(),
        }
    }

    /// Serves until `shutdown`, then lets go of the viewers and answers what is in hand.
    pub(crate) async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        socket::listen(&listener).map_err(Error::Socket)?;
        let server = Arc::new(self);
        let draining = async {
            shutdown.cancelled().await;
            // Not ready first; then streams end one by one; then nobody new is let in.
            server.app.pulse.stop();
            let wake = || server.app.hubs.wake(false);
            server.app.pulse.drain(wake).await;
        };
        // On a worker, where what a connection begins goes on without another thread being woken.
        let accepting = tokio::spawn(accept(listener, Arc::clone(&server)));
        let mut accepting = AbortOnDropHandle::new(accepting);
        tokio::select! {
            failed = &mut accepting => {
                let failed = failed.unwrap_or_else(|ended| resume_unwind(ended.into_panic()));
                return Err(Error::Socket(failed));
            }
            () = draining => {}
        }
        accepting.abort();
        // It has hung up.
        let _ = accepting.await;
        server.quiet.cancel();
        server.tasks.close();
        if timeout(CLOSING, server.tasks.wait()).await.is_err() {
            tracing::warn!("some requests were not answered in time and are cut");
        }
        Ok(())
    }
}

/// Accepts for ever; returns why it can't.
async fn accept(listener: TcpListener, server: Arc<Server>) -> io::Error {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let server = Arc::clone(&server);
                server.tasks.clone().spawn(connection(server, socket));
            }
            Err(error) => match fault(&error) {
                Fault::Connection => {}
                Fault::NoRoom => {
                    tracing::warn!(%error, "there is no room for another connection");
                    sleep(NO_ROOM).await;
                }
                Fault::Listener => return error,
            },
        }
    }
}

/// What a failure to accept is about.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Connection,
    NoRoom,
    Listener,
}

fn fault(error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::InvalidInput => Fault::Listener,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::PermissionDenied => Fault::Connection,
        _ => Fault::NoRoom,
    }
}

/// One connection. What decides what it is for is large and soon over; what comes of it has room of its
/// own, so that a viewer's task is small.
fn connection(server: Arc<Server>, socket: TcpStream) -> impl Future<Output = ()> + Send {
    let begun = Box::pin(begin(server, socket));
    async {
        if let Some(answer) = begun.await {
            answer.await;
        }
    }
}

/// What is to be done for a connection. `None` if nothing was asked, or not in time, or it is answered.
async fn begin(server: Arc<Server>, socket: TcpStream) -> Option<BoxFuture<'static, ()>> {
    socket::prepare(&socket, server.gone_after);
    let mut read = Vec::new();
    let heard = tokio::select! {
        heard = timeout(HEAD_WITHIN, head::hear(&socket, &mut read)) => heard.ok()?.ok()?,
        () = server.quiet.cancelled() => return None,
    };
    match heard {
        Heard::Stream(asked) => {
            drop(read);
            stream::answer(&server, socket, *asked).await
        }
        Heard::Other => Some(Box::pin(rest::serve(server, socket, read.into()))),
        Heard::More => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_fails_ends_nobody_elses() {
        let of = |kind: ErrorKind| fault(&kind.into());
        assert_eq!(of(ErrorKind::ConnectionAborted), Fault::Connection);
        // Out of file descriptors (EMFILE) has no kind of its own.
        assert_eq!(fault(&io::Error::from_raw_os_error(24)), Fault::NoRoom);
        assert_eq!(of(ErrorKind::InvalidInput), Fault::Listener);
    }
}
