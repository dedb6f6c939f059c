//! Fetches exactly one commit of a repository into the workspace.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aideator_contract::repository::{Repository, RepositoryPolicy, is_public};
use aideator_contract::{Code, Reason};
use url::{Host, Url};

use super::git::{Git, fetch_failure};
use super::order::{CloneOrder, Cloned};

/// How often the size of what has been fetched is looked at.
const SIZE_CHECK: Duration = Duration::from_millis(200);

/// Bytes of the list of a repository's files that are read.
pub(super) const LIST_BYTES: usize = 64 * 1024 * 1024;

/// Time for that list.
const LIST_TIME: Duration = Duration::from_secs(60);

/// The folders of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    /// The repository.
    pub(super) repo: PathBuf,
    /// What programs see as home.
    pub(super) home: PathBuf,
}

impl Workspace {
    /// Makes the folders.
    pub(super) fn make(root: &Path) -> std::io::Result<Self> {
        // Programs run in folders of their own, where a relative path means something else.
        let root = std::path::absolute(root)?;
        let workspace = Self {
            repo: root.join("repo"),
            home: root.join("home"),
        };
        std::fs::create_dir_all(&workspace.repo)?;
        std::fs::create_dir_all(&workspace.home)?;
        Ok(workspace)
    }

    pub(super) fn git(&self) -> Git {
        Git::new(&self.repo, &self.home)
    }
}

/// Removes what a workspace holds. What can't be removed is left to whoever owns the folder.
pub(crate) fn clear(root: &Path) {
    for folder in ["repo", "home"] {
        if let Err(error) = std::fs::remove_dir_all(root.join(folder))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder, "the workspace can't be removed");
        }
    }
}

/// Carries out a [`CloneOrder`].
pub(super) async fn clone(order: &CloneOrder, workspace: &Workspace) -> Result<Cloned, Reason> {
    let limit = Duration::from_millis(order.limit_ms);
    let start = Instant::now();
    let (commit, bytes) = tokio::time::timeout(limit, fetch(order, workspace))
        .await
        .map_err(|_| {
            let seconds = limit.as_secs();
            Reason::new(
                Code::CloneFailed,
                format!(
                    "the clone of {} took longer than {seconds} s",
                    order.source.repo
                ),
            )
        })??;
    Ok(Cloned {
        commit,
        took_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        bytes,
    })
}

/// Fetches the commit; gives its name and how large what was fetched is.
async fn fetch(order: &CloneOrder, workspace: &Workspace) -> Result<(String, u64), Reason> {
    let source = &order.source;
    let wanted = match source.commit.as_deref() {
        Some(commit) if is_commit(commit) => commit,
        None if order.tip => "HEAD",
        _ => {
            return Err(Reason::new(
                Code::Internal,
                "the repository's commit was not resolved before the agent started",
            ));
        }
    };
    // The address as it was understood, so that git cannot understand another one.
    let (git, address) = match parse(&source.repo, source.trusted)? {
        Repository::Path(path) => {
            // git refuses a folder of another user unless its owner's word is given here; the
            // path was named by who started this installation's run, and nothing in it is executed.
            std::fs::write(workspace.home.join(".gitconfig"), safe_directory(&path)).map_err(
                |error| {
                    Reason::new(
                        Code::HandsFailed,
                        format!("the workspace can't be written: {error}"),
                    )
                },
            )?;
            (
                workspace.git().with("protocol.file.allow=always".into()),
                path,
            )
        }
        Repository::Http { url, trusted } => {
            let git = workspace
                .git()
                .with(format!("protocol.{}.allow=always", url.scheme()));
            let git = match pin(&url, trusted).await? {
                Some(pin) => git.with(format!("http.curloptResolve={pin}")),
                None => git,
            };
            (git, url.to_string())
        }
    };
    git.output(&["init", "--quiet", "--template=", "."], 0)
        .await?;
    let packs = workspace.repo.join(".git/objects/pack");
    let fetch = [
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-recurse-submodules",
        "--",
        &address,
        wanted,
    ];
    tokio::select! {
        fetched = git.run(&fetch, 0) => {
            let fetched = fetched?;
            if !fetched.status.success() {
                return Err(fetch_failure(&source.repo, wanted, &fetched.stderr));
            }
        }
        () = exceeds(&packs, order.limit_bytes) => return Err(too_large(order)),
    }
    let commit = if wanted == "HEAD" {
        let tip = git.output(&["rev-parse", "FETCH_HEAD"], 128).await?;
        String::from_utf8_lossy(&tip).trim().to_owned()
    } else {
        wanted.to_owned()
    };
    if order.checkout {
        let list = list(&git, &commit).await?;
        if written_out(&list) > order.limit_bytes {
            return Err(too_large(order));
        }
        git.output(&["checkout", "--quiet", "--detach", "--force", &commit], 0)
            .await?;
    }
    Ok((commit, folder_bytes(&packs)))
}

