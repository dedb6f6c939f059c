//! The port by which an orchestrator sees that a service without HTTP lives.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Takes TCP connections at `address` and closes them, until it is dropped: what a `tcpSocket`
/// probe of Kubernetes asks for. A service begins with it once it is connected. It ends only with
/// the error that the address can't be listened on.
pub async fn answer_probes(address: SocketAddr) -> io::Error {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    loop {
        // A connection that is gone again has been answered too.
        let _ = listener.accept().await;
        tokio::task::yield_now().await;
    }
}
