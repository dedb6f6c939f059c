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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::position::Track;

    fn shown(run: &str, id: &str) -> Shown {
        Shown {
            run: run.parse().unwrap(),
            id: id.to_owned(),
            over: false,
        }
    }

    fn position() -> impl Strategy<Value = Position> {
        (any::<u64>(), prop::collection::vec(any::<u32>(), 6)).prop_map(|(epoch, sequences)| {
            let mut position = Position::origin(epoch);
            for (track, sequence) in Track::all().zip(sequences) {
                position.shown.set(track, sequence.into());
            }
            position
        })
    }

    #[test]
    fn every_id_holds_the_place_in_all_runs() {
        let mut runs = [shown("a", ""), shown("b", "5.9"), shown("c", "")];
        let chunk =
            b"event: state\nid: 5.1\ndata: {\"run\":\"a\"}\n\nid: 5.2\ndata: {\"run\":\"a\"}\n\n";
        assert_eq!(
            readdress(&mut runs, 0, chunk),
            "event: state\nid: a:5.1,b:5.9\ndata: {\"run\":\"a\"}\n\n\
             id: a:5.2,b:5.9\ndata: {\"run\":\"a\"}\n\n"
        );
        assert_eq!(
            readdress(&mut runs, 2, b"id: 5.4\ndata: 1\n\n: ping\n\n"),
            "id: a:5.2,b:5.9,c:5.4\ndata: 1\n\n: ping\n\n"
        );
    }

    #[test]
    fn what_is_told_about_a_stream_names_its_run_once() {
        let mut runs = [shown("a", "")];
        let caught_up = b"event: caught-up\nid: 5.1\ndata: {}\n\n";
        assert_eq!(
            readdress(&mut runs, 0, caught_up),
            "event: caught-up\nid: a:5.1\ndata: {\"run_id\":\"a\"}\n\n"
        );
        let error = b"event: error\ndata: {\"status\":404}\n\n";
        assert_eq!(
            readdress(&mut runs, 0, error),
            "event: error\ndata: {\"run_id\":\"a\",\"status\":404}\n\n"
        );
        let end = b"event: end\nid: 5.2\ndata: {\"run_id\":\"a\"}\n\nid: 5.3\ndata: {\"n\":0}\n\n";
        assert_eq!(
            readdress(&mut runs, 0, end),
            "event: end\nid: a:5.2\ndata: {\"run_id\":\"a\"}\n\nid: a:5.3\ndata: {\"n\":0}\n\n"
        );
    }

    #[test]
    fn only_the_last_word_of_a_run_ends_it() {
        for (word, ends) in [
            ("end", true),
            ("error", true),
            ("slow", false),
            ("gap", false),
        ] {
            let mut runs = [shown("a", ""), shown("b", "")];
            let chunk = format!("event: {word}\ndata: {{}}\n\n");
            readdress(&mut runs, 1, chunk.as_bytes());
            assert_eq!((runs[0].over, runs[1].over), (false, ends), "{word}");
        }
    }

    proptest! {
        #[test]
        fn an_id_reads_back(all in prop::collection::btree_map("[a-z0-9]{1,8}", position(), 1..RUNS)) {
            let runs: Vec<_> = all
                .iter()
                .map(|(run, position)| shown(run, &position.to_string()))
                .collect();
            let mut line = BytesMut::new();
            put_id(&mut line, &runs);
            let text = std::str::from_utf8(&line).unwrap();
            let id = text.strip_prefix("id: ").unwrap().trim_end();
            let read: Positions = id.parse().unwrap();
            for (run, position) in &all {
                prop_assert_eq!(read.get(&run.parse().unwrap()), Some(*position));
            }
            prop_assert_eq!(read.0.len(), all.len());
        }

        #[test]
        fn a_text_that_is_no_id_is_refused(text in "[a-z0-9:.,~ -]{0,40}|\\PC{0,40}") {
            if let Ok(positions) = text.parse::<Positions>() {
                prop_assert_eq!(text.matches(':').count(), positions.0.len());
            }
        }
    }

    #[test]
    fn a_run_twice_is_no_id() {
        for text in ["", "a", "a:", ":5.1", "a:5.1,a:5.2", "a:5.1,", "A:5.1"] {
            assert_eq!(text.parse::<Positions>(), Err(Malformed), "{text:?}");
        }
    }
}
