//! The ports a server took: it writes them to a file when it accepts clients.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

/// Where clients connect, as the file in `folder` says; `None` until it is there and whole.
pub(super) fn read(folder: &Path) -> Option<SocketAddr> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    files
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ports")
        })
        .find_map(|path| parse(&fs::read_to_string(path).ok()?))
}

fn parse(text: &str) -> Option<SocketAddr> {
    let ports: Ports = serde_json::from_str(text).ok()?;
    ports.nats.first()?.strip_prefix("nats://")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_for_clients_is_taken() {
        let text = r#"{"nats":["nats://127.0.0.1:4999","nats://[::1]:4999"],"monitoring":[]}"#;
        assert_eq!(parse(text), Some("127.0.0.1:4999".parse().unwrap()));
    }

    #[test]
    fn half_a_file_says_nothing_yet() {
        assert_eq!(parse(r#"{"nats":["nats://127.0.0.1:49"#), None);
        assert_eq!(parse(""), None);
    }
}
