//! A model server of the user's own: which model it has.

use std::time::Duration;

use serde::Deserialize;

/// It is on this machine or near it.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// The first model the server at the base URL names; empty if it names none.
pub(super) async fn first_model(variable: impl Fn(&str) -> Option<String>) -> String {
    let first = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
    };
    let Some(base) = first(["AIDEATOR_BASE_URL", "OPENAI_BASE_URL"]) else {
        return String::new();
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Ok(client) = reqwest::Client::builder().timeout(PATIENCE).build() else {
        return String::new();
    };
    let mut request = client.get(format!("{}/models", base.trim().trim_end_matches('/')));
    if let Some(key) = first(["AIDEATOR_API_KEY", "OPENAI_API_KEY"]) {
        request = request.bearer_auth(key.trim());
    }
    let named = async { request.send().await?.json::<Models>().await };
    match named.await {
        Ok(models) => models
            .data
            .into_iter()
            .next()
            .map(|model| model.id)
            .unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "the server at the base URL does not say which models it has; name one with --model");
            String::new()
        }
    }
}
