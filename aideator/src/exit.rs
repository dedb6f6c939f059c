//! How a command ends: the exit codes that scripts rely on.

use std::process::ExitCode;

/// What the exit code tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Exit {
    /// What was asked has happened; of a run, that every variation succeeded.
    Success,
    /// A variation did not succeed, or the command failed.
    Failed,
    /// The request or the command line can't be used.
    Refused,
    /// AIdeator (or what it needs) can't be reached.
    Unreachable,
    /// Ctrl-C.
    Interrupted,
    /// A role of an agent ended, with a code of its own.
    Role(ExitCode),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        let code: u8 = match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Refused => 2,
            Exit::Unreachable => 3,
            Exit::Interrupted => 130,
            Exit::Role(code) => return code,
        };
        Self::from(code)
    }
}
