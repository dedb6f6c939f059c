//! The connection: one TCP connection to NATS, kept for ever.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::credentials::Credentials;
use crate::error::Error;
use crate::link::Link;

/// The longest pause between two tries to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// A silent link is pinged this often, and given up after two unanswered pings.
const PING: Duration = Duration::from_secs(5);
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(2);

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
    /// Messages each subscription holds until they are read; further ones are dropped and counted
    /// ([`Bus::slow_consumers`]).
    pub capacity: usize,
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
            capacity: 65_536,
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

    /// With room for so many messages in each subscription.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
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

    pub(crate) fn link(&self) -> watch::Receiver<Link> {
        self.0.link.clone()
    }
}

fn options(connect: &Connect) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .name(&connect.name)
        .ping_interval(PING)
        .subscription_capacity(connect.capacity)
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
    fn the_pause_between_reconnects_is_bounded() {
        assert_eq!(reconnect_pause(1), Duration::ZERO);
        for attempts in [2, 10, 100, usize::MAX] {
            assert!(reconnect_pause(attempts) <= RECONNECT_PAUSE);
        }
    }
}
