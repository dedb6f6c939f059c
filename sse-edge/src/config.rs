//! What an edge can be told.

mod hidden;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use self::hidden::Hidden;
use crate::admission::RATE;
use crate::error::Error;
use crate::pass::Keys;
use crate::pulse::HEARTBEAT;
use crate::token::{Claims, Secret};

/// Options of the edge.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// A token that lets in whoever sends it, for everything (16 characters or more). Without it and
    /// without --secret the edge serves this machine only.
    #[arg(
        long,
        env = "AIDEATOR_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_parser = Hidden::<Token>::new()
    )]
    pub token: Option<Token>,
    /// The secret that signs tokens with a scope and an expiry (32 bytes or more; `aideator token new`
    /// makes them): all that are signed with it let in, each for what it may do.
    #[arg(
        long,
        env = "AIDEATOR_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        value_parser = Hidden::<Secret>::new()
    )]
    pub secret: Option<Secret>,
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
    /// How often open streams show that they are alive.
    #[arg(skip = HEARTBEAT)]
    pub heartbeat: Duration,
    /// A peer that takes nothing for so long is gone. With the heartbeat, one that vanished is noticed
    /// within forty seconds.
    #[arg(skip = GONE_AFTER)]
    pub gone_after: Duration,
    /// How many streams are begun a second.
    #[arg(skip = RATE)]
    pub streams_per_second: u32,
}

const DRAIN_S: u32 = 2;
const UNKNOWN_RUN: Duration = Duration::from_secs(30);
const GONE_AFTER: Duration = Duration::from_secs(20);

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            secret: None,
            allow_origin: Vec::new(),
            drain_s: DRAIN_S,
            unknown_run: UNKNOWN_RUN,
            heartbeat: HEARTBEAT,
            gone_after: GONE_AFTER,
            streams_per_second: RATE,
        }
    }
}

impl Config {
    /// Whether an edge may serve there.
    ///
    /// # Errors
    /// Others could reach it, and nobody would be asked for a token.
    pub fn check(&self, address: SocketAddr) -> Result<(), Error> {
        if address.ip().is_loopback() || self.keys().ask() {
            Ok(())
        } else {
            Err(Error::TokenNeeded(address))
        }
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys {
            token: self.token.clone(),
            secret: self.secret.clone(),
        }
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s.into())
    }
}

/// The token of an edge itself.
#[derive(Clone)]
pub struct Token(String);

/// Why a text is no token of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is too short, or could not stand everywhere.
    #[error(
        "a token has 16 characters or more, all of them letters, digits or one of - . _ ~ + / ="
    )]
    Shape,
    /// It would let its holder do more than it says.
    #[error(
        "this is a signed token, which only somebody who uses an edge has; an edge itself takes the secret that signs them (--secret or AIDEATOR_SECRET)"
    )]
    Signed,
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        // As it may stand in a header, in a cookie and, as it is, in an address.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() < 16 || !text.bytes().all(plain) {
            return Err(BadToken::Shape);
        }
        if Claims::peek(text).is_ok() {
            return Err(BadToken::Signed);
        }
        Ok(Self(text.to_owned()))
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
    use crate::scope::Scope;

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

    #[test]
    fn a_signed_token_is_none_that_may_do_all() {
        let secret: Secret = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let now = std::time::SystemTime::now().into();
        let day = Duration::from_secs(24 * 60 * 60);
        let claims = Claims::new("ci", Scope::Read.into(), now, day).unwrap();
        let signed = secret.sign(&claims).parse::<Token>();
        assert!(matches!(signed, Err(BadToken::Signed)));
    }

    #[test]
    fn only_this_machine_is_served_without_a_token() {
        let check = |config: &Config, address: &str| config.check(address.parse().unwrap()).is_ok();
        let open = Config::default();
        assert!(check(&open, "127.0.0.1:1") && check(&open, "[::1]:1"));
        assert!(!check(&open, "0.0.0.0:1") && !check(&open, "192.0.2.1:1"));
        let secret = "0123456789abcdef0123456789abcdef".parse().ok();
        assert!(check(
            &Config {
                secret,
                ..Config::default()
            },
            "0.0.0.0:1"
        ));
        let token = "0123456789abcdef".parse().ok();
        assert!(check(
            &Config {
                token,
                ..Config::default()
            },
            "0.0.0.0:1"
        ));
    }
}
