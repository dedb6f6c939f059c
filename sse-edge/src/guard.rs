//! Who may come in: on loopback nobody whom a foreign page sends (DNS rebinding, forged requests);
//! elsewhere, or where a token is set, only who has it. The judgement is pure.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::config::Token;
use crate::problem::Problem;

/// The cookie that holds the token, for pages and their event streams.
const COOKIE: &str = "aideator_token";
/// Addresses that orchestrators ask without a token; they tell nothing.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Who may come in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Only this machine can connect, so only its own names are asked for.
    pub loopback: bool,
    /// What everyone must have.
    pub token: Option<Token>,
    /// Further origins whose pages may use the API.
    pub origins: Vec<String>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Enter,
    /// It brought the token in its address: the token goes into a cookie, and the address is asked
    /// again without it.
    Welcome {
        /// The cookie.
        cookie: String,
        /// The address without the token.
        to: String,
    },
    /// It ends here.
    Refuse(Problem),
}

impl Policy {
    /// Judges a request by its head.
    #[must_use]
    pub fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let host = text(headers, header::HOST)
            .or_else(|| uri.authority().map(http::uri::Authority::as_str));
        let Some(host) = host else {
            return Verdict::Refuse(Problem::Forbidden("the request names no host"));
        };
        if self.loopback && !is_loopback(host) {
            let words =
                "this edge serves 127.0.0.1 and localhost only; the request is for another host";
            return Verdict::Refuse(Problem::Forbidden(words));
        }
        if !self.knows_origin(headers, host) {
            let words = "a page of another origin may not use this edge (--allow-origin lets it)";
            return Verdict::Refuse(Problem::Forbidden(words));
        }
        let Some(token) = &self.token else {
            return Verdict::Enter;
        };
        if OPEN.contains(&uri.path()) || shown(headers).any(|given| token.is(given)) {
            return Verdict::Enter;
        }
        match in_query(uri).filter(|(given, _)| method == Method::GET && token.is(given)) {
            Some((given, to)) => Verdict::Welcome {
                cookie: format!("{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict"),
                to,
            },
            None => Verdict::Refuse(Problem::Unauthorized),
        }
    }

    fn knows_origin(&self, headers: &HeaderMap, host: &str) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let own = origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        own || self.origins.iter().any(|known| known == origin)
    }
}

/// The middleware in front of everything.
pub(crate) async fn guard(
    State(policy): State<Arc<Policy>>,
    request: Request,
    next: Next,
) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let mut response = match policy.judge(method, uri, headers) {
        Verdict::Enter => next.run(request).await,
        Verdict::Refuse(problem) => problem.into_response(),
        Verdict::Welcome { cookie, to } => {
            let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, to)];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
    };
    let own = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    own.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let silent = HeaderValue::from_static("no-referrer");
    own.insert(header::REFERRER_POLICY, silent);
    response
}

/// A name of this machine that no other host's DNS can claim, with any port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The tokens a request shows, as bearer or as cookie.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
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
fn in_query(uri: &Uri) -> Option<(&str, String)> {
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

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn local() -> Policy {
        Policy {
            loopback: true,
            token: None,
            origins: vec!["http://localhost:3000".into()],
        }
    }

    fn guarded() -> Policy {
        Policy {
            loopback: false,
            token: Some(SECRET.parse().unwrap()),
            origins: Vec::new(),
        }
    }

    fn judge(policy: &Policy, uri: &str, headers: &[(&'static str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        policy.judge(&Method::GET, &uri.parse().unwrap(), &map)
    }

    fn status(verdict: Verdict) -> u16 {
        match verdict {
            Verdict::Enter => 200,
            Verdict::Welcome { .. } => 303,
            Verdict::Refuse(problem) => problem.status().as_u16(),
        }
    }

    #[test]
    fn on_loopback_only_its_own_names_are_served() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:8080",
        ] {
            assert_eq!(
                status(judge(&local(), "/", &[("host", host)])),
                200,
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "[::2]:1",
            "",
        ] {
            assert_eq!(
                status(judge(&local(), "/", &[("host", host)])),
                403,
                "{host}"
            );
        }
        assert_eq!(status(judge(&local(), "/", &[])), 403);
    }

    #[test]
    fn a_foreign_page_is_refused() {
        let from = |origin| {
            status(judge(
                &local(),
                "/",
                &[("host", "localhost:8080"), ("origin", origin)],
            ))
        };
        assert_eq!(from("http://localhost:8080"), 200);
        assert_eq!(from("http://localhost:3000"), 200);
        for origin in [
            "http://evil.example",
            "http://localhost:8081",
            "null",
            "http://localhost:80801",
        ] {
            assert_eq!(from(origin), 403, "{origin}");
        }
    }

    #[test]
    fn a_token_comes_as_bearer_or_cookie() {
        let with = |headers: &[(&'static str, &str)]| {
            let mut all = vec![("host", "edge.example")];
            all.extend_from_slice(headers);
            status(judge(&guarded(), "/api/v1/runs", &all))
        };
        assert_eq!(with(&[]), 401);
        assert_eq!(with(&[("authorization", "Bearer 0123456789abcdef")]), 200);
        assert_eq!(
            with(&[("cookie", "a=b; aideator_token=0123456789abcdef")]),
            200
        );
        assert_eq!(with(&[("authorization", "Bearer wrong")]), 401);
        assert_eq!(with(&[("authorization", "Basic 0123456789abcdef")]), 401);
        assert_eq!(with(&[("cookie", "xaideator_token=0123456789abcdef")]), 401);
    }

    #[test]
    fn probes_need_no_token() {
        let host = [("host", "10.1.2.3:8080")];
        assert_eq!(status(judge(&guarded(), "/healthz", &host)), 200);
        assert_eq!(status(judge(&guarded(), "/metrics", &host)), 401);
    }

    #[test]
    fn a_token_in_the_address_becomes_a_cookie() {
        let host = [("host", "edge.example")];
        let verdict = judge(
            &guarded(),
            "//evil.example/x?a=1&token=0123456789abcdef",
            &host,
        );
        let Verdict::Welcome { cookie, to } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(to, "/evil.example/x?a=1");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        assert_eq!(status(judge(&guarded(), "/?token=wrong", &host)), 401);
    }
}
