//! Signed tokens: JSON Web Tokens (RFC 7519) with an HMAC (HS256), and nothing else of that family. Pure.
//!
//! What a token may do and until when stands in the token, so an edge asks nobody to believe it; that it
//! was revoked is another matter ([`crate::revocations`]). There is no leeway for clocks: who makes tokens
//! for minutes keeps them in step.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aideator_contract::limits::{TOKEN_LIFETIME, TOKEN_NAME_BYTES};
use aideator_contract::{Timestamp, TokenId, canonical};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use crate::scope::Scopes;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ALGORITHM: &str = "HS256";
/// Bytes of a secret: fewer than the digest has would weaken it (RFC 7518).
const SECRET_BYTES: usize = 32;
/// Bytes of a token, which headers and cookies must hold.
const TOKEN_BYTES: usize = 4096;

/// The secret that signs tokens.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a secret that signs tokens has {SECRET_BYTES} bytes or more, such as: openssl rand -hex 32"
)]
pub struct BadSecret;

/// What a token says. A claim that is none of these is refused, because it might restrict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Whose it is; a name for people.
    #[serde(rename = "sub")]
    pub name: String,
    /// What it lets its holder do.
    #[serde(rename = "scope")]
    pub scopes: Scopes,
    /// When it was made, in seconds since the Unix epoch.
    #[serde(rename = "iat")]
    pub issued: u64,
    /// From when on it is refused, in seconds since the Unix epoch.
    #[serde(rename = "exp")]
    pub expires: u64,
    /// Its own name, by which it can be revoked.
    #[serde(rename = "jti")]
    pub id: TokenId,
}

/// Why claims can't be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadClaims {
    /// The name is none.
    #[error("a token's name has 1 to {TOKEN_NAME_BYTES} bytes and no control characters")]
    Name,
    /// It would be good for too long, or not at all.
    #[error("a token is good for a second at least and {} days at most", days())]
    Lifetime,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// There is none.
    #[error(
        "a token is needed: send `Authorization: Bearer <token>`, or open the page once with `?token=<token>`"
    )]
    Missing,
    /// It is not the secret, and signed ones are not accepted.
    #[error("this is not the token of this edge")]
    Unknown,
    /// It is not built as a token is.
    #[error("the token can't be read: {0}")]
    Malformed(&'static str),
    /// It is signed in another way, or not at all.
    #[error("the token is signed with another algorithm than {ALGORITHM}")]
    Algorithm,
    /// Another secret signed it, or somebody changed it.
    #[error("the token is not signed with this installation's secret, or was changed afterwards")]
    Signature,
    /// It is too old.
    #[error("the token expired at {}; `aideator token new` makes another", .0.utc())]
    Expired(Timestamp),
    /// It could be revoked for less time than it is good.
    #[error("the token was made for more than {} days", days())]
    Lifetime,
    /// Somebody revoked it.
    #[error("the token was revoked; `aideator token new` makes another")]
    Revoked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
}

impl Claims {
    /// Claims of a new token, with an id of its own.
    ///
    /// # Errors
    /// The name or the lifetime can't be used.
    pub fn new(
        name: &str,
        scopes: Scopes,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, BadClaims> {
        if name.is_empty() || name.len() > TOKEN_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(BadClaims::Name);
        }
        if lifetime.as_secs() == 0 || lifetime > TOKEN_LIFETIME {
            return Err(BadClaims::Lifetime);
        }
        let issued = now.millis() / 1000;
        let id = canonical::hex(&rand::random::<[u8; 16]>());
        Ok(Self {
            name: name.to_owned(),
            scopes,
            issued,
            expires: issued + lifetime.as_secs(),
            id: id.parse().expect("hexadecimal digits are plain"),
        })
    }

    /// Reads a token without asking who signed it: for showing it to the person who has it.
    ///
    /// # Errors
    /// It is not built as a token is.
    pub fn peek(token: &str) -> Result<Self, Refused> {
        let (signed, _) = taken_apart(token)?;
        claims_of(signed)
    }

    /// When it expires.
    #[must_use]
    pub fn expiry(&self) -> Timestamp {
        Timestamp::from_millis(self.expires.saturating_mul(1000))
    }
}

impl Secret {
    /// Makes the token that says `claims`.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let claims = serde_json::to_string(claims).expect("texts and numbers always serialize");
        let signed = [HEADER, &claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let signature = self.mac(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, if this secret signed it and it has not expired.
    ///
    /// # Errors
    /// It is refused. Its claims are read only after its signature was found good.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refused> {
        let (signed, signature) = taken_apart(token)?;
        // In constant time.
        self.mac(signed)
            .verify_slice(&signature)
            .map_err(|_| Refused::Signature)?;
        let claims = claims_of(signed)?;
        let now = now.millis() / 1000;
        let begins = claims.issued.min(now);
        if claims.expires.saturating_sub(begins) > TOKEN_LIFETIME.as_secs() {
            return Err(Refused::Lifetime);
        }
        if now >= claims.expires {
            return Err(Refused::Expired(claims.expiry()));
        }
        Ok(claims)
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("a key of an HMAC has any length");
        mac.update(signed.as_bytes());
        mac
    }
}

/// What is signed (`header.claims`) and the signature.
fn taken_apart(token: &str) -> Result<(&str, Vec<u8>), Refused> {
    if token.len() > TOKEN_BYTES {
        return Err(Refused::Malformed("it is too long"));
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, signature] = parts[..] else {
        return Err(Refused::Malformed("it has not three parts"));
    };
    let header: Header = read(header, "its header is none of ours")?;
    let typ = header.typ.as_deref().unwrap_or("JWT");
    if header.alg != ALGORITHM || !typ.eq_ignore_ascii_case("JWT") {
        return Err(Refused::Algorithm);
    }
    let signed = &token[..token.len() - signature.len() - 1];
    let signature = URL_SAFE_NO_PAD.decode(signature);
    Ok((
        signed,
        signature.map_err(|_| Refused::Malformed("its signature is not base64url"))?,
    ))
}

fn claims_of(signed: &str) -> Result<Claims, Refused> {
    let (_, claims) = signed.split_once('.').unwrap_or_default();
    read(claims, "its claims are not those of a token of AIdeator")
}

fn read<T: DeserializeOwned>(part: &str, otherwise: &'static str) -> Result<T, Refused> {
    let json = URL_SAFE_NO_PAD.decode(part).ok();
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or(Refused::Malformed(otherwise))
}

const fn days() -> u64 {
    TOKEN_LIFETIME.as_secs() / (24 * 60 * 60)
}

impl FromStr for Secret {
    type Err = BadSecret;

    /// White space around it does not count: files and Secrets often end with a line break.
    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let text = text.trim();
        if text.len() < SECRET_BYTES {
            return Err(BadSecret);
        }
        Ok(Self(text.as_bytes().to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests;
