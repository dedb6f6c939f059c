//! The task that drives a hub: it does what the core asks and shows what the core says.

mod filling;

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::{Error, Live, LiveMessage};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::core::{Core, Counts, Input, Output};
use super::frame::Frame;
use super::message::Message;
use super::pace::Pace;
use super::registry::{Hub, Hubs, lock};
use super::source::Stream;
use crate::position::Position;
use crate::resume::{Start, start_at};

/// How long a hub stays after its last viewer has left.
const LINGER: Duration = Duration::from_secs(30);
/// Live messages taken in before viewers are woken.
const AT_ONCE: usize = 256;
const OPEN_PAUSE: Duration = Duration::from_millis(250);
/// A new leader may not know the end of its stream for a moment: only when it has not known it for this
/// long, the end is lost.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(10);
const FAR: Duration = Duration::from_secs(3600);

/// Why a hub ends.
enum Ending {
    /// Nobody watches, or the edge stops.
    Left,
    /// What was shown is not what the stream holds any more; viewers are to begin anew.
    Broken(&'static str),
}

enum Done {
    Read(Input),
    /// What the leader says, and the largest sequence known when it was asked.
    Stream(Result<Stream, Error>, u64),
}

/// Runs a hub until nobody has watched it for a while.
pub(super) async fn drive(hub: Arc<Hub>, wanted: Option<Position>, hubs: Hubs) {
    let run = hub.source.run().clone();
    tracing::debug!(run_id = %run, "hub opened");
    let stop = hubs.stopped().clone();
    let ending = tokio::select! {
        ending = follow(&hub, wanted, &hubs) => ending,
        () = stop.cancelled() => Ending::Left,
    };
    if let Ending::Broken(why) = ending {
        tracing::warn!(run_id = %run, why, "viewers are sent to begin anew");
    }
    hubs.forget(&hub, true);
    lock(&hub.window).closed = true;
    hub.changed.send_replace(());
    tracing::debug!(run_id = %run, "hub closed");
}

async fn follow(hub: &Arc<Hub>, wanted: Option<Position>, hubs: &Hubs) -> Ending {
    let mut reconnects = hub.source.bus().reconnects();
    let mut slow = hub.source.bus().slow_consumers();
    let (live, stream) = loop {
        reconnects.mark_unchanged();
        slow.mark_unchanged();
        match open(hub).await {
            Ok(opened) => break opened,
            Err(error) => {
                tracing::debug!(run_id = %hub.source.run(), %error, "a hub can't open yet");
                if *hub.viewers.borrow() == 0 && hubs.forget(hub, false) {
                    return Ending::Left;
                }
                sleep(OPEN_PAUSE).await;
            }
        }
    };
    let start = match start_at(wanted, stream) {
        Start::At(position) => position,
        Start::Ahead(_) | Start::Lost(_) => Position::origin(stream.epoch),
    };
    let mut driver = Driver {
        hub: Arc::clone(hub),
        opening: Some((stream, start)),
        core: Core::follow(start, 0),
        began: Instant::now(),
        reads: FuturesUnordered::new(),
        frames: Vec::new(),
        joined: 0,
        doubted: 0,
        asks: 0,
        counts: Counts::default(),
        pace: Pace::default(),
    };
    driver.step(Input::Tick);
    driver.publish(hubs);
    driver.run(live, stream, reconnects, slow, hubs).await
}

/// Listens first, so that what is read afterwards leaves no hole.
async fn open(hub: &Hub) -> Result<(Live, Stream), Error> {
    let live = hub.source.listen().await?;
    Ok((live, hub.source.stream().await?))
}

struct Driver {
    hub: Arc<Hub>,
    /// Where the hub begins, until it is known that it can.
    opening: Option<(Stream, Position)>,
    core: Core,
    began: Instant,
    reads: FuturesUnordered<BoxFuture<'static, Done>>,
    frames: Vec<Frame>,
    joined: u64,
    doubted: u64,
    /// Questions on their way whether this still is the stream: nothing is shown meanwhile.
    asks: usize,
    counts: Counts,
    pace: Pace,
}

impl Driver {
    async fn run(
        mut self,
        mut live: Live,
        stream: Stream,
        mut reconnects: watch::Receiver<u64>,
        mut slow: watch::Receiver<u64>,
        hubs: &Hubs,
    ) -> Ending {
        let mut viewers = self.hub.viewers.subscribe();
        let mut idle_since = None;
        let mut short_since: Option<Instant> = None;
        loop {
            if *viewers.borrow_and_update() == 0 {
                idle_since.get_or_insert_with(Instant::now);
            } else {
                idle_since = None;
            }
            let leave = idle_since.map_or_else(|| Instant::now() + FAR, |since| since + LINGER);
            let due = self
                .core
                .due()
                .map(|due| self.began + Duration::from_millis(due));
            let wake = self.pace.due().map(|due| self.began + due);
            tokio::select! {
                message = live.next() => match message {
                    Some(message) => self.hear(message, &mut live),
                    None => return Ending::Broken("the connection is closed"),
                },
                Some(done) = self.done(), if !self.reads.is_empty() => match done {
                    Done::Read(input) => self.step(input),
                    Done::Stream(Ok(now), _) if now.epoch != stream.epoch => {
                        return Ending::Broken("the stream is another one");
                    }
                    Done::Stream(Ok(now), known) if now.last < known => {
                        if short_since.get_or_insert_with(Instant::now).elapsed() >= LOST_AFTER {
                            return Ending::Broken("the stream has lost its end");
                        }
                        self.ask_stream(OPEN_PAUSE);
                    }
                    Done::Stream(Ok(_), _) => short_since = None,
                    Done::Stream(Err(_), _) => self.ask_stream(OPEN_PAUSE),
                },
                () = sleep_until(due.unwrap_or(leave)), if due.is_some() => self.step(Input::Tick),
                () = sleep_until(wake.unwrap_or(leave)), if wake.is_some() => {}
                Ok(()) = reconnects.changed() => {
                    self.step(Input::Missed);
                    self.ask_stream(Duration::ZERO);
                }
                Ok(()) = slow.changed() => self.step(Input::Missed),
                Ok(()) = viewers.changed() => {}
                () = sleep_until(leave), if idle_since.is_some() => {
                    if hubs.forget(&self.hub, false) {
                        return Ending::Left;
                    }
                }
            }
            self.publish(hubs);
        }
    }

