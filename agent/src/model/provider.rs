//! Real models, through genai: OpenAI, Anthropic, Gemini and others by the model's name, and any
//! OpenAI-compatible server (llama.cpp, vLLM, Ollama, LiteLLM) by base URL.

use std::collections::HashMap;
use std::time::Duration;

use aideator_contract::{Code, Reason};
use futures::{StreamExt as _, future, stream};
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStream, ChatStreamEvent, StopReason, Usage,
};
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget};

use super::faults::{self, Asked};
use super::{Answer, Fault, Model, ModelEvent, ModelRequest, Tokens};

/// A model that says nothing for this long is gone. Prompts are read slowly on small machines.
const SILENCE: Duration = Duration::from_secs(300);

/// How to reach models: base URL and keys, as found in the environment once.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    base_url: Option<String>,
    variables: HashMap<String, String>,
}

impl Settings {
    /// Takes what concerns models from environment variables: `AIDEATOR_BASE_URL` (else
    /// `OPENAI_BASE_URL`), `AIDEATOR_API_KEY` and the providers' own key variables.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<String, String> = variables
            .into_iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .collect();
        let base_url = ["AIDEATOR_BASE_URL", "OPENAI_BASE_URL"]
            .iter()
            .find_map(|name| variables.get(*name));
        Self {
            base_url: base_url.map(|url| with_slash(url.trim())),
            variables,
        }
    }

    fn key(&self, names: &[&str]) -> Option<(String, String)> {
        names.iter().find_map(|name| {
            self.variables
                .get(*name)
                .map(|key| ((*name).to_owned(), key.clone()))
        })
    }

    /// Where a model of this name is asked, and with which key.
    fn target(&self, model: &str) -> Result<Target, Reason> {
        let unknown = |error: genai::Error| Reason::new(Code::UnknownModel, error.to_string());
        // A provider named in front of the model (`anthropic::…`) goes to that provider.
        let named = model.contains("::");
        if let (Some(url), false) = (&self.base_url, named) {
            let key = self.key(&["AIDEATOR_API_KEY", "OPENAI_API_KEY"]);
            return Ok(Target {
                kind: AdapterKind::OpenAI,
                endpoint: Some(url.clone()),
                server: format!("the model server at {}", shown(url)),
                key,
            });
        }
        let kind = AdapterKind::from_model(model).map_err(unknown)?;
        let key = match kind.default_key_env_name() {
            None => None,
            Some(variable) => Some(
                self.key(&[variable])
                    .ok_or_else(|| no_key(model, kind, variable))?,
            ),
        };
        let server = match kind {
            AdapterKind::Ollama => {
                "Ollama at localhost:11434 (where a model without a known provider is asked; set OPENAI_BASE_URL for another server)".to_owned()
            }
            kind => kind.to_string(),
        };
        Ok(Target {
            kind,
            endpoint: None,
            server,
            key,
        })
    }
}

struct Target {
    kind: AdapterKind,
    endpoint: Option<String>,
    server: String,
    key: Option<(String, String)>,
}

fn no_key(model: &str, kind: AdapterKind, variable: &str) -> Reason {
    Reason::new(
        Code::NoModelKey,
        format!(
            "the model {model:?} is asked at {kind}, which needs a key: set {variable}, or OPENAI_BASE_URL for a server of your own"
        ),
    )
}

/// genai joins paths to the base URL, so it has to end with a slash.
fn with_slash(url: &str) -> String {
    if url.ends_with('/') {
        url.to_owned()
    } else {
        format!("{url}/")
    }
}

/// A base URL without what may be secret in it.
fn shown(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) => {
            let port = parsed
                .port()
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            format!(
                "{}://{}{port}",
                parsed.scheme(),
                parsed.host_str().unwrap_or_default()
            )
        }
        Err(_) => "an address that is not a URL".to_owned(),
    }
}

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
            .with_service_target_resolver(resolver)
            .build()
            .map_err(|error| Reason::new(Code::Internal, error.to_string()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_environment(
            variables
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn a_base_url_takes_every_model_without_a_named_provider() {
        let settings = settings(&[("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")]);
        let target = settings.target("claude-sonnet-5").unwrap();
        assert_eq!(target.endpoint.as_deref(), Some("http://127.0.0.1:9/v1/"));
        assert_eq!(target.kind, AdapterKind::OpenAI);
        assert_eq!(
            settings
                .target("anthropic::claude-sonnet-5")
                .err()
                .unwrap()
                .code,
            Code::NoModelKey
        );
    }

    #[test]
    fn a_missing_key_names_the_variable_to_set() {
        let reason = settings(&[]).target("gpt-4o").err().unwrap();
        assert_eq!(reason.code, Code::NoModelKey);
        assert!(
            reason.message.contains("OPENAI_API_KEY"),
            "{}",
            reason.message
        );
    }

    #[test]
    fn a_base_url_is_shown_without_its_secrets() {
        assert_eq!(
            shown("https://user:pass@host:8443/v1/?key=x"),
            "https://host:8443"
        );
    }
}
