//! Many viewers at once, and what all of them together were shown.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::cut::Places;
use crate::report::{Row, seconds};
use crate::seen::{Said, Wrongs};
use crate::viewer::{Counters, Manner, Viewer};

/// How long all may take to come in, and to reach the end once everything was said.
const LIMIT: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(10);

/// Viewers at work.
#[derive(Debug)]
pub(crate) struct Audience {
    viewers: JoinSet<Viewer>,
    size: usize,
    counters: Arc<Counters>,
    begin: Instant,
    leave: watch::Sender<bool>,
}

/// What was said in each run, variation by variation.
pub(crate) type Truth = HashMap<String, Vec<Said>>;

/// What all of them were shown.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) viewers: usize,
    pub(crate) resumes: u64,
    pub(crate) wrongs: Wrongs,
    /// Those who were never told that their run is over.
    pub(crate) unfinished: u64,
    pub(crate) places: Places,
    pub(crate) away: Duration,
    pub(crate) announced: u64,
    pub(crate) refused: u64,
    pub(crate) why: Option<String>,
    /// When each was shown messages.
    arrivals: Vec<Vec<Duration>>,
}

impl Audience {
    /// Lets viewers come to the runs in turn.
    pub(crate) fn gather(runs: &[String], size: usize, manner: &Manner) -> Self {
        let counters = Arc::new(Counters::default());
        let (begin, leave) = (Instant::now(), watch::Sender::new(false));
        let mut viewers = JoinSet::new();
        for (at, run) in runs.iter().cycle().take(size).enumerate() {
            let counters = Arc::clone(&counters);
            let mut viewer = Viewer::new(manner.clone(), run.clone(), begin, counters, at as u64);
            let mut told = leave.subscribe();
            viewers.spawn(async move {
                tokio::select! {
                    () = viewer.watch() => {}
                    _ = told.wait_for(|told| *told) => {}
                }
                viewer
            });
        }
        Self {
            viewers,
            size,
            counters,
            begin,
            leave,
        }
    }

    /// Now, on the clock of its verdict.
    pub(crate) fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Waits until all are shown events; how long that took.
    pub(crate) async fn all_are_in(&self) -> anyhow::Result<Duration> {
        let since = Instant::now();
        loop {
            let connected = self.counters.connected.load(Ordering::Relaxed);
            if connected == self.size {
                return Ok(since.elapsed());
            }
            ensure!(
                since.elapsed() < LIMIT,
                "{connected} of {} viewers are in",
                self.size
            );
            sleep(TICK).await;
        }
    }

    /// Waits until each has reached the end of its run, and compares.
    pub(crate) async fn end(mut self, truth: &Truth) -> Verdict {
        let mut verdict = Verdict::default();
        let collecting = async {
            while let Some(viewer) = self.viewers.join_next().await {
                verdict.add(viewer, truth);
            }
        };
        if timeout(LIMIT, collecting).await.is_err() {
            self.leave.send_replace(true);
            while let Some(viewer) = self.viewers.join_next().await {
                verdict.add(viewer, truth);
            }
        }
        verdict
    }
}

impl Verdict {
    fn add(&mut self, viewer: Result<Viewer, tokio::task::JoinError>, truth: &Truth) {
        let Ok(viewer) = viewer else {
            self.viewers += 1;
            self.unfinished += 1;
            return;
        };
        let said = truth.get(&viewer.run).map_or(&[][..], Vec::as_slice);
        let wrongs = viewer.seen.wrongs(said);
        if wrongs != Wrongs::default() {
            eprintln!("  a viewer of {}: {wrongs:?}", viewer.run);
        }
        *self += Self {
            viewers: 1,
            resumes: viewer.resumes,
            wrongs,
            unfinished: u64::from(!viewer.seen.ended),
            places: viewer.places,
            away: viewer.away,
            announced: viewer.announced,
            refused: viewer.refused,
            why: viewer.why,
            arrivals: vec![viewer.arrivals],
        };
    }

    /// The longest that any viewer was without a new event, from then on for so long.
    pub(crate) fn longest_wait(&self, from: Duration, window: Duration) -> Duration {
        let waits = self.arrivals.iter();
        let waits = waits.map(|arrivals| longest_wait(arrivals, from, from + window));
        waits.max().unwrap_or(window)
    }

    /// Whether it was all shown, once and in order.
    pub(crate) fn row(&self, what: &str) -> Row {
        let Wrongs {
            lost,
            repeated,
            reordered,
            altered,
            gaps,
        } = self.wrongs;
        let mut result = format!(
            "{lost} lost, {repeated} repeated, {reordered} reordered, {altered} texts altered"
        );
        for (count, words) in [
            (gaps, "gaps told"),
            (self.unfinished, "viewers not told of the end"),
            (self.refused, "answers that are no stream"),
        ] {
            if count > 0 {
                result.push_str(&format!(", {count} {words}"));
            }
        }
        if let Some(why) = &self.why {
            result.push_str(&format!(" ({why})"));
        }
        let fine = self.wrongs == Wrongs::default() && self.unfinished + self.refused == 0;
        let what = format!("{what}: {} viewers, {} resumes", self.viewers, self.resumes);
        Row::new(what, result).bar("0, 0, 0, 0", fine && self.viewers > 0)
    }
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.viewers += other.viewers;
        self.resumes += other.resumes;
        self.wrongs += other.wrongs;
        self.unfinished += other.unfinished;
        self.places += other.places;
        self.away = self.away.max(other.away);
        self.announced += other.announced;
        self.refused += other.refused;
        self.why = self.why.take().or(other.why);
        self.arrivals.extend(other.arrivals);
    }
}

/// A time of recovery with its bar.
pub(crate) fn recovery(what: impl Into<String>, wait: Duration) -> Row {
    const BAR: Duration = Duration::from_secs(5);
    Row::new(what, seconds(wait)).bar("≤ 5 s", wait <= BAR)
}

fn longest_wait(arrivals: &[Duration], from: Duration, to: Duration) -> Duration {
    let within = arrivals.iter().filter(|at| **at > from && **at < to);
    let mut last = from;
    let waits = within.chain([&to]).map(|at| {
        let wait = at.saturating_sub(last);
        last = *at;
        wait
    });
    waits.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_counts_from_the_end_of_the_cause_and_to_the_end_of_the_window() {
        let at = |seconds: &[u64]| seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        let wait = |seconds: &[u64]| {
            let arrivals: Vec<Duration> = at(seconds);
            longest_wait(&arrivals, Duration::from_secs(10), Duration::from_secs(20)).as_secs()
        };
        assert_eq!(wait(&[1, 2, 13, 14, 15, 16, 17, 18, 19, 25]), 3);
        assert_eq!(wait(&[11, 15, 19]), 4);
        assert_eq!(wait(&[11, 12]), 8);
        assert_eq!(wait(&[9, 21]), 10);
        assert_eq!(wait(&[]), 10);
    }

    #[test]
    fn a_verdict_without_wrongs_of_nobody_meets_no_bar() {
        let mut verdict = Verdict::default();
        assert!(!verdict.row("x").met);
        verdict.viewers = 1;
        assert!(verdict.row("x").met);
        verdict.wrongs.repeated = 1;
        assert!(!verdict.row("x").met);
        let refused = Verdict {
            viewers: 1,
            refused: 1,
            ..Verdict::default()
        };
        assert!(!refused.row("x").met);
    }
}