    /// The next answer.
    async fn done(&mut self) -> Option<Done> {
        let done = self.reads.next().await?;
        self.asks -= usize::from(matches!(done, Done::Stream(..)));
        Some(done)
    }

    /// Takes in what was heard, and what else has come meanwhile.
    fn hear(&mut self, message: LiveMessage, live: &mut Live) {
        let mut next = Some(message);
        let mut taken = 0;
        while let Some(LiveMessage { stored, previous }) = next.take() {
            if let Some(message) = Message::read(stored) {
                let consumed = self.core.consumed().get(message.track);
                if message.sequence <= consumed && self.core.is_caught_up() && self.asks == 0 {
                    // The sequences of a stream only grow.
                    self.ask_stream(Duration::ZERO);
                }
                self.step(Input::Live { message, previous });
            }
            taken += 1;
            if taken < AT_ONCE {
                next = live.next().now_or_never().flatten();
            }
        }
    }

    fn step(&mut self, input: Input) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Output { frames, reads } = self.core.step(input, now);
        self.frames.extend(frames);
        for read in reads {
            let source = self.hub.source.clone();
            let reading = async move { Done::Read(source.read(read).await) };
            self.reads.push(Box::pin(reading));
        }
    }

    /// Is it still the stream that was shown?
    fn ask_stream(&mut self, pause: Duration) {
        self.asks += 1;
        let source = self.hub.source.clone();
        let known = self.core.consumed().largest();
        let asking = async move {
            sleep(pause).await;
            Done::Stream(source.stream().await, known)
        };
        self.reads.push(Box::pin(asking));
    }

    /// Shows what is to be shown and wakes the viewers, if anything changed for them and it is time.
    fn publish(&mut self, hubs: &Hubs) {
        let (joined, doubted) = {
            let window = lock(&self.hub.window);
            (window.joined, window.doubted)
        };
        if std::mem::replace(&mut self.joined, joined) != joined {
            self.step(Input::Joined);
        }
        if std::mem::replace(&mut self.doubted, doubted) != doubted {
            self.step(Input::Missed);
        }
        let now = self.began.elapsed();
        if self.asks == 0 && self.fill_window() {
            self.pace.ask(hubs.pause(self.hub.waiting()), now);
        }
        if self.pace.wake(now) {
            self.hub.changed.send_replace(());
        }
    }
}
