//! The web interface: static files that were built before and are part of this program.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// The page of a run: it reads from its address which one.
const RUN_PAGE: &str = "stream.html";
/// Files below it are named by their content.
const HASHED: &str = "_next/static/";
const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>AIdeator</title>\
<h1>AIdeator runs</h1><p>The web interface is not part of this program: it was not built before it. \
Run <code>make web</code> and start again. The API is at <a href=/api/openapi.json>/api/openapi.json</a>.</p>";

#[derive(RustEmbed)]
#[folder = "../frontend/out"]
#[allow_missing = true]
struct Built;

/// Answers what no route of the API does.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::Method.into_response();
    }
    let Some((path, file)) = candidates(uri.path())
        .into_iter()
        .find_map(|path| Built::get(&path).map(|file| (path, file)))
    else {
        return missing(uri.path());
    };
    answer(&path, file, headers.get(header::IF_NONE_MATCH))
}

/// The files that may be meant by an address, the best first.
fn candidates(address: &str) -> Vec<String> {
    let path = address.trim_matches('/');
    if path.is_empty() {
        return vec!["index.html".into()];
    }
    if path == "runs" || path.starts_with("runs/") {
        return vec![format!("{path}.html"), RUN_PAGE.into()];
    }
    vec![
        path.into(),
        format!("{path}.html"),
        format!("{path}/index.html"),
    ]
}

fn missing(address: &str) -> Response {
    let is_page = !address.rsplit('/').next().unwrap_or("").contains('.');
    let page = match Built::get("404.html") {
        Some(page) if is_page => page.data.into_owned(),
        _ if is_page && Built::iter().next().is_none() => {
            let policy = [(
                header::CONTENT_SECURITY_POLICY,
                policy(NOT_BUILT.as_bytes()),
            )];
            return (policy, axum::response::Html(NOT_BUILT)).into_response();
        }
        _ => return Problem::NotFound.into_response(),
    };
    let policy = [(header::CONTENT_SECURITY_POLICY, policy(&page))];
    (StatusCode::NOT_FOUND, policy, axum::response::Html(page)).into_response()
}

fn answer(path: &str, file: EmbeddedFile, known: Option<&HeaderValue>) -> Response {
    let etag = format!(
        "\"{}\"",
        aideator_contract::canonical::hex(&file.metadata.sha256_hash()[..16])
    );
    let cache = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let caching = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, cache.to_owned()),
    ];
    if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let mut response = (caching, [(header::CONTENT_TYPE, media_type(path))]).into_response();
    if path.ends_with(".html")
        && let Ok(policy) = HeaderValue::from_str(&known_policy(path, &file.data))
    {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    *response.body_mut() = match file.data {
        std::borrow::Cow::Borrowed(data) => bytes::Bytes::from_static(data).into(),
        std::borrow::Cow::Owned(data) => data.into(),
    };
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Pages are part of the program, so each policy is made once.
fn known_policy(path: &str, page: &[u8]) -> String {
    static POLICIES: OnceLock<HashMap<String, String>> = OnceLock::new();
    let policies = POLICIES.get_or_init(|| {
        let pages = Built::iter().filter(|path| path.ends_with(".html"));
        let page = |path: &str| Built::get(path).map(|file| policy(&file.data));
        pages
            .filter_map(|path| Some((path.to_string(), page(&path)?)))
            .collect()
    });
    policies.get(path).cloned().unwrap_or_else(|| policy(page))
}

/// What a page may load: its own files, and of scripts inside it those it was built with.
fn policy(page: &[u8]) -> String {
    let mut scripts = String::from("'self'");
    for script in inline_scripts(&String::from_utf8_lossy(page)) {
        let hash = STANDARD.encode(Sha256::digest(script));
        scripts += &format!(" 'sha256-{hash}'");
    }
    format!(
        "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

fn inline_scripts(page: &str) -> Vec<&str> {
    let tags = page.split("<script").skip(1);
    tags.filter_map(|tag| {
        let (attributes, rest) = tag.split_once('>')?;
        let (script, _) = rest.split_once("</script")?;
        let inline = !attributes.contains(" src=") && !script.is_empty();
        inline.then_some(script)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_the_same_page() {
        assert!(candidates("/runs/r-1").contains(&RUN_PAGE.to_owned()));
        assert_eq!(candidates("/"), ["index.html"]);
        assert_eq!(candidates("/stream")[1], "stream.html");
    }

    #[test]
    fn only_the_scripts_a_page_was_built_with_may_run_inside_it() {
        let page = r#"<script src="/a.js" async></script><script>alert(1)</script><script id="x">b()</script>"#;
        assert_eq!(inline_scripts(page), ["alert(1)", "b()"]);
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        let hash = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='";
        assert!(policy(page.as_bytes()).contains(hash));
        assert!(!policy(page.as_bytes()).contains("'unsafe-eval'"));
    }
}
