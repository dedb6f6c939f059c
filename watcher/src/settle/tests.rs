//! The loop against a real server, where the world moves on between two reads.

use std::sync::atomic::{AtomicBool, Ordering};

use aideator_bus::Declared;
use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;
use aideator_bus::{Append, Connect};
use aideator_contract::attempt::{AttemptEvent, Cause};
use aideator_contract::local::ExitStatus;
use aideator_contract::summary::Move;
use aideator_contract::{AttemptRecord, Change, StateMessage, Summary, Timestamp};

use super::*;
use crate::decide::tests::{run, spec, variation};

fn moved(summary: &Summary, to: State) -> (Summary, Change) {
    let to = Move {
        variation: variation(0),
        attempt: Attempt::FIRST,
        to,
        reason: None,
        ending: None,
        command: None,
        at: Timestamp::default(),
    };
    summary.moved(to).unwrap()
}

async fn put(bus: &Bus, subject: Subject, message: &impl Serialize) {
    let json = Bytes::from(serde_json::to_vec(message).unwrap());
    bus.append(&subject, json, Append::default()).await.unwrap();
}

async fn say(bus: &Bus, (summary, change): (Summary, Change)) -> Summary {
    let message = StateMessage::new(run(), Timestamp::default(), change, summary.clone());
    put(bus, Subject::state(&run()), &message).await;
    summary
}

/// Sees a process that was killed; just before the first look it was told to stop.
struct Killed {
    bus: Bus,
    running: Summary,
    told: AtomicBool,
}

impl Observer for Killed {
    async fn look(&self, attempts: Vec<AttemptName>) -> Vec<Observation> {
        if !self.told.swap(true, Ordering::Relaxed) {
            say(&self.bus, moved(&self.running, State::Cancelling)).await;
        }
        let killed = ExitStatus {
            code: None,
            signal: Some(9),
            at: Timestamp::default(),
        };
        vec![Observation::Exited(killed); attempts.len()]
    }

    async fn clear(&self, _: AttemptName) -> bool {
        true
    }

    async fn leftovers(&self) -> Vec<AttemptName> {
        Vec::new()
    }
}

#[tokio::test]
async fn what_was_told_to_stop_while_it_was_looked_at_did_not_end_by_itself() {
    let server = TestServer::start_with_operator().await;
    let connect = Connect::new(server.url(), "watcher");
    let credentials = server.credentials(User::Admin).unwrap();
    let bus = Bus::connect(connect.credentials(credentials))
        .await
        .unwrap();
    bus.ensure(&Declared::default()).await.unwrap();
    bus.open_runs().put(&run()).await.unwrap();
    let spec = Box::new(spec(1));
    let accepted = Summary::accepted(&spec, "sha".into(), 1, Timestamp::default());
    let attempt = spec
        .attempt(&run(), variation(0), Attempt::FIRST, 1)
        .unwrap();
    let accepted = say(&bus, (accepted, Change::Accepted { spec })).await;
    let opened = AttemptRecord::opened(attempt, Timestamp::default());
    put(&bus, Subject::attempt(&run(), variation(0)), &opened).await;
    let running = say(&bus, moved(&accepted, State::Running)).await;
    let observer = Killed {
        bus: bus.clone(),
        running,
        told: AtomicBool::new(false),
    };
    settle(&bus, &observer, &Limits::default(), &run())
        .await
        .unwrap();
    let (_, state) = read::state(&bus, &run()).await.unwrap().unwrap();
    assert_eq!(state.summary.variations[0].state, State::Cancelled);
    let subject = Subject::attempt(&run(), variation(0));
    let last = bus.last_from_leader(&subject).await.unwrap().unwrap();
    let record: AttemptRecord = serde_json::from_slice(&last.payload).unwrap();
    let cause = Cause::Cancelled;
    assert_eq!(record.event, AttemptEvent::Closed { cause });
}
