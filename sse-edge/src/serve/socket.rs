//! How sockets are set up.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

/// Connections that wait to be accepted, when thousands come back at once (the kernel may allow fewer).
const BACKLOG: i32 = 4096;
/// What the kernel keeps for a peer that does not read (it counts its own books too, so it doubles this).
const SEND_BUFFER: usize = 128 * 1024;

/// Lets many connections wait.
pub(super) fn listen(listener: &TcpListener) -> io::Result<()> {
    SockRef::from(listener).listen(BACKLOG)
}

/// Sets up a connection whose peer is gone when it acknowledges nothing, or takes nothing, for `gone_after`.
/// What the kernel refuses here, a connection can do without.
pub(super) fn prepare(socket: &TcpStream, gone_after: Duration) {
    // Tokens are small and each is due at once.
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_user_timeout(Some(gone_after));
}
