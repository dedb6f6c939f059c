//! The keys of a cluster, as an operator makes and rotates them: by the command, against a
//! nats-server that is told what the command printed.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where something is not as expected"
)]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aideator_bus::server::Binary;

const REQUEST: &str = r#"{"prompt":"hi"}"#;

/// A folder with keys in it, and a nats-server beside.
struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
    address: SocketAddr,
    server: Option<Child>,
}

impl Place {
    async fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            program: Binary::find(None, None).await.unwrap().path().to_owned(),
            address: free.local_addr().unwrap(),
            server: None,
        }
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn nats(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aideator"));
        command.arg("nats").args(arguments);
        for ours in ["AIDEATOR_NATS", "AIDEATOR_CREDS", "AIDEATOR_DATA_DIR"] {
            command.env_remove(ours);
        }
        command.output().unwrap()
    }

    fn on_keys(&self, verb: &[&str]) -> Output {
        self.nats(&[verb, &["--keys", self.keys().to_str().unwrap()]].concat())
    }

    /// What bootstrap prints.
    fn values(&self) -> String {
        let printed = self.on_keys(&["bootstrap"]);
        assert!(printed.status.success(), "{}", said(&printed));
        String::from_utf8(printed.stdout).unwrap()
    }

    /// nats-server again, with what bootstrap prints now.
    fn restart(&mut self) {
        self.stop();
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("auth.conf"), block(&self.values(), "server")).unwrap();
        let store = at("store");
        let config = format!(
            "listen: \"{}\"\njetstream: {{ store_dir: \"{}\" }}\ninclude \"auth.conf\"\n",
            self.address,
            store.display()
        );
        fs::write(at("nats.conf"), config).unwrap();
        let mut server = Command::new(&self.program);
        let server = server.arg("-c").arg(at("nats.conf")).stderr(Stdio::null());
        self.server = Some(server.spawn().unwrap());
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    fn ask(&self, creds: Option<&Path>, verb: &[&str]) -> Output {
        let url = format!("nats://{}", self.address);
        let creds = creds.map(|path| path.to_str().unwrap().to_owned());
        let as_whom = creds
            .as_deref()
            .map_or(vec![], |path| vec!["--creds", path]);
        self.nats(&[verb, &["--nats", &url], &as_whom].concat())
    }

    /// Asks JetStream with a credential; whether it is let in.
    fn lets_in(&self, creds: &Path) -> bool {
        let subject = "$JS.API.STREAM.INFO.AIDEATOR_RUNS";
        let asked = self.ask(Some(creds), &["request", subject]);
        let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert_eq!(asked.status.success(), answer.contains("stream not found"));
        let refused = said(&asked).contains("refuses these credentials");
        assert_ne!(asked.status.success(), refused, "{}", said(&asked));
        asked.status.success()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A block of the printed values: the lines that stand deeper than their name.
fn block(values: &str, name: &str) -> String {
    let (_, rest) = values.split_once(&format!("    {name}: |\n")).unwrap();
    let deeper = |line: &&str| line.is_empty() || line.starts_with("      ");
    let lines = rest.lines().take_while(deeper);
    lines
        .map(|line| format!("{}\n", line.get(6..).unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn a_cluster_gets_its_keys_from_one_command_and_scripts_come_in_with_theirs_alone() {
    let mut place = Place::new().await;
    let values = place.values();
    assert_eq!(values, place.values());
    let file = |name: &str| fs::read_to_string(place.keys().join(name)).unwrap();
    for (name, at) in [
        ("submitter", "submitter.creds"),
        ("watcher", "watcher.creds"),
        ("edge", "edge.creds"),
        ("agentKeys", "agents.json"),
    ] {
        assert_eq!(block(&values, name).trim_end(), file(at).trim_end());
    }
    place.restart();
    let client = place.keys().join("client.creds");
    assert!(place.lets_in(&client));

    let nobody = place.ask(None, &["pub", "aideator.requests.run", REQUEST]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(said(&nobody).contains("--creds"), "{}", said(&nobody));
    let forbidden = ["request", "$JS.API.STREAM.DELETE.AIDEATOR_RUNS"];
    let forbidden = place.ask(Some(&client), &forbidden);
    assert_eq!(forbidden.status.code(), Some(1));
    assert!(said(&forbidden).contains("permit"), "{}", said(&forbidden));
}

#[tokio::test]
async fn keys_are_rotated_in_two_steps() {
    let mut place = Place::new().await;
    let none = place.on_keys(&["rotate"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(said(&none).contains("bootstrap"), "{}", said(&none));

    place.restart();
    let (old, new) = (
        place.folder.path().join("old.creds"),
        place.keys().join("client.creds"),
    );
    fs::copy(&new, &old).unwrap();
    let rotated = place.on_keys(&["rotate"]);
    assert!(rotated.status.success(), "{}", said(&rotated));
    assert!(said(&rotated).contains("--finish"), "{}", said(&rotated));
    assert!(place.lets_in(&old) && place.lets_in(&new));
    place.restart();
    assert!(place.lets_in(&old) && place.lets_in(&new));
    let again = place.on_keys(&["rotate"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("--finish"), "{}", said(&again));

    for _ in 0..2 {
        let finished = place.on_keys(&["rotate", "--finish"]);
        assert!(finished.status.success(), "{}", said(&finished));
    }
    place.restart();
    assert!(place.lets_in(&new));
    assert!(!place.lets_in(&old));
}
