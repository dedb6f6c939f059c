//! The connection: one TCP connection to NATS, kept for ever, and the request that knows when it is lost.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{
    ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, RequestErrorKind, ServerError,
};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::credentials::Credentials;
use crate::error::{Away, Error};

/// The longest pause between two tries to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// A silent link is pinged this often, and given up after two unanswered pings.
const PING: Duration = Duration::from_secs(5);
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(2);
/// Refused subjects remembered for the requests that wait on them.
const VIOLATIONS: usize = 32;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct Connect {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// The name the server lists this connection under.
    pub name: String,
    /// Who we are; `None` where the server asks nobody.
    pub credentials: Option<Credentials>,
    /// What inboxes begin with; by default what the credentials prescribe, else `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// How long the first connection may take. Later ones are tried for ever.
    pub wait: Duration,
}

impl Connect {
    /// A connection without credentials that waits 10 seconds for the server.
    #[must_use]
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            credentials: None,
            inbox_prefix: None,
            wait: Duration::from_secs(10),
        }
    }

    /// With these credentials.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// With inboxes below `prefix`.
    #[must_use]
    pub fn inbox_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.inbox_prefix = Some(prefix.into());
        self
    }

    /// With another limit for the first connection.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// A connection to NATS. Cloning is cheap and shares the connection.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    client: async_nats::Client,
    link: watch::Receiver<Link>,
    reconnects: watch::Receiver<u64>,
    slow: watch::Receiver<u64>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("link", &*self.0.link.borrow())
            .finish_non_exhaustive()
    }
}

/// What the connection's events have told so far.
#[derive(Debug, Clone, Default)]
struct Link {
    up: bool,
    closed: bool,
    /// The server said that we are not (or no longer) who we claim to be.
    unauthorized: bool,
    connects: u64,
    violations: u64,
    refused: VecDeque<(u64, Arc<str>)>,
}

impl Link {
    fn observe(&mut self, event: &Event) {
        match event {
            Event::Connected => {
                self.up = true;
                self.unauthorized = false;
                self.connects += 1;
            }
            Event::Disconnected => self.up = false,
            Event::Closed => {
                self.up = false;
                self.closed = true;
            }
            Event::ServerError(ServerError::AuthorizationViolation) => self.unauthorized = true,
            Event::ServerError(ServerError::Other(text)) => self.complaint(text),
            Event::ClientError(error) if error.to_string().contains("authorization violation") => {
                self.unauthorized = true;
            }
            _ => {}
        }
    }

    fn complaint(&mut self, text: &str) {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("user authentication") || lower.starts_with("account authentication") {
            self.unauthorized = true;
        }
        if let Some(subject) = refused_publish(text) {
            self.violations += 1;
            self.refused.push_back((self.violations, subject.into()));
            if self.refused.len() > VIOLATIONS {
                self.refused.pop_front();
            }
        }
    }

    fn refused_since(&self, violations: u64, subject: &str) -> bool {
        self.refused
            .iter()
            .any(|(at, refused)| *at > violations && &**refused == subject)
    }
}

/// The subject in `Permissions Violation for Publish to "subject"`.
fn refused_publish(text: &str) -> Option<&str> {
    let at = text
        .to_ascii_lowercase()
        .find("permissions violation for publish to ")?;
    text[at..].split('"').nth(1)
}

/// Why an exchange brought no message.
#[derive(Debug)]
pub(crate) enum Lost {
    Away(Away),
    Refused,
    TooLarge,
    Other(String),
}

impl Lost {
    pub(crate) fn while_doing(self, bus: &Bus, doing: &str, subject: &str) -> Error {
        match self {
            Self::Away(away) => Error::Unreachable {
                doing: doing.to_owned(),
                away,
            },
            Self::Refused => Error::Refused {
                subject: subject.to_owned(),
            },
            Self::TooLarge => Error::TooLarge {
                limit: bus.client().max_payload(),
            },
            Self::Other(text) => Error::Server {
                doing: doing.to_owned(),
                code: 0,
                text,
            },
        }
    }
}

