//! How a viewer's chunks reach it: as the body of a response, or on its bare socket.
//!
//! A viewer that stalls holds the rest of one frame (256 KiB at most), what the kernel keeps for its
//! socket, and nothing else: what it reads alone is let go after two seconds and read again. The kernel
//! ends it when it takes nothing for too long.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::{Phase, RETRY, Viewer};

/// A viewer that takes nothing for so long holds nothing that can be read again.
const LET_GO: Duration = Duration::from_secs(2);

impl Viewer {
    /// The body of its response.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let opening = stream::iter([Bytes::from_static(RETRY.as_bytes())]);
        let meters = Arc::clone(self.member.meters());
        let chunks = self.chunks().inspect(move |chunk| {
            meters.bytes.increment(chunk.len() as u64);
        });
        opening.chain(chunks).map(Ok)
    }

    /// What is due, chunk by chunk.
    pub(crate) fn chunks(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut viewer| async move {
            let chunk = viewer.next().await?;
            Some((chunk, viewer))
        })
    }

    /// Sends `opening` and then all that is due, until there is no more or the client is gone.
    pub(crate) fn send(
        mut self,
        socket: TcpStream,
        opening: Bytes,
    ) -> impl Future<Output = ()> + Send {
        // Borrowed from the block: the arguments of an async function have room in its future twice.
        let mut chunk = opening;
        async move {
            while self.sent(&socket, &mut chunk).await {
                match self.next_unless_gone(&socket).await {
                    Some(next) => chunk = next,
                    None => return,
                }
            }
        }
    }

    /// Sends a chunk. False if the stream is over.
    fn sent<'a>(
        &'a mut self,
        socket: &'a TcpStream,
        chunk: &'a mut Bytes,
    ) -> impl Future<Output = bool> + Send + 'a {
        let rest = if self.write(socket, chunk) {
            None
        } else {
            Some(Box::pin(self.push(socket, chunk)))
        };
        async {
            match rest {
                Some(rest) => rest.await,
                None => true,
            }
        }
    }

    /// Writes what the socket takes of a chunk; true if that is all of it.
    fn write(&self, socket: &TcpStream, chunk: &mut Bytes) -> bool {
        // An error shows again where it is waited for.
        let written = socket.try_write(chunk).unwrap_or(0);
        self.member.meters().bytes.increment(written as u64);
        *chunk = chunk.slice(written..);
        chunk.is_empty()
    }

    /// Writes the rest of a chunk to a socket that does not take it at once. False if the stream is over.
    async fn push(&mut self, socket: &TcpStream, chunk: &mut Bytes) -> bool {
        let mut beat = self.pulse.beats();
        let _stall = self.member.stall();
        loop {
            self.cut(chunk);
            let let_go = Instant::now() + LET_GO;
            let holds = matches!(self.phase, Phase::Catching(_));
            tokio::select! {
                ready = socket.ready(Interest::WRITABLE) => match ready.map(|_| socket.try_write(chunk)) {
                    Ok(Ok(0)) => return false,
                    Ok(Ok(written)) => {
                        self.member.meters().bytes.increment(written as u64);
                        *chunk = chunk.slice(written..);
                    }
                    Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(Err(_)) | Err(_) => return false,
                },
                () = sleep_until(let_go), if holds => self.let_go(),
                () = self.pulse.drained(self.share_of_drain) => return false,
                Ok(()) = beat.changed() => {
                    if self.lease.as_mut().is_some_and(|lease| lease.over().is_some()) {
                        return false;
                    }
                }
            }
            if chunk.is_empty() {
                return true;
            }
        }
    }

    /// Holds no more of a shared chunk than the rest of the frame that was cut.
    fn cut(&mut self, chunk: &mut Bytes) {
        let Phase::Sharing(cursor) = self.phase else {
            return;
        };
        if !self.flight.shared {
            return;
        }
        let cut = self.member.window().cut(cursor, chunk.len());
        if let Some((rest, behind, position)) = cut {
            let back = u32::try_from(cursor - behind).unwrap_or(u32::MAX);
            self.flight.events = self.flight.events.saturating_sub(back);
            self.position = position;
            self.phase = Phase::Sharing(behind);
            *chunk = rest;
        }
    }

    async fn next_unless_gone(&mut self, socket: &TcpStream) -> Option<Bytes> {
        let mut next = pin!(self.next());
        poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(next) => Poll::Ready(next),
            Poll::Pending => gone(socket, cx).map(|()| None),
        })
        .await
    }
}

/// Waits until the client is gone.
pub(crate) async fn is_gone(socket: &TcpStream) {
    poll_fn(|cx| gone(socket, cx)).await;
}

/// Ready when the client is gone. What it sends is not listened to.
fn gone(socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
    let mut ignored = [0; 256];
    loop {
        if ready!(socket.poll_read_ready(cx)).is_err() {
            return Poll::Ready(());
        }
        match socket.try_read(&mut ignored) {
            Ok(0) => return Poll::Ready(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Poll::Ready(()),
        }
    }
}

#[cfg(test)]
mod tests;
