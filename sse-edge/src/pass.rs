//! Which tokens an edge accepts, and what a request may do that shows one. Pure.

use std::sync::Arc;

use aideator_contract::{Timestamp, TokenId};
use http::{HeaderMap, HeaderName, Uri, header};

use crate::config::Token;
use crate::revocations::Standing;
use crate::scope::Scope;
use crate::token::{Claims, Refused, Secret};

/// The cookie that holds the token, for pages and their event streams.
const COOKIE: &str = "aideator_token";

/// The tokens an edge accepts.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// This one itself; it may do everything.
    pub token: Option<Token>,
    /// All that this secret signed.
    pub secret: Option<Secret>,
}

/// On what grounds a request was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// Nobody is asked.
    Open,
    /// It shows the edge's own token.
    Own,
    /// It shows a signed token.
    Signed(Arc<Claims>),
}

/// Why a token lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is refused.
    Refused(Refused),
    /// Nobody can say whether it was revoked.
    Unsure,
}

/// What is asked about a token: its revocation, and the time.
pub(crate) struct Asked<'a> {
    /// What is known of a signed token.
    pub(crate) standing: &'a dyn Fn(&TokenId) -> Standing,
    /// Now.
    pub(crate) now: Timestamp,
}

impl Pass {
    /// The most it may do; `None` for nothing that this version knows.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Open | Self::Own => Some(Scope::Admin),
            Self::Signed(claims) => claims.scopes.most(),
        }
    }

    /// Whose it is, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Open => "anybody",
            Self::Own => "the edge's own token",
            Self::Signed(claims) => &claims.name,
        }
    }
}

impl Keys {
    /// Whether anybody is asked for a token.
    pub(crate) fn ask(&self) -> bool {
        self.token.is_some() || self.secret.is_some()
    }

    /// What a token lets its holder do.
    pub(crate) fn admit(&self, given: &str, asked: &Asked<'_>) -> Result<Pass, Stop> {
        if self.token.as_ref().is_some_and(|token| token.is(given)) {
            return Ok(Pass::Own);
        }
        let Some(secret) = &self.secret else {
            return Err(Stop::Refused(Refused::Unknown));
        };
        let claims = secret.verify(given, asked.now).map_err(Stop::Refused)?;
        match (asked.standing)(&claims.id) {
            Standing::Good => Ok(Pass::Signed(Arc::new(claims))),
            Standing::Revoked => Err(Stop::Refused(Refused::Revoked)),
            Standing::Unknown => Err(Stop::Unsure),
        }
    }

    /// The first token that is good; else why none is.
    pub(crate) fn admit_any<'a>(
        &self,
        given: impl IntoIterator<Item = &'a str>,
        asked: &Asked<'_>,
    ) -> Result<Pass, Stop> {
        let mut stop = None;
        for token in given {
            match self.admit(token, asked) {
                Ok(pass) => return Ok(pass),
                // That one of them may be good counts more than why another is not.
                Err(Stop::Unsure) => stop = Some(Stop::Unsure),
                Err(refused) => stop = stop.or(Some(refused)),
            }
        }
        Err(stop.unwrap_or(Stop::Refused(Refused::Missing)))
    }
}

/// The tokens a request shows, as bearer or as cookie.
pub(crate) fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = text(headers, header::AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let cookies = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        });
    bearer.into_iter().chain(cookies)
}

/// The token in the address, and the address without it.
pub(crate) fn in_query(uri: &Uri) -> Option<(&str, String)> {
    let parts = || uri.query().unwrap_or("").split('&');
    let given = parts().find_map(|part| part.strip_prefix("token="))?;
    let others: Vec<&str> = parts().filter(|part| !part.starts_with("token=")).collect();
    // A second slash at the beginning would name another host.
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    let to = if others.is_empty() {
        path
    } else {
        format!("{path}?{}", others.join("&"))
    };
    Some((given, to))
}

