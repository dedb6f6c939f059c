//! `aideator token`: make, read and revoke the tokens of servers that are not only for this machine.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use aideator_contract::limits::TOKEN_LIFETIME;
use aideator_contract::{Timestamp, TokenId};
use aideator_edge::scope::Scopes;
use aideator_edge::token::{Claims, Secret};
use clap::Subcommand;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::{news, now, put};
use crate::server::Server;
use crate::view::harmless;

const SECRET_ENV: &str = "AIDEATOR_SECRET";
const DAY: u64 = 24 * 60 * 60;

const MANUAL: &str = "\
SCOPES
  read    look at runs, streams, logs, measurements and the web interface
  run     also start, cancel, retry and pick
  admin   also revoke tokens

EXAMPLES
  export AIDEATOR_SECRET=$(openssl rand -hex 32)     the same for every server and for making tokens
  aideator up --http 0.0.0.0:7780                    serves who has a token
  aideator token new --scope run --expires 30d --name ci > token
  AIDEATOR_TOKEN=$(cat token) aideator ls --server http://host:7780
  curl -H \"Authorization: Bearer $(cat token)\" http://host:7780/api/v1/runs
  aideator token show - < token                      whose it is, what it may do, until when
  aideator token revoke - < token --server http://host:7780

  A browser comes in once by http://host:7780/?token=…; a cookie keeps the token until it expires.

GOOD TO KNOW
  A token is a JSON Web Token signed with HS256. Servers keep no list of them: whoever has the
  secret makes tokens, so guard it. Another secret makes all tokens void at once.
  Who revokes needs a token with the scope admin (or the server's own --token) in AIDEATOR_TOKEN.
  Every server refuses a revoked token within ten seconds, and ends its streams within thirty.
  Clocks count as they are: one that is an hour late accepts an expired token for an hour.";

/// Make, read and revoke the tokens of servers that are not only for this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = MANUAL)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token and print it; nothing else goes to standard output
    New(New),
    /// Print what a token says, whoever signed it
    Show {
        /// The token; - reads it from standard input
        token: String,
        /// Print its claims as JSON
        #[arg(long)]
        json: bool,
    },
    /// Have every server refuse a token from now on
    Revoke {
        /// The token, or its id, which `new` and `show` say; - reads it from standard input
        #[arg(value_name = "TOKEN|ID")]
        token: String,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// Whose token it is, as logs and `show` say it
    #[arg(long)]
    name: String,
    /// What it may do: read, run (includes read) or admin (includes all)
    #[arg(long, default_value = "read")]
    scope: Scopes,
    /// How long it is good: 90m, 12h, 30d, 8w; 366d at most
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lifetime)]
    expires: Duration,
    /// File with the secret that signs it [default: what AIDEATOR_SECRET holds]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    match args.verb {
        Verb::New(new) => make(&new)?,
        Verb::Show { token, json } => show(&given(token)?, json)?,
        Verb::Revoke { token } => revoke(&given(token)?, server).await?,
    }
    Ok(Exit::Success)
}

fn make(new: &New) -> Result<(), Error> {
    let secret = secret(new)?;
    let claims = Claims::new(&new.name, new.scope.clone(), now(), new.expires);
    let claims = claims.map_err(|error| Error::Usage(error.to_string()))?;
    put(&format!("{}\n", secret.sign(&claims)))?;
    news(&format!(
        "a token for {} with the scope {}, good until {}; its id is {}",
        claims.name,
        claims.scopes,
        claims.expiry().utc(),
        claims.id
    ));
    Ok(())
}

/// Never an argument: every user of a machine can read those.
fn secret(new: &New) -> Result<Secret, Error> {
    let (text, from) = match &new.secret_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
            (text, path.display().to_string())
        }
        None => {
            let none = || {
                format!(
                    "the secret is missing: set {SECRET_ENV}, or name a file with --secret-file"
                )
            };
            let text = std::env::var(SECRET_ENV).map_err(|_| Error::Usage(none()))?;
            (text, SECRET_ENV.to_owned())
        }
    };
    text.parse()
        .map_err(|error| Error::Usage(format!("{from}: {error}")))
}

fn show(token: &str, json: bool) -> Result<(), Error> {
    let claims = Claims::peek(token).map_err(|error| Error::Usage(error.to_string()))?;
    if json {
        let claims =
            serde_json::to_string(&claims).map_err(|error| Error::Internal(error.to_string()))?;
        return put(&format!("{claims}\n"));
    }
    let issued = Timestamp::from_millis(claims.issued.saturating_mul(1000));
    let (expiry, now) = (claims.expiry(), now());
    let left = if expiry > now {
        format!("in {}", rough(expiry.since(now) / 1000))
    } else {
        format!("{} ago", rough(now.since(expiry) / 1000))
    };
    put(&format!(
        "name     {}\nscope    {}\nid       {}\nissued   {}\nexpires  {} ({left})\n",
        harmless(&claims.name),
        claims.scopes,
        claims.id,
        issued.utc(),
        expiry.utc(),
    ))
}

async fn revoke(text: &str, server: &Server) -> Result<(), Error> {
    let (id, expires) = if text.contains('.') {
        let claims = Claims::peek(text).map_err(|error| Error::Usage(error.to_string()))?;
        (claims.id, Some(claims.expires))
    } else {
        let id: TokenId = text
            .parse()
            .map_err(|error| Error::Usage(format!("{error}")))?;
        (id, None)
    };
    server.client()?.revoke(&id, expires).await?;
    news(&format!("the token {id} is refused from now on"));
    Ok(())
}

/// What was typed, or standard input.
fn given(text: String) -> Result<String, Error> {
    if text != "-" {
        return Ok(text);
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Error::Terminal("read standard input", error))?;
    Ok(text.trim().to_owned())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let bad = || String::from("expected a number with a unit: 90m, 12h, 30d or 8w");
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return Err(bad()),
    };
    let digits = &text[..text.len() - unit.len_utf8()];
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let lifetime = Duration::from_secs(number.saturating_mul(seconds));
    if lifetime.is_zero() {
        return Err("a token that is good for no time is of no use".into());
    }
    if lifetime > TOKEN_LIFETIME {
        let days = TOKEN_LIFETIME.as_secs() / DAY;
        return Err(format!("a token is good for {days}d at most"));
    }
    Ok(lifetime)
}

/// A length of time in its largest unit.
fn rough(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / DAY, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [
            ("45s", 45),
            ("90m", 5400),
            ("12h", 43_200),
            ("30d", 30 * DAY),
            ("8w", 56 * DAY),
            ("366d", 366 * DAY),
        ] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        for text in [
            "",
            "30",
            "d",
            "-1d",
            "+1d",
            "1.5h",
            "1d12h",
            "30 d",
            "3ä",
            "99999999999999999999d",
        ] {
            assert!(lifetime(text).unwrap_err().contains("30d"), "{text}");
        }
        assert!(lifetime("0d").unwrap_err().contains("no time"));
        assert!(lifetime("367d").unwrap_err().contains("366d"));
        assert!(
            lifetime("18446744073709551615w")
                .unwrap_err()
                .contains("366d")
        );
    }

    #[test]
    fn a_length_of_time_is_said_roughly() {
        for (seconds, text) in [
            (1, "1 second"),
            (119, "119 seconds"),
            (7199, "119 minutes"),
            (172_799, "47 hours"),
            (30 * DAY, "30 days"),
        ] {
            assert_eq!(rough(seconds), text);
        }
    }
}
