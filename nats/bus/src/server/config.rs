//! What nats-server is told, as the text of its configuration file.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::credentials::Trust;

/// Bytes of the largest message: larger than any event or request, which have limits of their own.
const MAX_PAYLOAD: usize = 1024 * 1024;
/// Bytes of JetStream's files unless the disk is smaller.
const FILE_STORE_WANTED: u64 = 24 * 1024 * 1024 * 1024;
const LOG_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// How a server is to run. Everything it writes is inside `folder`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Of this server alone: configuration, log, process id, ports and JetStream's store.
    pub folder: PathBuf,
    /// Where clients connect. Port 0 takes a free one; who wants the same again gives it next time.
    pub listen: SocketAddr,
    /// The server's name; unique in a cluster.
    pub name: String,
    /// Who may connect.
    pub auth: Auth,
    /// Bytes of JetStream's files in all; see [`file_store_limit`].
    pub max_file_store: u64,
    /// When what was acknowledged reaches the disk itself.
    pub sync: Sync,
    /// The servers it forms a cluster with.
    pub cluster: Option<Cluster>,
}

/// Who may connect.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Anybody: for tests of what has nothing to do with permissions.
    Open,
    /// Holders of a user JWT; who brings none is the sentinel.
    Operator(Trust),
}

/// When a message that was acknowledged is on the disk itself, and not only with the operating
/// system. It matters when the machine loses power; a killed server loses nothing either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// At the latest after this long.
    Every(Duration),
    /// Before the acknowledgement. Slow: each message waits for the disk.
    Always,
}

/// A place in a cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The cluster's name, the same on each of its servers.
    pub name: String,
    /// Where the other servers connect to this one.
    pub listen: SocketAddr,
    /// Where this one connects to the others (its own address may be among them).
    pub routes: Vec<SocketAddr>,
}

/// Three quarters of the free space at `folder` (what nats-server allows a stream to reserve),
/// at most 24 GiB.
#[must_use]
pub fn file_store_limit(folder: &Path) -> u64 {
    let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    free.map_or(FILE_STORE_WANTED, |free| {
        FILE_STORE_WANTED.min(free / 4 * 3)
    })
}

impl ServerConfig {
    /// A server in `folder` for this machine alone, on a free port.
    #[must_use]
    pub fn local(folder: impl Into<PathBuf>, auth: Auth) -> Self {
        let folder = folder.into();
        Self {
            max_file_store: file_store_limit(&folder),
            folder,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            name: "aideator".to_owned(),
            auth,
            sync: Sync::Every(Duration::from_secs(10)),
            cluster: None,
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("nats-server.conf")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("nats-server.log")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("nats-server.pid")
    }

    /// Where the server says which ports it took.
    pub(super) fn ports(&self) -> PathBuf {
        self.folder.join("ports")
    }

    /// The configuration file.
    pub(super) fn render(&self) -> String {
        let mut text = String::from("# Written at every start; changes here are lost.\n");
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name}: {value}");
        };
        line("server_name", quoted(&self.name));
        line("listen", quoted(&listen(self.listen)));
        line("max_payload", MAX_PAYLOAD.to_string());
        line("pid_file", quoted_path(&self.pid_file()));
        line("ports_file_dir", quoted_path(&self.ports()));
        line("log_file", quoted_path(&self.log()));
        line("logfile_size_limit", LOG_FILE_BYTES.to_string());
        line("logfile_max_num", "3".to_owned());
        let sync = match self.sync {
            Sync::Always => "always".to_owned(),
            Sync::Every(interval) => quoted(&format!("{}ms", interval.as_millis())),
        };
        line(
            "jetstream",
            format!(
                "{{ store_dir: {}, max_file_store: {}, sync_interval: {sync} }}",
                quoted_path(&self.folder.join("store")),
                self.max_file_store,
            ),
        );
        if let Auth::Operator(trust) = &self.auth {
            line("default_sentinel", quoted(&trust.sentinel));
        }
        if let Some(cluster) = &self.cluster {
            let routes = cluster
                .routes
                .iter()
                .map(|route| quoted(&format!("nats://{route}")));
            line(
                "cluster",
                format!(
                    "{{ name: {}, listen: {}, routes: [{}] }}",
                    quoted(&cluster.name),
                    quoted(&cluster.listen.to_string()),
                    routes.collect::<Vec<_>>().join(", "),
                ),
            );
        }
        if let Auth::Operator(trust) = &self.auth {
            text.push_str(&trust.to_config());
        }
        text
    }
}

/// nats-server takes a free port when told -1.
fn listen(address: SocketAddr) -> String {
    match address.port() {
        0 => format!(
            "{}:-1",
            SocketAddr::new(address.ip(), 0)
                .to_string()
                .trim_end_matches(":0")
        ),
        _ => address.to_string(),
    }
}

/// A text in double quotes, as the configuration format reads it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ServerConfig {
        let mut config = ServerConfig::local("/data/nats", Auth::Open);
        config.max_file_store = 1000;
        config
    }

    #[test]
    fn a_server_for_this_machine_states_everything_it_keeps() {
        let text = config().render();
        assert!(text.contains("listen: \"127.0.0.1:-1\"\n"), "{text}");
        assert!(text.contains("max_payload: 1048576\n"), "{text}");
        assert!(
            text.contains(
                "jetstream: { store_dir: \"/data/nats/store\", max_file_store: 1000, sync_interval: \"10000ms\" }\n"
            ),
            "{text}"
        );
        assert!(!text.contains("operator"), "{text}");
    }

    #[test]
    fn an_address_with_a_port_is_kept() {
        assert_eq!(
            listen(SocketAddr::from(([127, 0, 0, 1], 4222))),
            "127.0.0.1:4222"
        );
        assert_eq!(listen("[::1]:0".parse().unwrap()), "[::1]:-1");
    }

    #[test]
    fn a_folder_with_quotes_in_its_name_stays_one_text() {
        assert_eq!(quoted(r#"/a "b" \c"#), r#""/a \"b\" \\c""#);
    }

    #[test]
    fn who_syncs_always_says_so() {
        let config = ServerConfig {
            sync: Sync::Always,
            ..config()
        };
        assert!(config.render().contains("sync_interval: always"));
    }
}
