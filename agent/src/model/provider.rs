//! Real models, through genai: OpenAI, Anthropic, Gemini and others by the model's name, and any
//! OpenAI-compatible server (llama.cpp, vLLM, Ollama, LiteLLM) by base URL.

use std::time::Duration;

use aideator_contract::{Code, Reason};
use futures::{StreamExt as _, future, stream};
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStream, ChatStreamEvent, StopReason, Usage,
};
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget, WebConfig};

use super::faults::{self, Asked};
use super::settings::{Settings, Target};
use super::{Answer, Fault, Model, ModelEvent, ModelRequest, Tokens};

/// A model that says nothing for this long is gone. Prompts are read slowly on small machines.
const SILENCE: Duration = Duration::from_secs(300);

/// A model at a provider.
pub(super) struct Provider {
    client: Client,
    asked: Asked,
}

impl Provider {
    pub(super) fn open(model: &str, settings: &Settings) -> Result<Self, Reason> {
        // One TLS implementation for the whole process; a second call finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Target {
            kind,
            endpoint,
            near,
            server,
            key,
        } = settings.target(model)?;
        let (key_name, key) = key.unzip();
        let resolver = ServiceTargetResolver::from_resolver_fn(
            move |found: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
                let auth = match &key {
                    Some(key) => AuthData::from_single(key.clone()),
                    // Local servers take any key, and genai wants one.
                    None => AuthData::from_single("none"),
                };
                let endpoint = endpoint
                    .clone()
                    .map_or(found.endpoint, Endpoint::from_owned);
                Ok(ServiceTarget {
                    endpoint,
                    auth,
                    model: ModelIden::new(kind, found.model.model_name),
                })
            },
        );
        let client = Client::builder()
            .with_reqwest(http_client(near)?)
            .with_service_target_resolver(resolver)
            .build()
            .map_err(internal)?;
        Ok(Self {
            client,
            asked: Asked {
                model: model.to_owned(),
                server,
                key: key_name,
            },
        })
    }
}

/// genai's own client, which asks a server on this machine directly.
fn http_client(near: bool) -> Result<reqwest::Client, Reason> {
    let mut builder = WebConfig::default().apply_to_builder(reqwest::Client::builder());
    if near {
        builder = builder.no_proxy();
    }
    builder.build().map_err(internal)
}

fn internal(error: impl std::fmt::Display) -> Reason {
    Reason::new(Code::Internal, error.to_string())
}

impl Model for Provider {
    fn ask(&self, request: ModelRequest) -> Answer {
        let (client, asked) = (self.client.clone(), self.asked.clone());
        let opened = async move {
            let messages = vec![ChatMessage::user(request.prompt)];
            let chat = ChatRequest::new(messages).with_system(request.system);
            let mut options = ChatOptions::default()
                .with_capture_usage(true)
                .with_capture_tool_calls(true)
                .with_stream_header_timeout(SILENCE)
                .with_stream_read_timeout(SILENCE);
            if let Some(temperature) = request.temperature {
                options = options.with_temperature(temperature);
            }
            match client
                .exec_chat_stream(request.model.as_str(), chat, Some(&options))
                .await
            {
                Ok(response) => read(response.stream, asked),
                Err(error) => stream::once(future::ready(Err(fault(&asked, &error)))).boxed(),
            }
        };
        stream::once(opened).flatten().boxed()
    }
}

