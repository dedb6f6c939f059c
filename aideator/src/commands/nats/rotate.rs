//! `aideator nats rotate`: new signing keys, in two steps.

use std::path::{Path, PathBuf};

use aideator_bus::credentials::{CredentialsError, Keys};

use crate::error::Error;
use crate::output::news;

/// Go on with new signing keys and new credentials; those from before stay good until --finish.
///
/// After each step the new values go to the cluster: `aideator nats bootstrap`, `helm upgrade`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the keys are kept
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// End it: what was signed before is trusted no longer
    #[arg(long)]
    finish: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let folder = &args.keys;
    let refused = |error| refused(error, folder);
    let said = if args.finish {
        match Keys::finish_rotation(folder).map_err(refused)? {
            Some(_) => finished(folder),
            None => "no keys from before are trusted: there is nothing to finish".to_owned(),
        }
    } else {
        Keys::rotate(folder).map_err(refused)?;
        rotated(folder)
    };
    news(&said);
    Ok(())
}

/// What another command mends names it.
fn refused(error: CredentialsError, folder: &Path) -> Error {
    let folder = folder.display();
    let command = match &error {
        CredentialsError::NoKeys { .. } => format!("bootstrap --keys {folder}"),
        CredentialsError::Rotating { .. } => format!("rotate --keys {folder} --finish"),
        _ => return error.into(),
    };
    Error::Usage(format!("{error}: aideator nats {command}"))
}

fn rotated(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "new signing keys are in use; those from before are still trusted\n\
         give the new ones to the cluster, in any order:\n\
         {}\
         once every script has the new {folder}/client.creds and no attempt from before runs (four hours at most):\n  \
         aideator nats rotate --keys {folder} --finish",
        upgrade(&folder)
    )
}

fn finished(folder: &Path) -> String {
    format!(
        "the signing keys from before are gone; nats-server trusts them until it is told:\n{}",
        upgrade(&folder.display()).trim_end()
    )
}

fn upgrade(folder: &impl std::fmt::Display) -> String {
    format!(
        "  aideator nats bootstrap --keys {folder} > keys.yaml\n  helm upgrade … --reset-then-reuse-values -f keys.yaml\n"
    )
}
