//! What an edge can be told.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

/// Options of the edge.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The secret that everyone must send who uses the edge (16 bytes or more). Without it the edge
    /// serves this machine only.
    #[arg(
        long,
        env = "AIDEATOR_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub token: Option<Token>,
    /// A further origin that requests may name, such as http://localhost:3000 behind whose proxy a page is
    /// developed (repeatable). Pages of other origins never read answers: no CORS header is sent.
    #[arg(
        long,
        env = "AIDEATOR_ALLOW_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allow_origin: Vec<String>,
    /// Seconds over which open streams are ended when the edge stops.
    #[arg(
        long,
        env = "AIDEATOR_DRAIN_S",
        value_name = "SECONDS",
        default_value_t = DRAIN_S
    )]
    pub drain_s: u32,
    /// How long a viewer waits for a run nobody knows before it is told so.
    #[arg(skip = UNKNOWN_RUN)]
    pub unknown_run: Duration,
}

const DRAIN_S: u32 = 2;
const UNKNOWN_RUN: Duration = Duration::from_secs(30);

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            allow_origin: Vec::new(),
            drain_s: DRAIN_S,
            unknown_run: UNKNOWN_RUN,
        }
    }
}

impl Config {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s.into())
    }
}

/// The secret of an edge.
#[derive(Clone)]
pub struct Token(String);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has 16 characters or more, all of them letters, digits or one of - . _ ~ + / =")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        // As it may stand in a header, in a cookie and, as it is, in an address.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() >= 16 && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadToken)
        }
    }
}

impl Token {
    /// Whether `given` is the secret; takes the same time wherever they differ.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        let (secret, given) = (self.0.as_bytes(), given.as_bytes());
        let differing = secret.iter().enumerate().fold(0, |sum, (at, byte)| {
            sum | (byte ^ given.get(at).unwrap_or(&0))
        });
        differing == 0 && secret.len() == given.len()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_it() {
        let token: Token = "0123456789abcdef".parse().unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in [
            "",
            "0123456789abcde",
            "0123456789abcdef0",
            "0123456789abcdeF",
        ] {
            assert!(!token.is(other), "{other}");
        }
        assert!("short".parse::<Token>().is_err());
        assert!("0123456789 abcdef".parse::<Token>().is_err());
        assert!("0123456789&abcdef".parse::<Token>().is_err());
        assert!(!format!("{token:?}").contains("0123"));
    }
}