/// The files of a commit, as `git ls-tree -r -l -z` tells them.
pub(super) async fn list(git: &Git, commit: &str) -> Result<Vec<u8>, Reason> {
    let arguments = ["ls-tree", "-r", "-l", "-z", commit];
    let listing = git.whole_output(&arguments, LIST_BYTES);
    tokio::time::timeout(LIST_TIME, listing)
        .await
        .unwrap_or_else(|_| {
            let seconds = LIST_TIME.as_secs();
            Err(Reason::new(
                Code::CloneFailed,
                format!("the repository's files could not be listed in {seconds} s"),
            ))
        })
}

fn parse(repo: &str, trusted: bool) -> Result<Repository, Reason> {
    let trusted_hosts = Url::parse(repo)
        .ok()
        .filter(|_| trusted)
        .and_then(|url| url.host_str().map(str::to_owned));
    Repository::parse(
        repo,
        &RepositoryPolicy {
            paths: true,
            trusted_hosts: trusted_hosts.into_iter().collect(),
        },
    )
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn safe_directory(path: &str) -> String {
    let quoted = |path: &str| {
        path.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    format!(
        "[safe]\n\tdirectory = \"{}\"\n\tdirectory = \"{}/.git\"\n",
        quoted(path),
        quoted(path.trim_end_matches('/'))
    )
}

/// `host:port:address,…` for git: the addresses that were checked are the ones that are used.
async fn pin(url: &Url, trusted: bool) -> Result<Option<String>, Reason> {
    let Some(Host::Domain(host)) = url.host() else {
        return Ok(None);
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| {
            Reason::new(
                Code::RepositoryUnreachable,
                format!("the host {host} can't be found: {error}"),
            )
        })?
        .collect();
    let usable = usable(&found, trusted);
    if usable.is_empty() {
        return Err(Reason::new(
            Code::PrivateAddress,
            format!(
                "{host} has a private, local or reserved address, which is not allowed for a repository"
            ),
        ));
    }
    Ok(Some(format!("{host}:{port}:{}", usable.join(","))))
}

fn usable(found: &[SocketAddr], trusted: bool) -> Vec<String> {
    let mut addresses: Vec<String> = found
        .iter()
        .filter(|address| trusted || is_public(address.ip()))
        .map(|address| match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        })
        .collect();
    addresses.dedup();
    addresses
}

/// Waits until the folder holds more than `limit` bytes.
async fn exceeds(folder: &Path, limit: u64) {
    let mut ticks = tokio::time::interval(SIZE_CHECK);
    loop {
        ticks.tick().await;
        if folder_bytes(folder) > limit {
            return;
        }
    }
}

/// Bytes of the files directly in a folder.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// The sum of the sizes in `git ls-tree -r -l -z`.
fn written_out(list: &[u8]) -> u64 {
    list.split(|byte| *byte == 0)
        .filter_map(|line| std::str::from_utf8(line.split(|byte| *byte == b'\t').next()?).ok())
        .filter_map(|head| head.split_whitespace().nth(3)?.parse::<u64>().ok())
        .sum()
}

fn too_large(order: &CloneOrder) -> Reason {
    Reason::new(
        Code::RepositoryTooLarge,
        format!(
            "{} is larger than {} MiB",
            order.source.repo,
            order.limit_bytes / (1024 * 1024)
        ),
    )
}

#[cfg(test)]
pub(in crate::hands) mod tests;