impl Bus {
    /// Connects, trying again until `connect.wait` has passed. After the first success a lost
    /// connection is replaced for ever, and subscriptions with it.
    ///
    /// # Errors
    /// [`Error::Connect`] after the wait, [`Error::Unauthorized`] and [`Error::Credentials`] at once.
    pub async fn connect(connect: Connect) -> Result<Self, Error> {
        let (link_tx, mut link) = watch::channel(Link::default());
        let (reconnects_tx, reconnects) = watch::channel(0);
        let (slow_tx, slow) = watch::channel(0);
        let observe = move |event: Event| {
            if matches!(event, Event::SlowConsumer(_)) {
                slow_tx.send_modify(|count| *count += 1);
            } else {
                link_tx.send_modify(|link| link.observe(&event));
                if matches!(event, Event::Connected) {
                    reconnects_tx.send_modify(|count| *count += 1);
                }
            }
            std::future::ready(())
        };
        let options = options(&connect)?.event_callback(observe);
        let client = first_connection(&connect, options).await?;
        // The event is on its way; requests made before it would take it for a reconnect.
        let _ = timeout(CLOSING, link.wait_for(|link| link.connects > 0)).await;
        Ok(Self(Arc::new(Inner {
            client,
            link,
            reconnects,
            slow,
        })))
    }

    /// Counts connections, the first included; it changes at each reconnect, when subscriptions
    /// are about to be made again: whatever is then asked on this connection is asked after them.
    #[must_use]
    pub fn reconnects(&self) -> watch::Receiver<u64> {
        self.0.reconnects.clone()
    }

    /// Counts messages this client dropped because a subscription was not read fast enough.
    #[must_use]
    pub fn slow_consumers(&self) -> watch::Receiver<u64> {
        self.0.slow.clone()
    }

    /// Whether the connection is up, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.link.borrow().up
    }

    /// The largest message the server takes, headers included, in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.client().max_payload()
    }

    /// Sends what is waiting, ends subscriptions and closes; gives up after two seconds.
    pub async fn close(&self) {
        let mut link = self.0.link.clone();
        let closing = async {
            let _ = self.client().flush().await;
            let _ = self.client().drain().await;
            let _ = link.wait_for(|link| link.closed).await;
        };
        if timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("the connection to NATS did not close in time");
        }
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.0.client
    }

    /// One request and its reply. Ends early when the connection is lost or the subject refused,
    /// since no reply can come any more.
    pub(crate) async fn exchange(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Message, Lost> {
        let deadline = Instant::now() + limit;
        let mut link = self.0.link.clone();
        self.until_up(&mut link, deadline).await?;
        let (connects, violations) = {
            let now = link.borrow_and_update();
            (now.connects, now.violations)
        };
        let mut request = async_nats::Request::new().payload(payload).timeout(None);
        request.headers = headers;
        let reply = self.client().send_request(subject.to_owned(), request);
        tokio::pin!(reply);
        let answer = async {
            loop {
                tokio::select! {
                    biased;
                    reply = &mut reply => return reply.map_err(|error| lost(&error)),
                    changed = link.changed() => {
                        let now = link.borrow_and_update();
                        if now.refused_since(violations, subject) {
                            return Err(Lost::Refused);
                        }
                        if changed.is_err() || !now.up || now.connects != connects {
                            return Err(Lost::Away(Away::Disconnected));
                        }
                    }
                }
            }
        };
        timeout_at(deadline, answer)
            .await
            .unwrap_or(Err(Lost::Away(Away::Timeout)))
    }

    /// Waits until the connection is up, `deadline` at most.
    pub(crate) async fn connected(&self, deadline: Instant) {
        let _ = self.until_up(&mut self.0.link.clone(), deadline).await;
    }

    async fn until_up(
        &self,
        link: &mut watch::Receiver<Link>,
        deadline: Instant,
    ) -> Result<(), Lost> {
        let usable = |link: &Link| link.up || link.closed;
        if !usable(&link.borrow())
            && timeout_at(deadline, link.wait_for(usable)).await.is_err()
            && link.borrow().unauthorized
        {
            return Err(Lost::Refused);
        }
        if link.borrow().up {
            Ok(())
        } else {
            Err(Lost::Away(Away::Disconnected))
        }
    }
}

