//! Requests to the HTTP API.

use std::time::Duration;

use aideator_contract::RunId;
use aideator_contract::TokenId;
use aideator_contract::Variation;
use aideator_contract::request::RunRequest;
use aideator_contract::view::{Info, ListRequest, RunView, RunsPage};
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::{Follow, Problem};
use crate::error::Error;

/// How long an ordinary request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Speaks to one server.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}

/// The answer to a request for a run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Created {
    /// The run.
    pub(crate) run_id: RunId,
    /// Where people look at it.
    #[serde(default)]
    pub(crate) url: Option<String>,
}

impl Client {
    /// A client of the server at `address`: a URL, or `host:port`.
    pub(crate) fn new(address: &str, token: Option<String>) -> Result<Self, Error> {
        let bad = || {
            Error::Usage(format!(
                "{address:?} is no address of a server; expected http://host:port"
            ))
        };
        let text = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let base: Url = text.parse().map_err(|_| bad())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(bad());
        }
        // A second call finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("aideator/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy for the world outside does not know this machine.
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| Error::Internal(format!("no HTTP client: {error}")))?;
        Ok(Self { http, base, token })
    }

    /// The server, for people.
    pub(crate) fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks for a run.
    pub(crate) async fn create(&self, request: &RunRequest) -> Result<Created, Error> {
        self.json(self.request(Method::POST, "/api/v1/runs").json(request))
            .await
    }

    /// Lists runs.
    pub(crate) async fn list(&self, wanted: &ListRequest) -> Result<RunsPage, Error> {
        let value = serde_json::to_value(wanted).unwrap_or_default();
        let mut url = self.url("/api/v1/runs");
        for (name, value) in value.as_object().into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &value);
        }
        self.json(self.http.get(url).timeout(PATIENCE)).await
    }

    /// One run.
    pub(crate) async fn get(&self, run: &RunId) -> Result<RunView, Error> {
        self.json(self.request(Method::GET, &format!("/api/v1/runs/{run}")))
            .await
    }

    /// What the installation offers.
    pub(crate) async fn info(&self) -> Result<Info, Error> {
        self.json(self.request(Method::GET, "/api/v1/info")).await
    }

    /// Stops a run, or one variation.
    pub(crate) async fn cancel(
        &self,
        run: &RunId,
        variation: Option<Variation>,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let path = match variation {
            Some(variation) => format!("/api/v1/runs/{run}/variations/{variation}/cancel"),
            None => format!("/api/v1/runs/{run}/cancel"),
        };
        let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        self.command(&path, &body).await
    }

    /// Tries a variation again.
    pub(crate) async fn retry(&self, run: &RunId, variation: Variation) -> Result<(), Error> {
        self.command(
            &format!("/api/v1/runs/{run}/variations/{variation}/retry"),
            &json!({}),
        )
        .await
    }

    /// Notes which variation is best.
    pub(crate) async fn pick(
        &self,
        run: &RunId,
        variation: Variation,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let mut body = json!({ "variation": variation });
        if let Some(reason) = reason {
            body["reason"] = reason.into();
        }
        self.command(&format!("/api/v1/runs/{run}/pick"), &body)
            .await
    }

    /// Has every server refuse a signed token, which expires then (seconds since the Unix epoch).
    pub(crate) async fn revoke(&self, token: &TokenId, expires: Option<u64>) -> Result<(), Error> {
        let mut body = json!({ "token_id": token });
        if let Some(expires) = expires {
            body["expires"] = expires.into();
        }
        self.command("/api/v1/tokens/revoke", &body).await
    }

    /// Follows a run from `position` (an id of its stream), or from its beginning.
    pub(crate) fn follow(&self, run: &RunId, position: Option<String>) -> Follow {
        Follow::new(self.clone(), run.clone(), position)
    }

    /// Opens a run's stream once.
    pub(super) async fn stream(
        &self,
        run: &RunId,
        position: Option<&str>,
    ) -> Result<Response, Error> {
        let mut request = self
            .http
            .get(self.url(&format!("/api/v1/runs/{run}/stream")))
            .header("accept", "text/event-stream");
        if let Some(position) = position {
            request = request.header("last-event-id", position);
        }
        self.send(request).await
    }

    async fn command(&self, path: &str, body: &Value) -> Result<(), Error> {
        self.send(self.request(Method::POST, path).json(body))
            .await
            .map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).timeout(PATIENCE)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let answer = self.send(request).await?;
        let body = answer
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|error| Error::Answer {
            server: self.server().to_owned(),
            source: error,
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap_or_default();
        Err(Error::Problem(Problem::read(status, &body)))
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable {
            server: self.server().to_owned(),
            why: innermost(error),
        }
    }
}

/// The innermost cause is the one people understand.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_what_is_plain() {
        assert_eq!(
            Client::new("127.0.0.1:7780", None).unwrap().server(),
            "http://127.0.0.1:7780"
        );
        assert_eq!(
            Client::new("https://a.example/b/", None)
                .unwrap()
                .url("/x")
                .as_str(),
            "https://a.example/b/x"
        );
        assert!(matches!(
            Client::new("nats://a:1", None),
            Err(Error::Usage(_))
        ));
    }
}
