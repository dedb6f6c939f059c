//! Repositories in folders of this machine, asked by plain git that reads no settings but its own.

use std::path::Path;
use std::process::{Output, Stdio};

use aideator_contract::{Code, Reason};
use tokio::process::Command;

use super::{is_commit, no_ref};

/// Everybody's folders may be read; nothing in one is run.
const SETTINGS: [&str; 4] = [
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=true",
];

pub(super) async fn commit(path: &str, reference: Option<&str>) -> Result<String, Reason> {
    let folder = Path::new(path);
    if !folder.is_dir() {
        return Err(not_found(format!("there is no folder {path}")));
    }
    let found = git(folder, &["rev-parse", "--git-dir"]).await?;
    if !found.status.success() {
        return Err(not_found(format!(
            "{path} is not a git repository (name its top folder)"
        )));
    }
    let wanted = format!("{}^{{commit}}", reference.unwrap_or("HEAD"));
    let answer = git(folder, &["rev-parse", "--verify", "--quiet", &wanted]).await?;
    let commit = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if answer.status.success() && is_commit(&commit) {
        Ok(commit)
    } else {
        Err(no_ref(path, reference))
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<Output, Reason> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder);
    for setting in SETTINGS {
        git.args(["-c", setting]);
    }
    git.args(arguments)
        .env_clear()
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        // A folder inside a repository is not the repository.
        .env(
            "GIT_CEILING_DIRECTORIES",
            folder.parent().unwrap_or(Path::new("/")),
        )
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        git.env("PATH", path);
    }
    git.output().await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "git is not installed here".to_owned(),
            _ => format!("git can't be run: {error}"),
        };
        Reason::new(Code::RepositoryUnreachable, why)
    })
}

fn not_found(message: String) -> Reason {
    Reason::new(Code::RepositoryNotFound, message)
}
