//! Runs that are written while viewers watch: by the publisher that agents use, which loses nothing while
//! NATS is away, and with the state log of submitter and watcher.

use std::time::Duration;

use aideator_bench_peers::runs::StateLog;
use aideator_bus::Bus;
use aideator_bus::publisher::{Publisher, Speaker};
use aideator_contract::{Attempt, Event, RunId, Subject, Variation};
use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::audience::Truth;
use crate::seen::Said;

/// Between two looks at what NATS could not tell.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs that go on until they are told to end.
#[derive(Debug)]
pub(crate) struct Story {
    enough: watch::Sender<bool>,
    runs: JoinSet<anyhow::Result<(String, Vec<Said>)>>,
}

impl Story {
    /// Begins these runs, of so many variations each; in each of them something is said `every` so often.
    pub(crate) async fn begin(
        bus: &Bus,
        runs: &[String],
        variations: usize,
        every: Duration,
    ) -> anyhow::Result<Self> {
        let enough = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for run in runs {
            let teller = Teller::begin(bus.clone(), run, variations).await?;
            tasks.spawn(teller.tell(every, enough.subscribe()));
        }
        Ok(Self {
            enough,
            runs: tasks,
        })
    }

    /// Ends the runs; what was said in them.
    pub(crate) async fn end(mut self) -> anyhow::Result<Truth> {
        self.enough.send_replace(true);
        let mut truth = Truth::new();
        while let Some(run) = self.runs.join_next().await {
            truth.extend([run??]);
        }
        Ok(truth)
    }
}

/// Writes a run of so many messages a variation, and ends it; what was said.
pub(crate) async fn whole(
    bus: &Bus,
    run: &str,
    variations: usize,
    messages: u64,
) -> anyhow::Result<(String, Vec<Said>)> {
    let teller = Teller::begin(bus.clone(), run, variations).await?;
    for n in 1..=messages {
        teller.say(n).await?;
        for (_, publisher) in &teller.publishers {
            publisher.flush().await?;
        }
    }
    teller.finish().await
}

/// Names of runs.
pub(crate) fn names(of: &str, runs: usize) -> Vec<String> {
    (0..runs).map(|run| format!("{of}-{run}")).collect()
}

struct Teller {
    bus: Bus,
    run: RunId,
    log: StateLog,
    publishers: Vec<(Variation, Publisher)>,
}

impl Teller {
    async fn begin(bus: Bus, name: &str, variations: usize) -> anyhow::Result<Self> {
        let run: RunId = name.parse()?;
        let mut log = StateLog::accept(bus.clone(), run.clone(), variations).await?;
        let mut publishers = Vec::new();
        for variation in Variation::first(variations) {
            let fence = log.open(variation).await?;
            let speaker = Speaker::new(run.clone(), variation, Attempt::FIRST);
            let publisher = Publisher::start(bus.clone(), speaker, fence, "scripted/lorem");
            publishers.push((variation, publisher.await?));
        }
        Ok(Self {
            bus,
            run,
            log,
            publishers,
        })
    }

    async fn tell(
        self,
        every: Duration,
        mut enough: watch::Receiver<bool>,
    ) -> anyhow::Result<(String, Vec<Said>)> {
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for n in 1.. {
            tokio::select! {
                _ = pace.tick() => self.say(n).await?,
                () = told(&mut enough) => break,
            }
        }
        self.finish().await
    }

    async fn say(&self, n: u64) -> anyhow::Result<()> {
        for (variation, publisher) in &self.publishers {
            let (id, delta) = ("t1".into(), words(&self.run, *variation, n));
            publisher.push(Event::TextDelta { id, delta }).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> anyhow::Result<(String, Vec<Said>)> {
        let mut said = Vec::new();
        for (variation, publisher) in self.publishers {
            publisher.flush().await?;
            let subject = Subject::out(&self.run, variation);
            let last = loop {
                match self.bus.last_from_leader(&subject).await {
                    Err(error) if error.is_transient() => sleep(PAUSE).await,
                    last => break last?.context("nothing is stored")?.sequence,
                }
            };
            self.log.succeed(variation, last).await?;
            said.push(Said {
                messages: publisher.stored_n() + 1,
                sha256: publisher.digest().sha256,
            });
        }
        Ok((self.run.to_string(), said))
    }
}

async fn told(enough: &mut watch::Receiver<bool>) {
    let _ = enough.wait_for(|enough| *enough).await;
}

/// Words that are nowhere the same, with characters of one to four bytes.
fn words(run: &RunId, variation: Variation, n: u64) -> String {
    format!("{run}/{variation}/{n} größer – 日本語 🦀 «naïve»; ")
}
