//! Finished runs become objects, again when they have grown, and make room where the stream is full.

use aideator_bus::{Declared, Expect, Stored};
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{Outcome, RunId, State, StateMessage, Status, Subject};
use futures::TryStreamExt as _;

use crate::stage::{Stage, done, now, run, soon, spec, variation};

impl Stage {
    /// Everything of a run, as the stream has it.
    async fn stored(&self, run: &RunId) -> Vec<Stored> {
        let all = Subject::run_all(run);
        let all = self.bus.scan(RUNS_STREAM, all.as_str(), 1, None);
        all.try_collect().await.unwrap()
    }

    /// The run is archived as far as `last`.
    pub(crate) async fn until_archived(&self, run: &RunId, last: u64) {
        let reached = async {
            loop {
                let reach = self.bus.archives().reach(run).await.unwrap();
                if reach.is_some_and(|reach| reach.last >= last) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(reached).await;
    }

    /// Everything of a run, as the archive has it, once that goes as far as `last`.
    async fn archived(&self, run: &RunId, last: u64) -> Vec<Stored> {
        self.until_archived(run, last).await;
        let archive = self.bus.archives().get(run).await.unwrap().unwrap();
        let (mut all, mut from) = (Vec::new(), 1);
        loop {
            let page = archive.page(None, from).unwrap();
            all.extend(page.messages);
            if page.pending == 0 {
                return all;
            }
            from = page.next;
        }
    }

    /// A run that says these things and is finished; gives its last sequence.
    async fn finish(&self, run: &RunId, says: &[&str]) -> u64 {
        let spec = spec("m", 1);
        self.accept(run, &spec).await;
        let mut supervisor = self.launch(run, 0, &spec).await;
        for (n, delta) in (0..).zip(says) {
            self.say(run, 0, n, delta).await;
        }
        self.report(run, 0, done(Outcome::Succeeded)).await;
        self.until(run, |s| s.status == Status::Finished).await;
        self.until_closed(run).await;
        supervisor.exit(Some(0), None);
        self.state(run).await.0
    }

    /// Plays the submitter: a variation is picked.
    pub(crate) async fn pick(&self, run: &RunId, request: u64) -> u64 {
        let (sequence, state) = self.state(run).await;
        let picked = state.summary.picked(variation(0), None, request, now());
        let (summary, change) = picked.unwrap();
        let message = StateMessage::new(run.clone(), now(), change, summary);
        let expect = Expect::LastOnSubject(sequence);
        self.put(&Subject::state(run), &message, expect).await
    }
}

/// What is compared: message ids are not kept.
fn without_ids(mut all: Vec<Stored>) -> Vec<Stored> {
    for stored in &mut all {
        stored.msg_id = None;
    }
    all
}

#[tokio::test]
async fn a_finished_run_is_archived_whole_and_again_when_it_has_grown() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let run = run("grows");
    let end = stage.finish(&run, &["hello", "world"]).await;
    let archived = stage.archived(&run, end).await;
    assert_eq!(archived, without_ids(stage.stored(&run).await));
    watching.stop().await;
    let picked = stage.pick(&run, 9).await;
    let watching = stage.watch().await;
    let archived = stage.archived(&run, picked).await;
    assert_eq!(archived, without_ids(stage.stored(&run).await));
    watching.stop().await;
}

#[tokio::test]
async fn where_the_stream_is_nearly_full_the_oldest_archived_runs_leave_it() {
    let stage = Stage::set().await;
    let declared = Declared {
        runs_bytes: 2 * 1024 * 1024,
        ..Declared::default()
    };
    stage.bus.ensure(&declared).await.unwrap();
    let watching = stage.watch().await;
    // What can't be compressed: of each run about a quarter of what the stream takes.
    let noise = |seed: u64| -> String {
        let mut x = seed;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((x >> 33) % 90).unwrap_or(0))
        };
        (0..120_000).map(|_| next()).collect()
    };
    let says: Vec<String> = (1..=4).map(noise).collect();
    let says: Vec<&str> = says.iter().map(String::as_str).collect();
    let runs: Vec<RunId> = (0..5).map(|n| run(&format!("r{n}"))).collect();
    let (first, newest) = (&runs[0], &runs[4]);
    for run in &runs[..4] {
        let end = stage.finish(run, &says).await;
        stage.archived(run, end).await;
    }
    // It makes room for the newest.
    soon(async {
        while !stage.stored(first).await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let end = stage.finish(newest, &says).await;
    stage.archived(newest, end).await;
    let last = stage.stored(newest).await;
    assert!(last.len() > says.len(), "the newest stays");
    let archive = stage.bus.archives().get(first).await.unwrap().unwrap();
    let state = archive.last_of(Subject::state(first).as_str());
    assert!(state > 0, "the oldest is in the archive");
    assert_eq!(
        stage.summary(newest).await.variations[0].state,
        State::Succeeded
    );
    watching.stop().await;
}
