//! Reading a command, where a newer version is told from a mistake.

use aideator_contract::request::parse;
use aideator_contract::{Code, Reason, VERSION};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads a command; a field `v` above ours says that it comes from a newer program.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    parse(bytes).map_err(|reason| match newer(bytes) {
        Some(v) if reason.code != Code::TooLarge => Reason::new(
            Code::NewerVersion,
            format!(
                "the request is of version {v} and this program knows {VERSION}; update AIdeator, or leave out \"v\" and what is new ({reason})"
            ),
        ),
        _ => reason,
    })
}

fn newer(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).ok()?;
    Some(versioned.v).filter(|v| *v > u64::from(VERSION))
}
