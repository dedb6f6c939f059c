//! How models are reached: which server a model's name means, and with which key.

use std::collections::HashMap;

use aideator_contract::{Code, Reason};
use genai::adapter::AdapterKind;
use url::{Host, Url};

/// The name that AWS gives the key of Bedrock.
const AWS_BEDROCK_KEY: &str = "AWS_BEARER_TOKEN_BEDROCK";

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
    pub(super) fn target(&self, model: &str) -> Result<Target, Reason> {
        let unknown = |error: genai::Error| Reason::new(Code::UnknownModel, error.to_string());
        // A provider named in front of the model (`anthropic::…`) goes to that provider.
        let named = model.contains("::");
        if let (Some(url), false) = (&self.base_url, named) {
            let key = self.key(&["AIDEATOR_API_KEY", "OPENAI_API_KEY"]);
            return Ok(Target {
                kind: AdapterKind::OpenAI,
                endpoint: Some(url.clone()),
                near: is_on_this_machine(url),
                server: format!("the model server at {}", shown(url)),
                key,
            });
        }
        let kind = AdapterKind::from_model(model).map_err(unknown)?;
        let another = match kind {
            AdapterKind::BedrockApi => Some(AWS_BEDROCK_KEY),
            _ => None,
        };
        let key = match kind.default_key_env_name() {
            None => None,
            Some(variable) => Some(
                self.key(&[variable])
                    .or_else(|| self.key(&[another?]))
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
            near: matches!(kind, AdapterKind::Ollama),
            server,
            key,
        })
    }
}

/// Where a model is asked.
pub(super) struct Target {
    pub(super) kind: AdapterKind,
    /// The base URL, if it is not the provider's own.
    pub(super) endpoint: Option<String>,
    /// Whether no proxy stands in between.
    pub(super) near: bool,
    /// The server's name, for people.
    pub(super) server: String,
    /// The key and the variable it came from.
    pub(super) key: Option<(String, String)>,
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

/// Whether a URL leads to this machine, where no proxy stands in between whatever the environment says.
pub fn is_on_this_machine(url: &str) -> bool {
    let Ok(url) = Url::parse(url.trim()) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// A base URL without what may be secret in it.
fn shown(url: &str) -> String {
    match Url::parse(url) {
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
    fn the_key_of_bedrock_has_two_names() {
        let aws = ("AWS_BEARER_TOKEN_BEDROCK", "aws");
        let key = |variables: &[_]| {
            let target = settings(variables).target("bedrock_api::some.model");
            target.unwrap().key.unwrap().1
        };
        assert_eq!(key(&[aws]), "aws");
        assert_eq!(key(&[aws, ("BEDROCK_API_KEY", "own")]), "own");
    }

    #[test]
    fn only_a_loopback_address_is_on_this_machine() {
        for near in [
            "http://127.0.0.1:9/v1",
            "http://127.8.0.1/v1",
            " http://localhost:11434",
            "http://[::1]:9/v1",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(is_on_this_machine(near), "{near}");
        }
        for far in [
            "http://10.0.0.1:9/v1",
            "https://localhost.example",
            "127.0.0.1:9",
            "",
        ] {
            assert!(!is_on_this_machine(far), "{far}");
        }
    }

    #[test]
    fn a_base_url_is_shown_without_its_secrets() {
        assert_eq!(
            shown("https://user:pass@host:8443/v1/?key=x"),
            "https://host:8443"
        );
    }
}
