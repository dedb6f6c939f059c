//! A viewer that can't keep up, below the network: it takes exactly what the test takes.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::User;
use aideator_edge::hub::window::Bounds;
use aideator_edge::hub::{Hubs, Member};
use aideator_edge::pulse::Pulse;
use aideator_edge::resume::Wanted;
use aideator_edge::viewer::Viewer;
use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _};

use crate::meters::Meters;
use crate::world::{Run, World, connect, soon};

/// So often in a row a viewer may fall out of the window.
const FALLS: usize = 8;

/// A viewer of a hub that keeps two frames.
struct Slow {
    hubs: Hubs,
    /// What the hub shows.
    hub: Member,
    run: Run,
    chunks: Pin<Box<dyn Stream<Item = Bytes>>>,
    said: usize,
    /// What it took.
    text: String,
}

impl Slow {
    async fn begin(world: &World) -> Self {
        let run = world.run("s", 1).await;
        let live = connect(&world.server, User::Edge).await;
        let bulk = connect(&world.server, User::Edge).await;
        let bounds = Bounds {
            bytes: 1 << 20,
            frames: 2,
        };
        let hubs = Hubs::new(live, bulk, bounds);
        let hub = hubs.join(&run.id, None);
        let chunks = watch(&hubs, &run, None);
        let mut slow = Self {
            hubs,
            hub,
            run,
            chunks,
            said: 0,
            text: String::new(),
        };
        slow.take_until("caught-up").await;
        slow
    }

    /// So many words are said, and shown by the hub.
    async fn say(&mut self, words: usize) {
        let end = self.hub.window().end() + words as u64;
        for _ in 0..words {
            let word = format!("<{}>", self.said);
            self.run.say(0, &word).await;
            self.said += 1;
        }
        let mut changes = self.hub.changes();
        while self.hub.window().end() < end {
            soon(changes.changed()).await.unwrap();
        }
    }

    async fn take_until(&mut self, word: &str) {
        while !self.text.contains(word) {
            let chunk = soon(self.chunks.next()).await.expect("the stream ended");
            self.text += str::from_utf8(&chunk).unwrap();
        }
    }

    /// More is said than the window keeps, before the viewer takes what is due to it; it reads that by
    /// itself, and then takes one frame that is shared. There always is something due to it.
    async fn fall(&mut self) {
        self.say(3).await;
        self.take_until(&format!("<{}>", self.said - 1)).await;
        self.say(1).await;
        self.take_until(&format!("<{}>", self.said - 1)).await;
    }

    /// It has all and waits.
    fn rest(&mut self) {
        assert_eq!(self.chunks.next().now_or_never(), None);
    }
}

fn watch(hubs: &Hubs, run: &Run, id: Option<&str>) -> Pin<Box<dyn Stream<Item = Bytes>>> {
    let wanted = Wanted {
        position: id.map(|id| id.parse().unwrap()),
        snapshot: false,
    };
    let member = hubs.join(&run.id, wanted.position);
    let pulse = Arc::new(Pulse::new(Duration::from_secs(1)));
    let viewer = Viewer::new(member, wanted, pulse, Duration::from_secs(30), None);
    Box::pin(viewer.body().map(|chunk| chunk.unwrap()))
}

/// The words in what a viewer took, in order.
fn words(text: &str) -> Vec<usize> {
    let deltas = text.split("\"<").skip(1);
    let words = deltas.map(|rest| rest.split('>').next().unwrap().parse().unwrap());
    words.collect()
}

#[tokio::test]
async fn a_viewer_that_falls_behind_again_and_again_is_told_closed_and_can_come_back() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut slow = Slow::begin(&world).await;
    for fall in 1..=FALLS {
        slow.fall().await;
        assert_eq!(meters.of("slow_viewers_total"), fall as f64);
    }
    assert_eq!(words(&slow.text), (0..slow.said).collect::<Vec<_>>());
    assert_eq!(meters.of("slow_viewers_closed_total"), 0.0);
    slow.say(3).await;
    let last = soon(slow.chunks.next()).await.unwrap();
    let last = str::from_utf8(&last).unwrap();
    assert!(last.starts_with("event: slow\nid: "), "{last}");
    assert_eq!(soon(slow.chunks.next()).await, None);
    assert_eq!(meters.of("slow_viewers_closed_total"), 1.0);

    // Its id is where it was.
    let id = last.lines().find_map(|line| line.strip_prefix("id: "));
    slow.chunks = watch(&slow.hubs, &slow.run, id);
    slow.take_until(&format!("<{}>", slow.said - 1)).await;
    assert_eq!(words(&slow.text), (0..slow.said).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_viewer_that_has_come_up_in_between_is_forgiven() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut slow = Slow::begin(&world).await;
    for _ in 0..2 {
        for _ in 0..FALLS {
            slow.fall().await;
        }
        slow.rest();
    }
    assert_eq!(words(&slow.text), (0..slow.said).collect::<Vec<_>>());
    assert_eq!(meters.of("slow_viewers_total"), 2.0 * FALLS as f64);
    assert_eq!(meters.of("slow_viewers_closed_total"), 0.0);
}

#[tokio::test]
async fn a_viewer_that_reads_alone_while_the_window_moves_on_falls_once() {
    let meters = Meters::begin();
    let world = World::begin().await;
    let mut slow = Slow::begin(&world).await;
    for _ in 0..2 * FALLS {
        slow.say(3).await;
        slow.take_until(&format!("<{}>", slow.said - 1)).await;
    }
    slow.rest();
    assert_eq!(words(&slow.text), (0..slow.said).collect::<Vec<_>>());
    assert_eq!(meters.of("slow_viewers_total"), 1.0);
}
