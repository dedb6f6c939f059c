//! From a repository and a ref to the one commit that all variations see.

mod advertisement;
mod folder;
mod http;

use std::net::SocketAddr;

use aideator_contract::repository::{Repository, is_public};
use aideator_contract::{Code, Reason, limits};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

/// Asks repositories for commits, a few at once, each within a limit.
#[derive(Debug)]
pub struct Resolver {
    at_once: Semaphore,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver {
    /// A resolver that asks [`limits::RESOLVING`] repositories at once.
    #[must_use]
    pub fn new() -> Self {
        // reqwest is built without a provider of its own. If somebody was first, theirs will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            at_once: Semaphore::new(limits::RESOLVING),
        }
    }

    /// The commit of `reference` (the default branch without one) in `repository`.
    ///
    /// # Errors
    /// The repository or the ref is not there, does not answer, or is in a place that is not allowed.
    pub async fn commit(
        &self,
        repository: &Repository,
        reference: Option<&str>,
    ) -> Result<String, Reason> {
        let permit = self.at_once.acquire().await;
        let asked = async {
            match repository {
                Repository::Path(path) => folder::commit(path, reference).await,
                Repository::Http { url, trusted } => http::commit(url, *trusted, reference).await,
            }
        };
        let answer = timeout(limits::RESOLVE_TIME, asked).await;
        drop(permit);
        answer.unwrap_or_else(|_| {
            let seconds = limits::RESOLVE_TIME.as_secs();
            Err(Reason::new(
                Code::RepositoryUnreachable,
                format!("{} did not answer within {seconds} s", shown(repository)),
            ))
        })
    }
}

fn shown(repository: &Repository) -> &str {
    match repository {
        Repository::Path(path) => path,
        Repository::Http { url, .. } => url.as_str(),
    }
}

/// Where a host is, looked up once. One address that is not public, and none is asked.
async fn addresses(url: &Url, trusted: bool) -> Result<Vec<SocketAddr>, Reason> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(443);
    let unreachable = |why: String| {
        Reason::new(
            Code::RepositoryUnreachable,
            format!("the host {host} can't be found: {why}"),
        )
    };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((bare, port))
        .await
        .map_err(|error| unreachable(error.to_string()))?
        .collect();
    if found.is_empty() {
        return Err(unreachable("it has no address".to_owned()));
    }
    judge(host, &found, trusted)?;
    Ok(found)
}

fn judge(host: &str, found: &[SocketAddr], trusted: bool) -> Result<(), Reason> {
    match found.iter().find(|address| !is_public(address.ip())) {
        Some(private) if !trusted => Err(Reason::new(
            Code::PrivateAddress,
            format!(
                "{host} is at {}, a private, local or reserved address",
                private.ip()
            ),
        )),
        _ => Ok(()),
    }
}

/// A commit's full name: 40 hexadecimal digits, or 64 in repositories of the newer format.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn no_ref(repository: &str, reference: Option<&str>) -> Reason {
    let message = match reference {
        Some(reference) => {
            format!("{repository} has no branch, tag or commit {reference:?}")
        }
        None => format!("{repository} has no commit yet"),
    };
    Reason::new(Code::RefNotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_private_address_among_public_ones_is_enough_to_refuse() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|a| a.parse().unwrap()).collect()
        };
        let mixed = addresses(&["93.184.216.34:443", "[fd00::1]:443"]);
        let refused = judge("example.com", &mixed, false).unwrap_err();
        assert_eq!(refused.code, Code::PrivateAddress);
        assert!(refused.message.contains("fd00::1"), "{refused}");
        assert!(judge("example.com", &mixed, true).is_ok());
        let public = addresses(&["93.184.216.34:443"]);
        assert!(judge("example.com", &public, false).is_ok());
    }
}
