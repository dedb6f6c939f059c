//! A model server of the user's own: which model it has.

use std::time::Duration;

use aideator_agent::model::is_on_this_machine;
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
    let mut builder = reqwest::Client::builder().timeout(PATIENCE);
    if is_on_this_machine(&base) {
        builder = builder.no_proxy();
    }
    let Ok(client) = builder.build() else {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_first_model_the_server_names_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1/", listener.local_addr().unwrap());
        let serving = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let count = socket.read(&mut asked).await.unwrap();
            assert!(asked[..count].starts_with(b"GET /v1/models "));
            let body = r#"{"data":[{"id":"small"},{"id":"large"}]}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all((head + body).as_bytes()).await.unwrap();
        };
        let variable = |name: &str| (name == "OPENAI_BASE_URL").then(|| base.clone());
        let mut named = std::pin::pin!(first_model(variable));
        let named = tokio::select! {
            named = &mut named => named,
            () = serving => named.await,
        };
        assert_eq!(named, "small");
    }

    /// The test above again, in a process of its own that is to reach everything by a proxy that
    /// isn't there.
    #[test]
    fn a_server_on_this_machine_is_asked_without_a_proxy() {
        let test = "up::base_url::tests::the_first_model_the_server_names_is_taken";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("http_proxy", "http://127.0.0.1:1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 passed"), "{said}");
    }
}
