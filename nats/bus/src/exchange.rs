//! One request and its reply, over a connection that may be lost meanwhile.

use std::time::Duration;

use async_nats::{HeaderMap, Message, RequestErrorKind};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::connect::Bus;
use crate::error::{Away, Error};
use crate::link::Link;

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
        let mut link = self.link();
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
        let _ = self.until_up(&mut self.link(), deadline).await;
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
