//! Micro services: what `nats micro ls` shows and anybody may ask.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::service::error::Error as Answer;
use async_nats::service::{Request, ServiceExt as _};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::{API_TIMEOUT, when_ready};
use crate::connect::Bus;
use crate::error::Error;

/// Questions of one service answered at once; further ones wait.
const AT_ONCE: usize = 64;
const STOPPING: Duration = Duration::from_secs(5);

/// One thing a service can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name, of letters, digits, `-` and `_`.
    pub name: &'static str,
    /// Its subject.
    pub subject: &'static str,
    /// The JSON Schema of its questions, shown by `nats micro info`.
    pub schema: Option<String>,
}

/// What a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name, of letters, digits, `-` and `_`.
    pub name: &'static str,
    /// Its version (semantic versioning).
    pub version: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// What it can be asked.
    pub endpoints: Vec<Endpoint>,
}

/// A question to a service.
#[derive(Debug, Clone)]
pub struct Question {
    /// The subject it was asked on: which endpoint.
    pub subject: String,
    /// What is asked.
    pub payload: Bytes,
    /// Its `Nats-Msg-Id`, if it has one.
    pub msg_id: Option<String>,
}

/// Why a service gives no answer: a code as in HTTP and words for the asker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400 for a bad question, 404, 409, 503 …
    pub code: u16,
    /// What the asker is told.
    pub text: String,
}

/// A running service; dropping it stops it at once.
#[derive(Debug)]
pub struct Service {
    service: async_nats::service::Service,
    endpoints: JoinSet<()>,
}

impl Service {
    /// Starts a service, which can be asked once this returns. Several instances of one share the
    /// questions.
    ///
    /// # Errors
    /// A name or version is not one, or the server does not answer.
    pub async fn start<H, F>(bus: &Bus, spec: ServiceSpec, handler: H) -> Result<Self, Error>
    where
        H: Fn(Question) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Bytes, Refusal>> + Send + 'static,
    {
        let doing = format!("starting the service {}", spec.name);
        let failed = |error: async_nats::Error| Error::malformed(&doing, error);
        let service = bus
            .client()
            .service_builder()
            .description(spec.description)
            .start(spec.name, spec.version)
            .await
            .map_err(failed)?;
        let handler = Arc::new(handler);
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut endpoints = JoinSet::new();
        for endpoint in spec.endpoints {
            let metadata = endpoint
                .schema
                .map(|schema| HashMap::from([("schema".to_owned(), schema)]));
            let mut builder = service.endpoint_builder().name(endpoint.name);
            if let Some(metadata) = metadata {
                builder = builder.metadata(metadata);
            }
            let questions = builder.add(endpoint.subject).await.map_err(failed)?;
            endpoints.spawn(serve(questions, Arc::clone(&handler), Arc::clone(&room)));
        }
        // A server reads a connection in order: once this is answered, it knows the endpoints too.
        let info = service.info().await;
        let ping = format!("$SRV.PING.{}.{}", info.name, info.id);
        when_ready(|| async {
            let answer = bus.exchange(&ping, None, Bytes::new(), API_TIMEOUT).await;
            answer.map_err(|lost| lost.while_doing(bus, &doing, &ping))
        })
        .await?;
        Ok(Self { service, endpoints })
    }

    /// Takes no further questions and waits for the answers in hand, five seconds at most.
    pub async fn stop(self) {
        let Self {
            service,
            mut endpoints,
        } = self;
        if let Err(error) = service.stop().await {
            tracing::debug!(%error, "a service was stopped already");
        }
        let all = async { while endpoints.join_next().await.is_some() {} };
        if tokio::time::timeout(STOPPING, all).await.is_err() {
            tracing::warn!("a service did not stop in time");
        }
    }
}

async fn serve<H, F>(
    mut questions: async_nats::service::endpoint::Endpoint,
    handler: Arc<H>,
    room: Arc<Semaphore>,
) where
    H: Fn(Question) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Bytes, Refusal>> + Send + 'static,
{
    let mut answering = JoinSet::new();
    while let Some(request) = questions.next().await {
        let permit = Arc::clone(&room).acquire_owned().await;
        let handler = Arc::clone(&handler);
        answering.spawn(async move {
            let answer = handler(question(&request)).await;
            let answer = answer.map_err(|refusal| Answer {
                code: refusal.code.into(),
                status: refusal.text,
            });
            if let Err(error) = request.respond(answer).await {
                tracing::debug!(%error, "an answer could not be sent");
            }
            drop(permit);
        });
        while answering.try_join_next().is_some() {}
    }
    while answering.join_next().await.is_some() {}
}

fn question(request: &Request) -> Question {
    let message = &request.message;
    Question {
        subject: message.subject.as_str().to_owned(),
        payload: message.payload.clone(),
        msg_id: message
            .headers
            .as_ref()
            .and_then(|headers| crate::stored::text(headers, async_nats::header::NATS_MESSAGE_ID))
            .map(str::to_owned),
    }
}
