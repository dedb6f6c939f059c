//! `aideator doctor`: what is missing here, and the command that mends it.

use std::process::Stdio;
use std::time::Duration;

use aideator_bus::credentials::{Keys, User};
use aideator_bus::server::Binary;
use aideator_bus::{Bus, Connect};
use aideator_contract::subject::rpc;
use serde_json::json;
use tokio::process::Command;

use crate::error::Error;
use crate::exit::Exit;
use crate::folder::Folder;
use crate::output::put;
use crate::server::Server;
use crate::tools::Tools;
use crate::up::{Lock, PROVIDERS};
use crate::view::{Paint, Tone};

/// Rebuilding reads everything that is stored.
const REBUILDING: Duration = Duration::from_secs(30 * 60);

/// Say what is missing here, and the command that mends it. Changes nothing but with --rebuild.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build the list of runs again from the stream and the archive
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// It works without.
    Optional,
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    mend: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Good,
            found: found.into(),
            mend: None,
        }
    }

    fn optional(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Optional,
            found: found.into(),
            mend: Some(mend.into()),
        }
    }

    fn missing(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Missing,
            found: found.into(),
            mend: Some(mend.into()),
        }
    }
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let folder = server.folder()?;
    if args.rebuild {
        return rebuild(&folder).await;
    }
    let findings = [
        nats_server().await,
        git().await,
        small_model().await,
        keys(),
        data_dir(&folder),
        running(server, &folder).await,
    ];
    let text = if args.json {
        as_json(&findings)
    } else {
        as_text(&findings, Paint::for_stdout())
    };
    put(&text)?;
    let missing = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Missing);
    Ok(if missing { Exit::Failed } else { Exit::Success })
}

async fn nats_server() -> Finding {
    let tools = Tools::find().map(|tools| tools.programs());
    match Binary::find(None, tools.as_deref()).await {
        Ok(binary) => Finding::good(
            "nats-server",
            format!("{} at {}", binary.version(), binary.path().display()),
        ),
        Err(error) => Finding::missing("nats-server", error.to_string(), "scripts/install-tools"),
    }
}

async fn git() -> Finding {
    match says("git", &["--version"]).await {
        Some(version) => Finding::good("git", version),
        None => Finding::optional(
            "git",
            "not found: repositories can't be read",
            "install git, e.g.: apt install git",
        ),
    }
}

async fn small_model() -> Finding {
    const INSTALL: &str = "scripts/install-tools --model";
    let Some(python) = says("python3", &["--version"]).await else {
        return Finding::optional(
            "small model",
            "python3 is not found",
            "install Python 3, e.g.: apt install python3",
        );
    };
    match Tools::find() {
        Some(tools) if tools.has_model() => Finding::good(
            "small model",
            format!("in {} ({python})", tools.path().display()),
        ),
        _ => Finding::optional(
            "small model",
            "not installed: without a key, answers are a fixed text",
            INSTALL,
        ),
    }
}

fn keys() -> Finding {
    let set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let names = ["AIDEATOR_BASE_URL", "OPENAI_BASE_URL"]
        .into_iter()
        .chain(PROVIDERS.iter().map(|provider| provider.key));
    let found: Vec<&str> = names.filter(set).collect();
    if found.is_empty() {
        return Finding::optional(
            "model keys",
            "none in this environment",
            "export OPENAI_API_KEY=… and start `aideator up` again",
        );
    }
    Finding::good("model keys", found.join(", "))
}

fn data_dir(folder: &Folder) -> Finding {
    let path = folder.path();
    let shown = path.display().to_string();
    if !path.exists() {
        return Finding::good("data", format!("{shown} (made by the first `aideator up`)"));
    }
    match tempfile_in(path) {
        Ok(()) => Finding::good("data", shown),
        Err(error) => Finding::missing(
            "data",
            format!("{shown}: {error}"),
            format!("chown -R \"$USER\" '{shown}', or choose another with --data-dir"),
        ),
    }
}

/// Whether something can be written there.
fn tempfile_in(path: &std::path::Path) -> std::io::Result<()> {
    let probe = path.join(format!(".probe.{}", std::process::id()));
    std::fs::write(&probe, "")?;
    std::fs::remove_file(probe)
}

async fn running(server: &Server, folder: &Folder) -> Finding {
    const UP: &str = "aideator up";
    let Ok(client) = server.client() else {
        return Finding::optional("running", "no", UP);
    };
    match client.info().await {
        Ok(info) => Finding::good(
            "running",
            format!(
                "{} at {}, model {}",
                info.version,
                client.server(),
                info.default_model
            ),
        ),
        Err(_) if Lock::is_held(folder) => Finding::missing(
            "running",
            format!(
                "an `up` holds this data directory and does not answer at {}",
                client.server()
            ),
            "look at what it says, or stop it and start it again: aideator up",
        ),
        Err(_) => Finding::optional("running", format!("no (last at {})", client.server()), UP),
    }
}

async fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

fn as_text(findings: &[Finding], paint: Paint) -> String {
    let mut text = String::new();
    for finding in findings {
        let (mark, tone) = match finding.verdict {
            Verdict::Good => ("✓", Tone::Good),
            Verdict::Optional => ("–", Tone::Warn),
            Verdict::Missing => ("✗", Tone::Bad),
        };
        text.push_str(&format!(
            "{} {:<12} {}\n",
            paint.tone(tone, mark),
            finding.what,
            finding.found
        ));
        if let Some(mend) = &finding.mend {
            text.push_str(&format!(
                "               → {}\n",
                paint.tone(Tone::Bold, mend)
            ));
        }
    }
    text
}

fn as_json(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        json!({
            "what": finding.what,
            "ok": finding.verdict == Verdict::Good,
            "needed": finding.verdict == Verdict::Missing,
            "found": finding.found,
            "mend": finding.mend,
        })
        .to_string()
    });
    rows.map(|row| row + "\n").collect()
}

async fn rebuild(folder: &Folder) -> Result<Exit, Error> {
    let addresses = folder.addresses()?;
    let (Some(nats), true) = (addresses.nats, folder.keys().exists()) else {
        return Err(Error::NotRunning {
            data_dir: folder.path().to_owned(),
        });
    };
    let keys = Keys::open(&folder.keys())?;
    let connect = Connect::new(format!("nats://{nats}"), "aideator doctor")
        .credentials(keys.credentials(User::Admin)?)
        .inbox_prefix(User::Admin.inbox_prefix());
    let bus = Bus::connect(connect).await?;
    let answer = bus.request(rpc::REBUILD, "{}".into(), REBUILDING).await?;
    bus.close().await;
    put(&format!(
        "the list of runs is built again: {}\n",
        String::from_utf8_lossy(&answer)
    ))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_the_command_that_mends_it() {
        let findings = [
            Finding::good("git", "git 2"),
            Finding::missing("nats-server", "not found", "scripts/install-tools"),
        ];
        let text = as_text(&findings, Paint::NEVER);
        assert_eq!(
            text,
            "✓ git          git 2\n✗ nats-server  not found\n               → scripts/install-tools\n"
        );
    }
}
