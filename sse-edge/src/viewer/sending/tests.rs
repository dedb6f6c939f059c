use std::sync::Arc;

use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Bus, Connect, Declared};
use aideator_contract::{RunId, Subject, Variation};
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

use super::*;
use crate::hub::window::Bounds;
use crate::hub::{Hubs, Member};
use crate::position::Position;
use crate::pulse::Pulse;
use crate::resume::Wanted;
use crate::viewer::CHUNK;

/// The size of what a function like this returns.
fn size_of_value<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_viewer_is_small() {
    let size = size_of_value(Viewer::send);
    assert!(size <= 640, "{size} bytes");
}

/// Bytes of a word, and of the frame around it at most.
const WORD: usize = 4096;
const FRAME: usize = WORD + 256;
const WORDS: usize = 256;

/// A run whose words are far more than sockets take.
struct Stage {
    _server: TestServer,
    hubs: Hubs,
    hub: Member,
}

impl Stage {
    async fn begin(bounds: Bounds) -> Self {
        let server = TestServer::start().await;
        let connect = || Bus::connect(Connect::new(server.url(), "test"));
        let (live, bulk) = (connect().await.unwrap(), connect().await.unwrap());
        live.ensure(&Declared::default()).await.unwrap();
        let run: RunId = "r".parse().unwrap();
        let put = async |subject: &Subject, body: Value| {
            let body = body.to_string().into();
            live.append(subject, body, Append::default()).await.unwrap();
        };
        let running =
            json!({ "status": "open", "variations": [{ "state": "running", "attempt": 1 }] });
        let accepted = json!({ "change": { "type": "accepted" }, "summary": running });
        put(&Subject::state(&run), accepted).await;
        let out = Subject::out(&run, Variation::at(0).unwrap());
        for n in 0..WORDS {
            put(
                &out,
                json!({ "attempt": 1, "n": n, "delta": "x".repeat(WORD) }),
            )
            .await;
        }
        let hubs = Hubs::new(live, bulk, bounds);
        let hub = hubs.join(&run, None);
        let mut changes = hub.changes();
        let caught_up = changes.wait_for(|()| hub.window().caught_up);
        timeout(Duration::from_secs(20), caught_up)
            .await
            .unwrap()
            .unwrap();
        Self {
            _server: server,
            hubs,
            hub,
        }
    }

    fn viewer(&self) -> Viewer {
        let member = self.hubs.join(self.hub.source().run(), None);
        let pulse = Arc::new(Pulse::new(Duration::from_secs(1)));
        Viewer::new(
            member,
            Wanted::default(),
            pulse,
            Duration::from_secs(30),
            None,
        )
    }
}

/// Both ends of a connection that takes little.
async fn narrow() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let client = client
        .connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    socket2::SockRef::from(&server)
        .set_send_buffer_size(4096)
        .unwrap();
    (client, server)
}

/// What is taken when it is read on, until the viewer has all.
async fn rest(
    mut viewer: Viewer,
    server: TcpStream,
    mut chunk: Bytes,
    mut client: TcpStream,
) -> Vec<u8> {
    let sending = async move {
        while viewer.sent(&server, &mut chunk).await {
            chunk = viewer.next().await.unwrap();
            if chunk.starts_with(b"event: caught-up") {
                break;
            }
        }
    };
    let mut taken = Vec::new();
    let (_, read) = tokio::join!(sending, client.read_to_end(&mut taken));
    read.unwrap();
    taken
}

fn is_whole(taken: &[u8]) -> bool {
    let text = str::from_utf8(taken).unwrap();
    let numbers = text.split("\"n\":").skip(1);
    let number = |rest: &str| rest.split([',', '}']).next().and_then(|n| n.parse().ok());
    let numbers = numbers.map(|rest| number(rest).unwrap_or(usize::MAX));
    numbers.eq(0..WORDS)
}

#[tokio::test]
async fn a_viewer_that_stalls_among_the_shared_frames_holds_the_rest_of_one() {
    let stage = Stage::begin(Bounds::default()).await;
    let mut viewer = stage.viewer();
    let (client, server) = narrow().await;
    let mut chunk = viewer.next().await.unwrap();
    assert!(chunk.len() > CHUNK - FRAME, "{}", chunk.len());
    while viewer.sent(&server, &mut chunk).now_or_never().is_some() {
        chunk = viewer.next().await.unwrap();
    }
    assert!(matches!(viewer.phase, Phase::Sharing(_)));
    assert!(chunk.len() <= FRAME, "{}", chunk.len());
    let taken = rest(viewer, server, chunk, client).await;
    assert!(is_whole(&taken));
}

#[tokio::test]
async fn what_is_no_shared_frame_is_not_cut_as_one() {
    let stage = Stage::begin(Bounds::default()).await;
    let mut viewer = stage.viewer();
    let (_client, server) = narrow().await;
    let mut chunk = viewer.next().await.unwrap();
    while !chunk.starts_with(b"event: caught-up") {
        chunk = viewer.next().await.unwrap();
    }
    server.writable().await.unwrap();
    while server.try_write(&[b'\n'; 4096]).is_ok() {}
    let word = chunk.clone();
    assert_eq!(viewer.sent(&server, &mut chunk).now_or_never(), None);
    assert_eq!(chunk, word);
}

#[tokio::test]
async fn a_viewer_that_stalls_while_it_reads_alone_lets_go_of_what_it_read() {
    let bounds = Bounds {
        frames: 2,
        ..Bounds::default()
    };
    let stage = Stage::begin(bounds).await;
    let mut viewer = stage.viewer();
    let (client, server) = narrow().await;
    let mut chunk = viewer.next().await.unwrap();
    let Phase::Catching(catching) = &viewer.phase else {
        panic!("it reads alone");
    };
    // A page, without what is on its way.
    let held = catching.held();
    assert!(held > 0 && held <= 256 * 1024 + FRAME, "{held}");
    assert!(chunk.len() <= CHUNK + FRAME, "{}", chunk.len());
    let stalled = timeout(LET_GO * 2, viewer.sent(&server, &mut chunk)).await;
    assert!(stalled.is_err());
    assert!(matches!(viewer.phase, Phase::Joining));
    assert!(chunk.len() <= CHUNK + FRAME, "{}", chunk.len());
    assert_ne!(viewer.position, Position::origin(viewer.position.epoch));
    let taken = rest(viewer, server, chunk, client).await;
    assert!(is_whole(&taken));
}
