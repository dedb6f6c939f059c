//! Plain git, held so short that a hostile repository or server finds nothing to pull:
//! no hooks, no redirects, no logins, no submodules, no filters, one protocol.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aideator_contract::{Code, Reason};
use tokio::process::Command;

use super::process::{self, Excess, Finished};

/// Always on.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "http.followRedirects=false",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "protocol.allow=never",
];

/// Git in one folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    folder: PathBuf,
    home: PathBuf,
    /// Added to [`SETTINGS`].
    settings: Vec<String>,
}

impl Git {
    /// Git in `folder`, with `home` as home.
    pub(super) fn new(folder: &Path, home: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            home: home.to_owned(),
            settings: Vec::new(),
        }
    }

    /// With one more setting.
    #[must_use]
    pub(super) fn with(mut self, setting: String) -> Self {
        self.settings.push(setting);
        self
    }

    /// Runs git and keeps up to `cap` bytes of its output.
    pub(super) async fn run(&self, arguments: &[&str], cap: usize) -> Result<Finished, Reason> {
        self.finish(arguments, cap, Excess::Dropped).await
    }

    /// Runs git, which has to succeed, for up to `cap` bytes of its output.
    pub(super) async fn output(&self, arguments: &[&str], cap: usize) -> Result<Vec<u8>, Reason> {
        succeeded(arguments, self.run(arguments, cap).await?)
    }

    /// Runs git, which has to succeed, for all of its output. Of a repository about which it tells
    /// more than `cap` bytes nothing is taken: few objects can name very many files.
    pub(super) async fn whole_output(
        &self,
        arguments: &[&str],
        cap: usize,
    ) -> Result<Vec<u8>, Reason> {
        let finished = self.finish(arguments, cap, Excess::Refused).await?;
        succeeded(arguments, finished)
    }

    async fn finish(
        &self,
        arguments: &[&str],
        cap: usize,
        excess: Excess,
    ) -> Result<Finished, Reason> {
        let mut git = self.command();
        git.args(arguments);
        let finished = process::finish(&mut git, cap, excess).await;
        finished.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Reason::new(
                Code::HandsFailed,
                "git is not installed where the agent runs",
            ),
            ErrorKind::FileTooLarge => Reason::new(
                Code::RepositoryTooLarge,
                format!(
                    "the list of the repository's files is larger than {} MiB",
                    cap / (1024 * 1024)
                ),
            ),
            _ => Reason::new(Code::HandsFailed, format!("git can't be run: {error}")),
        })
    }

    fn command(&self) -> Command {
        let mut git = process::command("git", &self.home);
        for setting in SETTINGS {
            git.arg("-c").arg(setting);
        }
        for setting in &self.settings {
            git.arg("-c").arg(setting);
        }
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.home.join(".gitconfig"))
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .current_dir(&self.folder);
        git
    }
}

fn succeeded(arguments: &[&str], finished: Finished) -> Result<Vec<u8>, Reason> {
    if finished.status.success() {
        Ok(finished.stdout)
    } else {
        let doing = arguments.first().unwrap_or(&"");
        Err(Reason::new(
            Code::CloneFailed,
            format!("git {doing} failed: {}", finished.stderr.trim()),
        ))
    }
}

/// Why a fetch failed, from what git said.
pub(super) fn fetch_failure(repo: &str, commit: &str, stderr: &str) -> Reason {
    let says = |words: &[&str]| {
        let stderr = stderr.to_ascii_lowercase();
        words.iter().any(|words| stderr.contains(words))
    };
    let reason =
        |code, words: String| Reason::new(code, format!("the clone of {repo} failed: {words}"));
    if says(&[
        "not our ref",
        "unadvertised object",
        "couldn't find remote ref",
        "bad object",
    ]) {
        reason(
            Code::RefNotFound,
            format!("it has no commit {commit} (any more)"),
        )
    } else if says(&[
        "could not read username",
        "authentication failed",
        "terminal prompts disabled",
        "error: 401",
        "error: 403",
    ]) {
        reason(
            Code::RepositoryNotFound,
            "there is none at this address, or it can't be read without a login".into(),
        )
    } else if says(&[
        "repository not found",
        "not found",
        "does not exist",
        "not appear to be a git repository",
        "dumb http transport",
    ]) {
        reason(
            Code::RepositoryNotFound,
            "there is no git repository at this address".into(),
        )
    } else if says(&[
        "could not resolve host",
        "failed to connect",
        "connection refused",
        "timed out",
        "couldn't connect",
    ]) {
        reason(
            Code::RepositoryUnreachable,
            "its host does not answer".into(),
        )
    } else if says(&["redirect"]) {
        reason(
            Code::RepositoryNotFound,
            "its address redirects elsewhere; give the final one".into(),
        )
    } else {
        let last = stderr
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("git said nothing");
        let short: String = last.chars().take(300).collect();
        reason(Code::CloneFailed, short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_told_in_words_that_help() {
        let cases = [
            (
                "fatal: remote error: upload-pack: not our ref 0123",
                Code::RefNotFound,
            ),
            (
                "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
                Code::RepositoryNotFound,
            ),
            (
                "fatal: repository 'https://x/' not found",
                Code::RepositoryNotFound,
            ),
            (
                "fatal: unable to access 'https://x/': Could not resolve host: x",
                Code::RepositoryUnreachable,
            ),
            (
                "fatal: unable to access 'https://x/': The requested URL returned error: 403",
                Code::RepositoryNotFound,
            ),
            ("fatal: index-pack failed", Code::CloneFailed),
        ];
        for (stderr, code) in cases {
            assert_eq!(
                fetch_failure("https://x/", "0123", stderr).code,
                code,
                "{stderr}"
            );
        }
    }
}
