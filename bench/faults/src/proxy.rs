//! A proxy of connections: each goes to one of several addresses at random, and may be cut at random.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use tokio::io::{AsyncReadExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy on loopback; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy for these. With `cut` each connection is cut after so many bytes of the answer.
    pub(crate) async fn start(
        behind: Vec<SocketAddr>,
        cut: Option<Range<u64>>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        socket2::SockRef::from(&listener).listen(4096)?;
        let cuts = Arc::new(AtomicU64::new(0));
        Ok(Self {
            address: listener.local_addr()?,
            cuts: Arc::clone(&cuts),
            task: tokio::spawn(accept(listener, behind.into(), cut, cuts)),
        })
    }

    /// How many connections it has cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    behind: Arc<[SocketAddr]>,
    cut: Option<Range<u64>>,
    cuts: Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let limit = cut.clone().map(|range| rand::rng().random_range(range));
        let (behind, cuts) = (Arc::clone(&behind), Arc::clone(&cuts));
        tokio::spawn(async move {
            let Some(server) = connect(&behind).await else {
                return;
            };
            if pass_on(client, server, limit.unwrap_or(u64::MAX)).await {
                cuts.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// A connection to any of them that listens.
async fn connect(behind: &[SocketAddr]) -> Option<TcpStream> {
    let mut order = behind.to_vec();
    order.shuffle(&mut rand::rng());
    for address in order {
        if let Ok(server) = TcpStream::connect(address).await {
            let _ = server.set_nodelay(true);
            return Some(server);
        }
    }
    None
}

/// Copies both ways until one side ends, or `limit` bytes were answered; whether it was the limit.
async fn pass_on(mut client: TcpStream, mut server: TcpStream, limit: u64) -> bool {
    let _ = client.set_nodelay(true);
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut answer = from_server.take(limit);
    tokio::select! {
        copied = copy(&mut answer, &mut to_client) => copied.is_ok_and(|bytes| bytes == limit),
        _ = copy(&mut from_client, &mut to_server) => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Answers each connection with ten bytes and ends it.
    async fn ten() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(b"0123456789").await;
            }
        });
        address
    }

    async fn read(proxy: &Proxy) -> Vec<u8> {
        let mut socket = TcpStream::connect(proxy.address).await.unwrap();
        let mut read = Vec::new();
        let _ = socket.read_to_end(&mut read).await;
        read
    }

    #[tokio::test]
    async fn an_answer_is_passed_on_whole_from_whoever_listens() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = nobody.local_addr().unwrap();
        drop(nobody);
        let proxy = Proxy::start(vec![gone, ten().await], None).await.unwrap();
        for _ in 0..8 {
            assert_eq!(read(&proxy).await, b"0123456789");
        }
        assert_eq!(proxy.cuts(), 0);
    }

    #[tokio::test]
    async fn an_answer_is_cut_where_it_is_to_be() {
        let proxy = Proxy::start(vec![ten().await], Some(4..5)).await.unwrap();
        assert_eq!(read(&proxy).await, b"0123");
    }
}
