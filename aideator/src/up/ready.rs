//! Waiting until something answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::error::Error;

const STEP: Duration = Duration::from_millis(10);
const ASKING: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the web server says that everything behind it is there.
pub(crate) async fn wait_until_ready(http: SocketAddr) -> Result<(), Error> {
    let url = format!("http://{http}/readyz");
    timeout(LIMIT, http_answers(&url))
        .await
        .map_err(|_| Error::Internal(format!("not ready after {} s ({url})", LIMIT.as_secs())))
}

/// Waits until a GET is answered with success.
pub(super) async fn http_answers(url: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Ok(client) = reqwest::Client::builder()
        .no_proxy()
        .timeout(ASKING)
        .build()
    else {
        return std::future::pending().await;
    };
    loop {
        if let Ok(answer) = client.get(url).send().await
            && answer.status().is_success()
        {
            return;
        }
        sleep(STEP).await;
    }
}
