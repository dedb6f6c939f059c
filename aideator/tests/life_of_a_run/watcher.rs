//! The watcher's I/O around its real decisions, reading in the order they ask for.

use std::rc::Rc;

use aideator_contract::event::OutHead;
use aideator_contract::local::{AttemptName, ExitStatus};
use aideator_contract::{
    AttemptRecord, ReportMessage, RunId, Startup, StateMessage, Subject, Timestamp, Variation,
};
use aideator_watcher::decide::{self, Effect, Limits, VariationView, View};
use aideator_watcher::observe::Observation;

use crate::world::{Seen, World, json};

/// A watcher just started. Runs it may have to look at are those with a key, and those whose state it is
/// told of (its durable consumer): here, all.
pub(crate) async fn run(world: Rc<World>) {
    loop {
        world.pause().await;
        let all = world.truth.borrow().runs();
        for run in all {
            for _ in 0..3 {
                let Some(view) = view(&world, &run).await else {
                    break;
                };
                let Some(effect) = decide::next(&view, &Limits::default()) else {
                    break;
                };
                apply(&world, &run, effect).await;
            }
        }
    }
}

async fn view(world: &World, run: &RunId) -> Option<View> {
    world.pause().await;
    let open_key = world.open.borrow().get(run).copied();
    let (sequence, state) = world.leader::<StateMessage>(&Subject::state(run)).await?;
    let mut variations = Vec::new();
    for (index, now) in state.summary.variations.iter().enumerate() {
        if now.state.is_terminal() {
            continue;
        }
        let variation = Variation::at(index).unwrap();
        let record = world
            .leader::<AttemptRecord>(&Subject::attempt(run, variation))
            .await;
        let mut seen = VariationView {
            variation,
            record,
            report: None,
            out: 0,
            observation: Observation::Unknown,
            startup: Startup::default(),
        };
        if let Some((_, record)) = &seen.record
            && record.attempt == now.attempt
        {
            let closed = !record.is_open(now.attempt);
            let report = world
                .leader::<ReportMessage>(&Subject::report(run, variation))
                .await;
            seen.report = report
                .filter(|(_, r)| r.attempt == now.attempt)
                .map(|(_, r)| r.report);
            if closed {
                let out = world.leader::<OutHead>(&Subject::out(run, variation)).await;
                let out = out.filter(|(_, head)| head.attempt == now.attempt);
                seen.out = out.map_or(0, |(sequence, _)| sequence);
            }
        }
        variations.push(seen);
    }
    let mut view = View {
        run: run.clone(),
        open_key,
        sequence,
        state,
        variations,
        now: Timestamp::default(),
    };
    let active: Vec<_> = view
        .active()
        .map(|(variation, attempt, _)| (variation, attempt))
        .collect();
    for (variation, attempt) in active {
        let name = AttemptName {
            run: run.clone(),
            variation,
            attempt,
        };
        let observation = observe(world, &name).await;
        let seen = view
            .variations
            .iter_mut()
            .find(|seen| seen.variation == variation);
        seen.unwrap().observation = observation;
    }
    view.now = world.now();
    let (again, _) = world.leader::<StateMessage>(&Subject::state(run)).await?;
    (again == view.sequence).then_some(view)
}

async fn observe(world: &World, name: &AttemptName) -> Observation {
    world.pause().await;
    if world.fault(5.0) {
        return Observation::Unknown;
    }
    let status = |code, signal| ExitStatus {
        code,
        signal,
        at: world.now(),
    };
    match world.processes.borrow().get(name) {
        None => Observation::NotStarted,
        Some(Seen::Running) => Observation::Running,
        Some(Seen::Exited(code)) => Observation::Exited(status(Some(*code), None)),
        Some(Seen::Killed) => Observation::Exited(status(None, Some(9))),
        Some(Seen::Vanished) => Observation::Vanished,
    }
}

async fn apply(world: &World, run: &RunId, effect: Effect) {
    match effect {
        Effect::KeepOpen => world.put_open(run).await,
        Effect::DropOpen { revision } => world.drop_open(run, revision).await,
        Effect::Close {
            variation,
            record,
            after,
        } => {
            let subject = Subject::attempt(run, variation);
            let _ = world
                .append(&subject, json(&record), None, (&subject, after))
                .await;
        }
        Effect::Move { message, after } => {
            let subject = Subject::state(run);
            let _ = world
                .append(&subject, json(&*message), None, (&subject, after))
                .await;
        }
    }
}