/// The events of a stream of genai; one that ends without its end has broken off.
fn read(chat: ChatStream, asked: Asked) -> Answer {
    stream::unfold(Some((chat, asked)), |state| async {
        let (mut chat, asked) = state?;
        Some(match chat.next().await {
            Some(Ok(ChatStreamEvent::End(end))) => {
                let usage = end
                    .captured_usage
                    .as_ref()
                    .and_then(tokens)
                    .map(ModelEvent::Usage);
                let calls = end
                    .captured_tool_calls()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|call| ModelEvent::ToolCall {
                        id: call.call_id.clone(),
                        name: call.fn_name.clone(),
                        input: input_text(&call.fn_arguments),
                    });
                let finish = ModelEvent::Finish(finish_reason(end.captured_stop_reason.as_ref()));
                let events: Vec<Result<ModelEvent, Fault>> =
                    calls.chain(usage).chain([finish]).map(Ok).collect();
                (events, None)
            }
            Some(Ok(event)) => (
                event_of(event).map(Ok).into_iter().collect(),
                Some((chat, asked)),
            ),
            Some(Err(error)) => (vec![Err(fault(&asked, &error))], None),
            None => (vec![Err(faults::broken_off(&asked))], None),
        })
    })
    .flat_map(stream::iter)
    .boxed()
}

fn event_of(event: ChatStreamEvent) -> Option<ModelEvent> {
    match event {
        ChatStreamEvent::Chunk(chunk) => Some(ModelEvent::TextDelta(chunk.content)),
        ChatStreamEvent::ReasoningChunk(chunk) => Some(ModelEvent::ReasoningDelta(chunk.content)),
        _ => None,
    }
}

fn input_text(arguments: &serde_json::Value) -> String {
    arguments
        .as_str()
        .map_or_else(|| arguments.to_string(), str::to_owned)
}

/// Counts, if the server gave any.
fn tokens(usage: &Usage) -> Option<Tokens> {
    let count = |value: Option<i32>| value.and_then(|value| u64::try_from(value).ok());
    Some(Tokens {
        input: count(usage.prompt_tokens)?,
        cached: usage
            .prompt_tokens_details
            .as_ref()
            .and_then(|details| count(details.cached_tokens)),
        output: count(usage.completion_tokens)?,
        reasoning: usage
            .completion_tokens_details
            .as_ref()
            .and_then(|details| count(details.reasoning_tokens)),
    })
}

fn finish_reason(stop: Option<&StopReason>) -> String {
    match stop {
        None | Some(StopReason::Completed(_)) => "stop",
        Some(StopReason::MaxTokens(_)) => "length",
        Some(StopReason::ToolCall(_)) => "tool-calls",
        Some(StopReason::ContentFilter(_)) => "content-filter",
        Some(StopReason::StopSequence(_)) => "stop",
        Some(StopReason::Other(_)) => "other",
    }
    .to_owned()
}

/// The one place where a library error becomes a reason.
fn fault(asked: &Asked, error: &genai::Error) -> Fault {
    if let genai::Error::WebStream {
        error: inner,
        cause,
        ..
    } = error
    {
        return match inner.downcast_ref::<genai::Error>() {
            Some(inner) => fault(asked, inner),
            None => faults::unreachable(asked, &with_sources(inner.as_ref(), cause)),
        };
    }
    if let Some(status) = error.status() {
        let retry_after = error
            .headers()
            .and_then(|headers| headers.get("retry-after")?.to_str().ok());
        return faults::status(asked, status.as_u16(), body(error), retry_after);
    }
    match error {
        genai::Error::ChatResponse { body, .. } => faults::in_stream(asked, body),
        genai::Error::RequiresApiKey { .. } | genai::Error::NoAuthData { .. } => {
            Reason::new(Code::NoModelKey, error.to_string()).into()
        }
        other => faults::other(asked, &other.to_string()),
    }
}

fn body(error: &genai::Error) -> &str {
    match error {
        genai::Error::HttpError { body, .. } => body,
        genai::Error::WebModelCall { webc_error, .. }
        | genai::Error::WebAdapterCall { webc_error, .. } => match webc_error {
            genai::webc::Error::ResponseFailedStatus { body, .. } => body,
            _ => "",
        },
        _ => "",
    }
}

/// The innermost cause says what happened ("connection refused"); the outer ones only where.
fn with_sources(error: &(dyn std::error::Error + 'static), outer: &str) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let inner = innermost.to_string();
    if outer.contains(&inner) {
        outer.to_owned()
    } else {
        format!("{outer}: {inner}")
    }
}
