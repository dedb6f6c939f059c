//! Who may come in: on loopback nobody whom a foreign page sends (DNS rebinding, forged requests);
//! elsewhere, or where an edge accepts tokens, only who shows one that may do what is asked. The
//! judgement is pure.

use std::net::IpAddr;
use std::sync::Arc;

use aideator_contract::{Timestamp, TokenId};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::api;
use crate::pass::{Asked, Keys, Pass, Stop, cookie, in_query, shown};
use crate::problem::Problem;
use crate::revocations::{Revocations, Standing};
use crate::scope::Scope;
use crate::token::Refused;

/// Who may come in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Only this machine can connect, so only its own names are asked for.
    pub loopback: bool,
    /// The tokens that are accepted; where there is none nobody is asked for one.
    pub keys: Keys,
    /// Further origins whose pages may use the API.
    pub origins: Vec<String>,
}

/// A request before its body.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// What it wants to do.
    pub method: &'a Method,
    /// Where.
    pub uri: &'a Uri,
    /// What it shows.
    pub headers: &'a HeaderMap,
    /// The scope its route asks for; `None`: it is for everybody.
    pub needs: Option<Scope>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Enter(Pass),
    /// It brought a token in its address: the token goes into a cookie, and the address is asked
    /// again without it.
    Welcome {
        /// The cookie.
        cookie: String,
        /// The address without the token.
        to: String,
    },
    /// Nobody can say whether its token was revoked.
    Unsure,
    /// It ends here.
    Refuse(Problem),
}

impl Policy {
    /// Judges a request by its head; `standing` says what is known of a signed token.
    #[must_use]
    pub fn judge(
        &self,
        head: Head<'_>,
        standing: impl Fn(&TokenId) -> Standing,
        now: Timestamp,
    ) -> Verdict {
        let host = head
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
        let Some(host) = host else {
            return Verdict::Refuse(Problem::Forbidden("the request names no host"));
        };
        if self.loopback && !is_loopback(host) {
            let words =
                "this edge serves 127.0.0.1 and localhost only; the request is for another host";
            return Verdict::Refuse(Problem::Forbidden(words));
        }
        if !self.knows_origin(head.headers, host) {
            let words = "a page of another origin may not use this edge (--allow-origin lets it)";
            return Verdict::Refuse(Problem::Forbidden(words));
        }
        let asked = Asked {
            standing: &standing,
            now,
        };
        match head.needs.filter(|_| self.keys.ask()) {
            Some(needed) => self.ask(head, needed, &asked),
            None => Verdict::Enter(Pass::Open),
        }
    }

    fn ask(&self, head: Head<'_>, needed: Scope, asked: &Asked<'_>) -> Verdict {
        // The token in an address is meant to replace that of the cookie.
        let brought = in_query(head.uri).filter(|_| head.method == Method::GET);
        let brought = brought.map(|(given, to)| (given, to, self.keys.admit(given, asked)));
        let refused = match brought {
            Some((given, to, Ok(pass))) => {
                let cookie = cookie(given, &pass, head.headers, asked.now);
                return Verdict::Welcome { cookie, to };
            }
            Some((_, _, Err(stop))) => Some(stop),
            None => None,
        };
        match self.keys.admit_any(shown(head.headers), asked) {
            Ok(pass) => match pass.scope() {
                Some(scope) if scope >= needed => Verdict::Enter(pass),
                has => Verdict::Refuse(Problem::Scope { needed, has }),
            },
            Err(stop) => match (stop, refused) {
                (Stop::Unsure, _) | (_, Some(Stop::Unsure)) => Verdict::Unsure,
                (Stop::Refused(Refused::Missing), Some(Stop::Refused(why)))
                | (Stop::Refused(why), _) => Verdict::Refuse(Problem::Unauthorized(why)),
            },
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

/// The policy of an edge, and what it knows of signed tokens where it accepts any.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) policy: Policy,
    pub(crate) revocations: Option<Arc<Revocations>>,
}

impl Gate {
    /// Lets a request in that goes to the route of this pattern, or says what it is answered instead.
    pub(crate) async fn admit(
        &self,
        request: &Parts,
        pattern: Option<&str>,
    ) -> Result<Pass, Response> {
        let mut verdict = self.judge(request, pattern);
        if let (Verdict::Unsure, Some(list)) = (&verdict, &self.revocations) {
            list.known().await;
            verdict = self.judge(request, pattern);
        }
        Err(match verdict {
            Verdict::Enter(pass) => return Ok(pass),
            Verdict::Refuse(problem) => problem.into_response(),
            Verdict::Unsure => {
                let words = "nobody can say whether this token was revoked, because NATS does not answer; try again in a moment";
                Problem::Away(words).into_response()
            }
            Verdict::Welcome { cookie, to } => {
                let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, to)];
                (StatusCode::SEE_OTHER, headers).into_response()
            }
        })
    }

    fn judge(&self, request: &Parts, pattern: Option<&str>) -> Verdict {
        let head = Head {
            method: &request.method,
            uri: &request.uri,
            headers: &request.headers,
            needs: api::needs(&request.method, pattern),
        };
        let standing = |token: &TokenId| match &self.revocations {
            Some(list) => list.standing(token),
            None => Standing::Unknown,
        };
        let now = Timestamp::from(std::time::SystemTime::now());
        self.policy.judge(head, standing, now)
    }
}

/// The middleware in front of everything.
pub(crate) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let route = head.extensions.get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let mut response = match gate.admit(&head, route).await {
        Ok(pass) => {
            head.extensions.insert(pass);
            next.run(Request::from_parts(head, body)).await
        }
        Err(refusal) => refusal,
    };
    seal(response.headers_mut());
    response
}

