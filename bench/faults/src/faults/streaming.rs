//! What most faults happen to: twenty runs that stream, with two viewers each.

use std::net::SocketAddr;
use std::time::Duration;

use crate::story;
use crate::viewer::Manner;

pub(super) const VIEWERS: usize = 40;
/// Between two words of a run.
pub(super) const EVERY: Duration = Duration::from_millis(100);
/// How long is looked at what follows a fault.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

pub(super) fn runs() -> Vec<String> {
    story::names("streaming", 20)
}

/// Viewers of this edge.
pub(super) fn at(door: SocketAddr) -> Manner {
    Manner {
        door,
        token: None,
        pause: Duration::from_millis(100),
        cuts: None,
    }
}
