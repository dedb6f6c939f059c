//! From repositories to commits: real git repositories, in folders and behind a small HTTP server.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod folder;
mod http;
mod repository;
mod web;

use aideator_contract::repository::{Repository, RepositoryPolicy};
use aideator_contract::{Code, Reason};
use aideator_submitter::Resolver;

async fn resolve(
    address: &str,
    trusted: &[String],
    reference: Option<&str>,
) -> Result<String, Code> {
    let resolved = ask(address, trusted, reference).await;
    resolved.map_err(|reason| reason.code)
}

async fn ask(address: &str, trusted: &[String], reference: Option<&str>) -> Result<String, Reason> {
    let policy = RepositoryPolicy {
        paths: true,
        trusted_hosts: trusted.to_vec(),
    };
    let repository = Repository::parse(address, &policy)?;
    Resolver::new().commit(&repository, reference).await
}
