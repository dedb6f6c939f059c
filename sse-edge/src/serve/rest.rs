//! Everything that is not a stream on a bare socket: served by the HTTP library, which first gets what
//! was read already.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Server;

/// How long a connection may be without a whole request head: longer than proxies keep idle ones.
const IDLE: Duration = Duration::from_secs(90);

/// Serves a connection of which `read` was read already.
pub(super) async fn serve(server: Arc<Server>, socket: TcpStream, read: Bytes) {
    let builder = library();
    let io = TokioIo::new(Resumed { read, socket });
    let service = TowerToHyperService::new(server.router.clone());
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = server.quiet.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::trace!(%error, "a connection failed");
    }
}

/// The HTTP library as it is set up here.
fn library() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let timer = TokioTimer::new();
    builder.http1().timer(timer).header_read_timeout(IDLE);
    builder.http2().enable_connect_protocol();
    builder
}

/// A socket of which something was read already.
struct Resumed {
    read: Bytes,
    socket: TcpStream,
}

impl AsyncRead for Resumed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, into);
        }
        let count = self.read.len().min(into.remaining());
        into.put_slice(&self.read.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Resumed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
