//! What is taken as a request for a stream is what the HTTP library would have taken, and everything
//! else reaches it as it was sent.

use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Path, Request, State};
use axum::routing;
use http::request::Parts;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::super::head::{Asked, Heard, hear};
use super::*;
use crate::api::STREAM;
use crate::corpus::{corpus, spoil};

static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| corpus("request-head"));

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The requests that came, each with its run if it was for a stream, and whether it has no body.
type Came = Arc<Mutex<Vec<(Option<String>, Parts, bool)>>>;

/// What the HTTP library makes of what is sent on a connection.
async fn came(sent: &[u8], is_whole: bool) -> Vec<(Option<String>, Parts, bool)> {
    async fn take(State(came): State<Came>, run: Option<Path<String>>, request: Request) {
        let (head, body) = request.into_parts();
        let run = run.map(|Path(run)| run);
        came.lock().unwrap().push((run, head, body.is_end_stream()));
    }
    let came = Came::default();
    let router = Router::new()
        .route(STREAM, routing::any(take))
        .fallback(take);
    let service = TowerToHyperService::new(router.with_state(Arc::clone(&came)));
    let (mut client, server) = duplex(64 * 1024);
    let asking = async {
        client.write_all(sent).await.unwrap();
        if is_whole {
            // Who hangs up before the answer is not served.
            client.read_u8().await.unwrap();
        }
        client.shutdown().await.unwrap();
        client.read_to_end(&mut Vec::new()).await
    };
    let builder = library();
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(server), service);
    let _answered = tokio::join!(serving, asking);
    std::mem::take(&mut *came.lock().unwrap())
}

/// What becomes of what is sent in these pieces: a request for a stream, or all that the library reads.
enum Became {
    Stream(Box<Asked>),
    Passed(Vec<u8>),
    Nothing,
}

async fn became(pieces: Vec<Vec<u8>>) -> Became {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sending = async move {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        for piece in pieces {
            // Whoever has heard enough hangs up.
            if client.write_all(&piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
    };
    let hearing = async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        match hear(&socket, &mut read).await.unwrap() {
            Heard::Stream(asked) => Became::Stream(asked),
            Heard::More => Became::Nothing,
            Heard::Other => {
                let read = read.into();
                let (mut all, mut resumed) = (Vec::new(), Resumed { read, socket });
                resumed.read_to_end(&mut all).await.unwrap();
                Became::Passed(all)
            }
        }
    };
    tokio::join!(sending, hearing).1
}

/// Checks what becomes of a connection on which this is sent, cut at these places.
async fn check(sent: &[u8], cuts: &[prop::sample::Index]) -> Result<(), TestCaseError> {
    let mut cuts: Vec<_> = cuts.iter().map(|at| at.index(sent.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut pieces, mut begin) = (Vec::new(), 0);
    for cut in cuts.into_iter().chain([sent.len()]) {
        pieces.push(sent[begin..cut].to_vec());
        begin = cut;
    }
    match became(pieces).await {
        Became::Passed(all) => prop_assert!(all == sent, "{} bytes of {}", all.len(), sent.len()),
        // It ended before it was known what it is: the library would not have answered either.
        Became::Nothing => prop_assert!(came(sent, false).await.is_empty()),
        Became::Stream(asked) => {
            let came = came(sent, true).await;
            let Some((run, head, is_bare)) = came.first() else {
                return Err(TestCaseError::fail("the library takes nothing"));
            };
            prop_assert_eq!(run, &asked.run);
            let told = |head: &Parts| {
                (
                    head.method.clone(),
                    head.uri.clone(),
                    head.version,
                    head.headers.clone(),
                )
            };
            prop_assert_eq!(told(head), told(&asked.head));
            prop_assert!(is_bare);
        }
    }
    Ok(())
}

#[test]
fn what_is_known_is_taken_as_the_library_takes_it_or_passed_on() {
    RUNTIME.block_on(async {
        for (name, head) in &*CORPUS {
            let checked = check(head, &[]).await;
            assert!(checked.is_ok(), "{name}: {checked:?}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_spoilt_is_taken_as_the_library_takes_it_or_passed_on(
        head in prop::sample::select(&**CORPUS),
        spoilt in prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let (_, mut head) = head;
        for (at, byte, how) in spoilt {
            spoil(&mut head, at, byte, how);
        }
        RUNTIME.block_on(check(&head, &cuts))?;
    }

    #[test]
    fn two_heads_in_one_are_taken_as_the_library_takes_them_or_passed_on(
        one in prop::sample::select(&**CORPUS), other in prop::sample::select(&**CORPUS),
        end: prop::sample::Index, begin: prop::sample::Index,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut head = one.1[..end.index(one.1.len() + 1)].to_vec();
        head.extend_from_slice(&other.1[begin.index(other.1.len() + 1)..]);
        RUNTIME.block_on(check(&head, &cuts))?;
    }

    #[test]
    fn any_run_and_query_are_taken_as_the_library_takes_them_or_passed_on(
        run in "[ -~]{1,20}", query in "[ -~]{0,20}", name in "[ -~]{1,12}", value in "[ -~\t\u{80}-\u{ff}]{0,12}",
    ) {
        let head = format!("GET /api/v1/runs/{run}/stream?{query} HTTP/1.1\r\n{name}: {value}\r\n\r\n");
        RUNTIME.block_on(check(head.as_bytes(), &[]))?;
    }
}

#[test]
fn a_connection_gives_small_readers_all_of_it_in_order() {
    RUNTIME.block_on(async {
        let sent: Vec<u8> = (0..5000u32).map(|n| n.to_le_bytes()[0]).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        client.write_all(&sent[3000..]).await.unwrap();
        client.shutdown().await.unwrap();
        let read = Bytes::copy_from_slice(&sent[..3000]);
        let mut resumed = Resumed { read, socket };
        let (mut all, mut some) = (Vec::new(), [0; 7]);
        loop {
            match resumed.read(&mut some).await.unwrap() {
                0 => break,
                count => all.extend_from_slice(&some[..count]),
            }
        }
        assert!(all == sent);
    });
}
