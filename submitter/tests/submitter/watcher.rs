//! The watcher's part, in a few lines: attempts that end.

use aideator_bus::{Append, Expect};
use aideator_contract::attempt::Cause;
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{AttemptRecord, State, StateMessage, Status, Subject, Timestamp};
use bytes::Bytes;
use serde::Serialize;

use crate::scene::{Scene, id, until, variation};

/// Closes the attempt of a variation and ends it in `to`.
pub(crate) async fn end(scene: &Scene, run: &str, index: usize, to: State) {
    let (subject, v) = (Subject::state(&id(run)), variation(index));
    let attempt = scene.state(run).await.unwrap().summary.variations[index].attempt;
    let record = AttemptRecord::closed(attempt, Cause::Vanished, Timestamp::default());
    let fence = Subject::attempt(&id(run), v);
    scene
        .bus
        .append(&fence, json(&record), Append::default())
        .await
        .unwrap();
    until(async || {
        let last = scene.bus.last(&subject).await.unwrap().unwrap();
        let message: StateMessage = serde_json::from_slice(&last.payload).unwrap();
        let wanted = Move {
            variation: v,
            attempt,
            to,
            reason: None,
            ending: Some(Ending::default()),
            command: None,
            at: Timestamp::from_millis(last.ts),
        };
        let (summary, change) = message.summary.moved(wanted).unwrap();
        let finished = summary.status == Status::Finished;
        let message = StateMessage::new(id(run), Timestamp::from_millis(last.ts), change, summary);
        let append = Append {
            expect: Expect::LastOnSubject(last.sequence),
            ..Append::default()
        };
        scene
            .bus
            .append(&subject, json(&message), append)
            .await
            .ok()?;
        if finished {
            let open = scene.bus.open_runs();
            let revision = open.get(&id(run)).await.unwrap().unwrap();
            assert!(open.delete(&id(run), revision).await.unwrap());
        }
        Some(())
    })
    .await;
}

fn json(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap())
}
