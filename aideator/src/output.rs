//! Standard output, written so that a closed pipe ends the command quietly.

use std::io::{self, Write as _};
use std::time::SystemTime;

use aideator_contract::Timestamp;

use crate::error::Error;

/// Writes to standard output at once.
pub(crate) fn put(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::Terminal("write", error))
}

/// Writes one line to standard error.
pub(crate) fn news(text: &str) {
    eprintln!("{text}");
}

/// Now.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
