//! `aideator nats bootstrap`: the keys of a cluster, as values for the chart.

use std::path::{Path, PathBuf};

use aideator_bus::credentials::{CredentialsError, Keys, User};

use crate::error::Error;
use crate::output::{news, put};

/// Make the keys of a cluster, or read them again, and print them as values for helm.
///
/// Standard output holds secrets: for nats-server (whom to trust, no secret), submitter, watcher
/// and edge. DIR/client.creds is for scripts. The same DIR gives the same bytes; who has it is the
/// operator.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the keys are kept; made for this user alone if it is not there
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let keys = Keys::open(&args.keys)?;
    put(&values(&entries(&keys)?))?;
    news(&said(&args.keys));
    Ok(())
}

/// What the chart makes Secrets of, by its names.
fn entries(keys: &Keys) -> Result<[(&'static str, String); 5], CredentialsError> {
    let credential = |user| Ok::<_, CredentialsError>(keys.credentials(user)?.to_text());
    Ok([
        ("server", keys.trust().to_config()),
        ("submitter", credential(User::Submitter)?),
        ("agentKeys", keys.minter()?.to_text()?),
        ("watcher", credential(User::Watcher)?),
        ("edge", credential(User::Edge)?),
    ])
}

/// YAML of `nats.auth`: each text as a literal block, whose lines stand below their key.
fn values(entries: &[(&str, String)]) -> String {
    let mut yaml =
        String::from("# Made by `aideator nats bootstrap`. Holds secrets.\nnats:\n  auth:\n");
    for (name, text) in entries {
        yaml.push_str(&format!("    {name}: |\n"));
        for line in text.lines() {
            match line {
                "" => yaml.push('\n'),
                line => yaml.push_str(&format!("      {line}\n")),
            }
        }
    }
    yaml
}

fn said(folder: &Path) -> String {
    let shown = folder.display();
    format!(
        "the keys are in {shown}: keep them, and keep them to yourself\n\
         scripts connect with {shown}/client.creds: aideator nats pub --creds {shown}/client.creds --nats nats://HOST:4222 …"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_below_its_name_and_keeps_its_lines() {
        let yaml = values(&[
            ("server", "a: {\n  b\n}\n".to_owned()),
            ("edge", "one\n\ntwo".to_owned()),
        ]);
        let (_, body) = yaml.split_once('\n').unwrap();
        assert_eq!(
            body,
            "nats:\n  auth:\n    server: |\n      a: {\n        b\n      }\n    edge: |\n      one\n\n      two\n"
        );
    }

    #[test]
    fn the_same_keys_give_the_same_bytes_and_no_client_without_a_key_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let made = |keys: Keys| values(&entries(&keys).unwrap());
        let first = made(Keys::open(folder.path()).unwrap());
        assert_eq!(first, made(Keys::open(folder.path()).unwrap()));
        assert!(!first.contains("sentinel"), "{first}");
        assert!(!first.contains("client"), "{first}");
    }
}