fn lost(error: &async_nats::RequestError) -> Lost {
    match error.kind() {
        RequestErrorKind::TimedOut => Lost::Away(Away::Timeout),
        RequestErrorKind::NoResponders => Lost::Away(Away::NoResponders),
        RequestErrorKind::MaxPayloadExceeded => Lost::TooLarge,
        // The reply's channel broke: the connection ended for good.
        RequestErrorKind::Other => Lost::Away(Away::Disconnected),
        RequestErrorKind::InvalidSubject => Lost::Other("not a subject".to_owned()),
    }
}

fn options(connect: &Connect) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .name(&connect.name)
        .ping_interval(PING)
        .connection_timeout(Duration::from_secs(5))
        .reconnect_delay_callback(reconnect_pause);
    let prescribed = || {
        connect
            .credentials
            .as_ref()
            .and_then(Credentials::inbox_prefix)
    };
    if let Some(prefix) = connect.inbox_prefix.clone().or_else(prescribed) {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(credentials) = &connect.credentials {
        options = options
            .credentials(&credentials.to_text())
            .map_err(Error::Credentials)?;
    }
    Ok(options)
}

/// 0, then doubling from 4 ms to [`RECONNECT_PAUSE`], each shortened by up to a half at random,
/// so that many clients of a restarted server do not come back in step.
fn reconnect_pause(attempts: usize) -> Duration {
    if attempts <= 1 {
        return Duration::ZERO;
    }
    let exponent = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
    let pause = Duration::from_millis(1 << exponent).min(RECONNECT_PAUSE);
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

async fn first_connection(
    connect: &Connect,
    options: ConnectOptions,
) -> Result<async_nats::Client, Error> {
    let addresses: Vec<&str> = connect.url.split(',').map(str::trim).collect();
    let deadline = Instant::now() + connect.wait;
    let mut attempts = 1;
    loop {
        let error = match options.clone().connect(addresses.as_slice()).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                return Err(Error::Unauthorized {
                    url: connect.url.clone(),
                });
            }
            ConnectErrorKind::ServerParse => {
                return Err(Error::Connect {
                    url: connect.url.clone(),
                    source: error,
                });
            }
            _ if Instant::now() >= deadline => {
                return Err(Error::Connect {
                    url: connect.url.clone(),
                    source: error,
                });
            }
            _ => {}
        }
        attempts += 1;
        sleep(reconnect_pause(attempts).min(deadline.saturating_duration_since(Instant::now())))
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_publish_names_its_subject() {
        let text = r#"Permissions Violation for Publish to "aideator.runs.a.0.out""#;
        assert_eq!(refused_publish(text), Some("aideator.runs.a.0.out"));
        assert_eq!(
            refused_publish("Permissions Violation for Subscription to \"x\""),
            None
        );
    }

    #[test]
    fn only_refusals_after_the_request_began_are_its_own() {
        let mut link = Link::default();
        link.complaint(r#"Permissions Violation for Publish to "a""#);
        assert!(!link.refused_since(link.violations, "a"));
        let before = link.violations;
        link.complaint(r#"Permissions Violation for Publish to "a""#);
        assert!(link.refused_since(before, "a"));
        assert!(!link.refused_since(before, "b"));
    }

    #[test]
    fn the_pause_between_reconnects_is_bounded() {
        assert_eq!(reconnect_pause(1), Duration::ZERO);
        for attempts in [2, 10, 100, usize::MAX] {
            assert!(reconnect_pause(attempts) <= RECONNECT_PAUSE);
        }
    }
}
