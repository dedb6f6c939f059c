//! Reading a secret from the command line or the environment: one that is none is not repeated in the
//! message, which may end up in a log.

use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Reads a `T` and hides what it read.
#[derive(Debug, Clone)]
pub(super) struct Hidden<T>(PhantomData<T>);

impl<T> Hidden<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> TypedValueParser for Hidden<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let refused = |why: &dyn Display| {
            let option = arg.map(ToString::to_string).unwrap_or_default();
            let words = format!("the value of '{option}' can't be used: {why}\n");
            Error::raw(ErrorKind::ValueValidation, words).with_cmd(cmd)
        };
        let text = value.to_str().ok_or_else(|| refused(&"it is no text"))?;
        text.parse().map_err(|error: T::Err| refused(&error))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::Config;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_secret_that_is_none_is_not_repeated() {
        for option in ["--secret", "--token"] {
            let refused = Cli::try_parse_from(["edge", option, "sesame"]).unwrap_err();
            let words = refused.to_string();
            assert!(words.contains(option), "{words}");
            assert!(!words.contains("sesame"), "{words}");
        }
        let secret = "0123456789abcdef0123456789abcdef";
        let read = Cli::try_parse_from(["edge", "--secret", secret, "--token", secret]);
        let config = read.unwrap().config;
        assert!(config.secret.is_some() && config.token.is_some());
    }
}