/// What every answer tells browsers.
pub(crate) fn seal(headers: &mut HeaderMap) {
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let silent = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, silent);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::token::{Claims, Secret};

    const SECRET: &str = "0123456789abcdef";
    const SIGNING: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);

    fn local() -> Policy {
        Policy {
            loopback: true,
            keys: Keys::default(),
            origins: vec!["http://localhost:3000".into()],
        }
    }

    fn guarded() -> Policy {
        Policy {
            loopback: false,
            keys: Keys {
                token: Some(SECRET.parse().unwrap()),
                secret: Some(SIGNING.parse().unwrap()),
            },
            origins: Vec::new(),
        }
    }

    fn judge(policy: &Policy, uri: &str, headers: &[(&'static str, &str)]) -> Verdict {
        judge_for(Some(Scope::Read), policy, uri, headers)
    }

    fn judge_for(
        needs: Option<Scope>,
        policy: &Policy,
        uri: &str,
        headers: &[(&'static str, &str)],
    ) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let head = Head {
            method: &Method::GET,
            uri: &uri.parse().unwrap(),
            headers: &map,
            needs,
        };
        let standing = |id: &TokenId| match id.as_str() {
            "bad" => Standing::Revoked,
            "odd" => Standing::Unknown,
            _ => Standing::Good,
        };
        policy.judge(head, standing, NOW)
    }

    /// A token that is good for an hour.
    fn signed(id: &str, scope: Scope) -> String {
        let hour = Duration::from_secs(3600);
        let mut claims = Claims::new("ci", scope.into(), NOW, hour).unwrap();
        claims.id = id.parse().unwrap();
        SIGNING.parse::<Secret>().unwrap().sign(&claims)
    }

    fn status(verdict: Verdict) -> u16 {
        match verdict {
            Verdict::Enter(_) => 200,
            Verdict::Welcome { .. } => 303,
            Verdict::Unsure => 503,
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
    fn what_is_for_everybody_needs_no_token() {
        let host = [("host", "10.1.2.3:8080")];
        assert_eq!(status(judge_for(None, &guarded(), "/x", &host)), 200);
        assert_eq!(status(judge(&guarded(), "/x", &host)), 401);
    }

    #[test]
    fn a_token_may_do_what_its_scope_includes_and_nothing_else() {
        let edge = guarded();
        for has in Scope::ALL {
            for needed in Scope::ALL {
                let bearer = format!("Bearer {}", signed("t", has));
                let headers = [("host", "edge.example"), ("authorization", bearer.as_str())];
                let verdict = judge_for(Some(needed), &edge, "/x", &headers);
                if has >= needed {
                    assert!(
                        matches!(verdict, Verdict::Enter(Pass::Signed(_))),
                        "{verdict:?}"
                    );
                    continue;
                }
                let Verdict::Refuse(problem) = verdict else {
                    panic!("{verdict:?}");
                };
                assert_eq!(problem.status(), 403);
                let words = problem.to_string();
                assert!(words.contains(&format!("scope `{needed}`")), "{words}");
            }
        }
        // The own token may do all.
        let own = format!("Bearer {SECRET}");
        let headers = [("host", "edge.example"), ("authorization", own.as_str())];
        assert_eq!(
            status(judge_for(Some(Scope::Admin), &edge, "/x", &headers)),
            200
        );
    }

    #[test]
    fn who_is_refused_is_told_why() {
        let with = |token: &str| {
            let bearer = format!("Bearer {token}");
            let headers = [("host", "edge.example"), ("authorization", bearer.as_str())];
            match judge(&guarded(), "/x", &headers) {
                Verdict::Refuse(problem) => {
                    assert_eq!(problem.status(), 401);
                    problem.to_string()
                }
                verdict => panic!("{verdict:?}"),
            }
        };
        let old = Timestamp::from_millis(NOW.millis() - 100_000_000);
        let hour = Duration::from_secs(3600);
        let old = Claims::new("ci", Scope::Run.into(), old, hour).unwrap();
        let old = SIGNING.parse::<Secret>().unwrap().sign(&old);
        assert!(
            with(&old).contains("expired at 2026-11-22T"),
            "{}",
            with(&old)
        );
        assert!(with(&signed("bad", Scope::Run)).contains("was revoked"));
        assert!(with("nonsense").contains("can't be read"));
    }

    #[test]
    fn while_nobody_can_say_whether_a_token_was_revoked_it_is_not_accepted() {
        let token = signed("odd", Scope::Admin);
        let bearer = format!("Bearer {token}");
        let headers = [("host", "edge.example"), ("authorization", bearer.as_str())];
        assert_eq!(status(judge(&guarded(), "/x", &headers)), 503);
        let host = [("host", "edge.example")];
        let brought = format!("/?token={token}");
        assert_eq!(status(judge(&guarded(), &brought, &host)), 503);
        // The edge's own token needs no list.
        let own = format!("Bearer {SECRET}");
        let headers = [("host", "edge.example"), ("authorization", own.as_str())];
        assert_eq!(status(judge(&guarded(), "/x", &headers)), 200);
    }

    #[test]
    fn a_signed_token_in_the_address_replaces_that_of_the_cookie() {
        let old = format!("aideator_token={}", signed("old", Scope::Read));
        let headers = [("host", "edge.example"), ("cookie", old.as_str())];
        let brought = format!("/?token={}", signed("new", Scope::Run));
        let verdict = judge(&guarded(), &brought, &headers);
        let Verdict::Welcome { cookie, to } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(to, "/");
        assert!(cookie.contains("; Max-Age=3600"), "{cookie}");
        // One that is none does no harm to who has one already.
        assert_eq!(status(judge(&guarded(), "/?token=x", &headers)), 200);
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
