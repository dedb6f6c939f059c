//! Core NATS: requests to services, messages nobody stores.

use std::time::Duration;

use async_nats::header::HeaderValue;
use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;

use crate::connect::Bus;
use crate::error::{Away, Error};

const SERVICE_ERROR: &str = "Nats-Service-Error";
const SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";

/// A message that came by a subscription.
#[derive(Debug, Clone)]
pub struct Received {
    /// The subject it was sent to.
    pub subject: String,
    /// Where an answer is awaited, if it is.
    pub reply: Option<String>,
    /// What was sent.
    pub payload: Bytes,
}

/// A subscription; dropping it ends it.
#[derive(Debug)]
pub struct Subscription(Subscriber);

impl Bus {
    /// Asks a service and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Service`] with the service's own error, [`Error::Unreachable`] when none answers.
    pub async fn request(
        &self,
        subject: &str,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, Error> {
        let message = self
            .exchange(subject, None, payload, timeout)
            .await
            .map_err(|lost| lost.while_doing(self, "asking a service", subject))?;
        match service_error(&message) {
            Some(error) => Err(error),
            None => Ok(message.payload),
        }
    }

    /// Sends a message to whoever listens now. It is on its way, not arrived, when this returns.
    ///
    /// # Errors
    /// The message is too large, or the connection is closed for good.
    pub async fn publish(&self, subject: &str, payload: Bytes) -> Result<(), Error> {
        if payload.len() > self.max_payload() {
            return Err(Error::TooLarge {
                limit: self.max_payload(),
            });
        }
        self.client()
            .publish(subject.to_owned(), payload)
            .await
            .map_err(|_| Error::Unreachable {
                doing: "publishing".to_owned(),
                away: Away::Disconnected,
            })
    }

    /// Listens to a subject (wildcards allowed), also after reconnects; what is sent meanwhile is missed.
    ///
    /// # Errors
    /// The subject is none, or the connection is closed for good.
    pub async fn subscribe(&self, subject: &str) -> Result<Subscription, Error> {
        let subscriber = self
            .client()
            .subscribe(subject.to_owned())
            .await
            .map_err(|error| Error::malformed("subscribing", error))?;
        Ok(Subscription(subscriber))
    }
}

impl Subscription {
    /// The next message; `None` once the connection is closed for good. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Received> {
        let Message {
            subject,
            reply,
            payload,
            ..
        } = self.0.next().await?;
        Some(Received {
            subject: subject.as_str().to_owned(),
            reply: reply.map(|reply| reply.as_str().to_owned()),
            payload,
        })
    }
}

fn service_error(message: &Message) -> Option<Error> {
    let headers = message.headers.as_ref()?;
    let code = headers
        .get(SERVICE_ERROR_CODE)?
        .as_str()
        .parse()
        .unwrap_or(500);
    let text = headers
        .get(SERVICE_ERROR)
        .map_or("no reason given", HeaderValue::as_str);
    Some(Error::Service {
        code,
        text: text.to_owned(),
    })
}
