//! Repositories over smart HTTP: one question to an address that was judged and is kept to.

use aideator_contract::{Code, Reason, limits};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::advertisement::Advertisement;
use super::{addresses, is_commit, no_ref};

/// Bytes of refs that are read at most: some repositories have hundreds of thousands.
const MOST: usize = 64 * 1024 * 1024;
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
/// Servers answer in the dialect of git to who says to be git.
const AGENT: &str = concat!("git/aideator-", env!("CARGO_PKG_VERSION"));

pub(super) async fn commit(
    url: &Url,
    trusted: bool,
    reference: Option<&str>,
) -> Result<String, Reason> {
    let client = client(url, trusted).await?;
    let answer = client
        .get(question(url))
        .header(ACCEPT, "*/*")
        .send()
        .await
        .map_err(|error| unreachable(url, &error))?;
    answered(url, &answer)?;
    let found = read(url, answer, reference).await?;
    match (found, reference) {
        // A full name needs no ref that ends there; whether it is in the repository shows at the clone.
        (_, Some(full)) if is_commit(full) => Ok(full.to_ascii_lowercase()),
        (Some(commit), _) => Ok(commit),
        (None, _) => Err(missing(url, reference)),
    }
}

/// A client that can reach nothing but the judged addresses of this host.
async fn client(url: &Url, trusted: bool) -> Result<Client, Reason> {
    let addresses = addresses(url, trusted).await?;
    let host = url.host_str().unwrap_or_default();
    Client::builder()
        .user_agent(AGENT)
        .redirect(Policy::none())
        // A proxy would look the name up again.
        .no_proxy()
        .resolve_to_addrs(host, &addresses)
        .timeout(limits::RESOLVE_TIME)
        .build()
        .map_err(|error| unreachable(url, &error))
}

fn question(url: &Url) -> Url {
    let mut question = url.clone();
    let path = format!("{}/info/refs", url.path().trim_end_matches('/'));
    question.set_path(&path);
    question.set_query(Some("service=git-upload-pack"));
    question
}

fn answered(url: &Url, answer: &Response) -> Result<(), Reason> {
    let status = answer.status();
    if status.is_redirection() {
        let place = answer.headers().get(LOCATION);
        let place = place
            .and_then(|l| l.to_str().ok())
            .and_then(|l| url.join(l).ok());
        return Err(moved(url, place));
    }
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            return Err(not_found(
                url,
                &format!(
                    "there is none, or it needs a login (HTTP {})",
                    status.as_u16()
                ),
            ));
        }
        other => {
            return Err(Reason::new(
                Code::RepositoryUnreachable,
                format!("{url} answers with HTTP {}", other.as_u16()),
            ));
        }
    }
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) == Some(ADVERTISEMENT) {
        Ok(())
    } else {
        Err(not_found(
            url,
            "what is there does not speak git's smart HTTP",
        ))
    }
}

async fn read(
    url: &Url,
    mut answer: Response,
    reference: Option<&str>,
) -> Result<Option<String>, Reason> {
    let mut advertisement = Advertisement::of(reference);
    let bad = |error| not_found(url, &format!("{error}"));
    let mut bytes = 0;
    while let Some(piece) = answer.chunk().await.map_err(|e| unreachable(url, &e))? {
        bytes += piece.len();
        if bytes > MOST {
            return Err(Reason::new(
                Code::RepositoryTooLarge,
                format!("{url} has more than {} MiB of refs", MOST >> 20),
            ));
        }
        advertisement.read(&piece).map_err(bad)?;
    }
    advertisement.end().map_err(bad)
}

fn missing(url: &Url, reference: Option<&str>) -> Reason {
    let mut reason = no_ref(url.as_str(), reference);
    let short =
        |name: &str| (4..40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
    if reference.is_some_and(short) {
        reason
            .message
            .push_str(" (a commit is given with all its digits)");
    }
    reason
}

fn not_found(url: &Url, why: &str) -> Reason {
    Reason::new(
        Code::RepositoryNotFound,
        format!("{url} is no repository that can be read: {why}"),
    )
}

fn moved(url: &Url, place: Option<Url>) -> Reason {
    let to = place.map_or_else(String::new, |mut place| {
        let path = place.path().trim_end_matches("/info/refs").to_owned();
        place.set_path(&path);
        place.set_query(None);
        format!(" to {place}; if you trust that address, give it instead")
    });
    not_found(url, &format!("it redirects{to}"))
}

fn unreachable(url: &Url, error: &reqwest::Error) -> Reason {
    let mut why = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!(": {cause}");
        source = cause.source();
    }
    let what = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "can't be reached"
    } else {
        "can't be asked"
    };
    Reason::new(Code::RepositoryUnreachable, format!("{url} {what}{why}"))
}