/// The cookie that keeps a token: until it expires, and where the browser came by HTTPS, for HTTPS alone.
pub(crate) fn cookie(token: &str, pass: &Pass, headers: &HeaderMap, now: Timestamp) -> String {
    let mut cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
    if let Pass::Signed(claims) = pass {
        cookie += &format!("; Max-Age={}", claims.expiry().since(now) / 1000);
    }
    // Each proxy adds what it saw; the first is next to the browser.
    let scheme = text(headers, FORWARDED_PROTO).and_then(|all| all.split(',').next());
    if scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https")) {
        cookie += "; Secure";
    }
    cookie
}

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_500);
    const OWN: &str = "own-own-own-own-own";

    fn keys() -> Keys {
        Keys {
            token: Some(OWN.parse().unwrap()),
            secret: Some("0123456789abcdef0123456789abcdef".parse().unwrap()),
        }
    }

    fn token(name: &str) -> String {
        let hour = Duration::from_secs(3600);
        let mut claims = Claims::new(name, Scope::Run.into(), NOW, hour).unwrap();
        claims.id = name.parse().unwrap();
        keys().secret.unwrap().sign(&claims)
    }

    /// `bad` is revoked, and of `odd` nothing is known.
    fn admit(keys: &Keys, given: &[&str]) -> Result<Pass, Stop> {
        let standing = |id: &TokenId| match id.as_str() {
            "bad" => Standing::Revoked,
            "odd" => Standing::Unknown,
            _ => Standing::Good,
        };
        let asked = Asked {
            standing: &standing,
            now: NOW,
        };
        keys.admit_any(given.iter().copied(), &asked)
    }

    #[test]
    fn the_own_token_may_do_all_and_a_signed_one_what_it_says() {
        let own = admit(&keys(), &[OWN]).unwrap();
        assert_eq!(
            (own.scope(), own.name()),
            (Some(Scope::Admin), "the edge's own token")
        );
        let signed = admit(&keys(), &[&token("ci")]).unwrap();
        assert_eq!((signed.scope(), signed.name()), (Some(Scope::Run), "ci"));
    }

    #[test]
    fn the_first_good_token_counts_and_else_the_best_reason() {
        let refused = |given: &[&str]| admit(&keys(), given).unwrap_err();
        let (good, bad, odd) = (token("ci"), token("bad"), token("odd"));
        assert_eq!(admit(&keys(), &["x", &bad, &good]).unwrap().name(), "ci");
        assert_eq!(refused(&[]), Stop::Refused(Refused::Missing));
        assert_eq!(refused(&[&bad, "x"]), Stop::Refused(Refused::Revoked));
        assert_eq!(refused(&[&bad, &odd, "x"]), Stop::Unsure);
    }

    #[test]
    fn an_edge_without_a_secret_accepts_no_signed_token() {
        let mut keys = keys();
        keys.secret = None;
        assert_eq!(
            admit(&keys, &[&token("ci")]),
            Err(Stop::Refused(Refused::Unknown))
        );
        keys.token = None;
        assert!(!keys.ask());
    }

    #[test]
    fn a_cookie_lives_as_long_as_its_token_and_keeps_to_https() {
        let plain = HeaderMap::new();
        let own = cookie(OWN, &Pass::Own, &plain, NOW);
        assert_eq!(
            own,
            format!("aideator_token={OWN}; Path=/; HttpOnly; SameSite=Strict")
        );
        let signed = admit(&keys(), &[&token("ci")]).unwrap();
        let mut https = HeaderMap::new();
        https.insert(FORWARDED_PROTO, "https, http".parse().unwrap());
        let kept = cookie("t", &signed, &https, NOW);
        assert!(kept.ends_with("; Max-Age=3599; Secure"), "{kept}");
        https.insert(FORWARDED_PROTO, "http, https".parse().unwrap());
        assert!(!cookie("t", &signed, &https, NOW).contains("Secure"));
    }
}
