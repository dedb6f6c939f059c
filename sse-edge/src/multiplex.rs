//! Several runs on one connection. Each run has a viewer of its own, whose chunks go out as they come;
//! only the `id:` lines are made anew, because each has to hold the position in every run, and the words
//! about a stream are told which run they are about.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aideator_contract::RunId;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream::{BoxStream, SelectAll, select_all};
use futures::{Stream, StreamExt as _, stream};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::position::{Malformed, Position};
use crate::telemetry::Meters;
use crate::viewer::{PING, RETRY, Viewer, is_gone};

/// Runs on one connection at most: every id names all of them.
pub const RUNS: usize = 16;

/// Where a viewer is in several runs, as the `id:` of an event: `<run>:<position>`, joined by commas, in
/// the order of the runs' names. Runs of which nothing was shown are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<RunId, Position>);

impl Positions {
    /// The position in a run; `None` where nothing of it was shown.
    #[must_use]
    pub fn get(&self, run: &RunId) -> Option<Position> {
        self.0.get(run).copied()
    }
}

impl FromStr for Positions {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut positions = BTreeMap::new();
        for part in text.split(',') {
            let (run, position) = part.split_once(':').ok_or(Malformed)?;
            let run: RunId = run.parse().map_err(|_| Malformed)?;
            if positions.insert(run, position.parse()?).is_some() {
                return Err(Malformed);
            }
        }
        Ok(Self(positions))
    }
}

/// How long a chunk (64 KiB of frames at most, or a single one) may take to be sent. Whoever is slower
/// is closed and comes back with the last id: until then all of its viewers may hold pages.
const SENT_WITHIN: Duration = Duration::from_secs(20);
/// All viewers show that they live at the same time; one of them is enough.
const PINGS_APART: Duration = Duration::from_secs(1);

/// Several viewers who share a connection.
pub struct Multiplex {
    chunks: SelectAll<BoxStream<'static, (usize, Option<Bytes>)>>,
    runs: Vec<Shown>,
    meters: Arc<Meters>,
    /// When something was sent last.
    told: Instant,
}

/// What of a run was shown.
#[derive(Debug)]
struct Shown {
    run: RunId,
    /// Its position as text; empty where nothing was shown.
    id: String,
    /// It was told that nothing more will come.
    over: bool,
}

impl Multiplex {
    /// Shows what is due to each of these, runs in the order of their names, who were shown what
    /// `positions` says.
    #[must_use]
    pub(crate) fn new(
        viewers: Vec<(RunId, Viewer)>,
        positions: &Positions,
        share_of_drain: f32,
        meters: Arc<Meters>,
    ) -> Self {
        let (mut runs, mut all) = (Vec::new(), Vec::new());
        for (index, (run, viewer)) in viewers.into_iter().enumerate() {
            let id = positions.get(&run).map(|position| position.to_string());
            runs.push(Shown {
                run,
                id: id.unwrap_or_default(),
                over: false,
            });
            let end = stream::iter([None]);
            let chunks = viewer.leaving_at(share_of_drain).chunks();
            let chunks = chunks.map(Some).chain(end);
            all.push(chunks.map(move |chunk| (index, chunk)).boxed());
        }
        Self {
            chunks: select_all(all),
            runs,
            meters,
            told: Instant::now(),
        }
    }

    /// The body of the response.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let opening = stream::iter([Ok(Bytes::from_static(RETRY.as_bytes()))]);
        let chunks = stream::unfold(self, |mut all| async move {
            let chunk = all.next().await?;
            Some((Ok(chunk), all))
        });
        opening.chain(chunks)
    }

    /// Sends `opening` and then all that is due, until there is no more or the client is gone.
    pub(crate) async fn send(mut self, mut socket: TcpStream, opening: Bytes) {
        let mut chunk = opening;
        while let Ok(Ok(())) = timeout(SENT_WITHIN, socket.write_all(&chunk)).await {
            chunk = tokio::select! {
                next = self.next() => match next {
                    Some(next) => next,
                    None => return,
                },
                () = is_gone(&socket) => return,
            };
        }
    }

    /// The next chunk; `None` when all runs are over, or one of the viewers has to come back.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let chunk = match self.chunks.next().await? {
                (_, Some(chunk)) if chunk == PING && self.told.elapsed() < PINGS_APART => continue,
                (index, Some(chunk)) => readdress(&mut self.runs, index, &chunk),
                (index, None) if self.runs[index].over => continue,
                _ => return None,
            };
            self.told = Instant::now();
            self.meters.bytes.increment(chunk.len() as u64);
            return Some(chunk);
        }
    }
}

/// A chunk of one run's stream as it travels among the others.
fn readdress(runs: &mut [Shown], index: usize, chunk: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(chunk.len() * 2);
    let mut names_its_run = true;
    for line in chunk.split_inclusive(|byte| *byte == b'\n') {
        if let Some(id) = line.strip_prefix(b"id: ") {
            runs[index].id = String::from_utf8_lossy(id.trim_ascii_end()).into_owned();
            put_id(&mut out, runs);
            continue;
        }
        if let Some(event) = line.strip_prefix(b"event: ") {
            let event = event.trim_ascii_end();
            names_its_run = !matches!(event, b"caught-up" | b"gap" | b"slow" | b"error");
            runs[index].over |= matches!(event, b"end" | b"error");
        }
        match line.strip_prefix(b"data: {").filter(|_| !names_its_run) {
            Some(rest) => {
                let comma = if rest.starts_with(b"}") { "" } else { "," };
                let run = &runs[index].run;
                out.put_slice(format!("data: {{\"run_id\":\"{run}\"{comma}").as_bytes());
                out.put_slice(rest);
                names_its_run = true;
            }
            None => out.put_slice(line),
        }
    }
    out.freeze()
}

fn put_id(out: &mut BytesMut, runs: &[Shown]) {
    let mut before = "id: ";
    for Shown { run, id, .. } in runs.iter().filter(|shown| !shown.id.is_empty()) {
        let _ = write!(out, "{before}{run}:{id}");
        before = ",";
    }
    out.put_u8(b'\n');
}

#[cfg(test)]
mod tests;
