//! People and scripts: requests, repeated and contradictory ones among them.

use aideator_contract::request::{CancelRequest, PickRequest, RetryRequest, RunRequest};
use aideator_contract::{RunId, RunSpec, Variation};
use aideator_submitter::decide::command::Command;

use crate::world::World;

/// A message in the work queue.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) wanted: Wanted,
    pub(crate) acked: bool,
    pub(crate) deliveries: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Run { run: RunId, request: RunRequest },
    Command(Command),
}

/// Whether every run request before `sequence` is decided.
pub(crate) fn settled(world: &World, sequence: u64) -> bool {
    decided(world, sequence, |wanted| {
        matches!(wanted, Wanted::Run { .. })
    })
}

/// Whether every retry before `sequence` is decided.
pub(crate) fn retried(world: &World, sequence: u64) -> bool {
    decided(world, sequence, |wanted| {
        matches!(wanted, Wanted::Command(Command::Retry(_)))
    })
}

fn decided(world: &World, sequence: u64, which: impl Fn(&Wanted) -> bool) -> bool {
    let requests = world.requests.borrow();
    let before = requests.iter().take(usize::try_from(sequence).unwrap());
    before.filter(|r| which(&r.wanted)).all(|r| r.acked)
}

/// The spec of a request (the model has no repositories, so that nothing can be wrong with one).
pub(crate) fn spec(request: &RunRequest) -> RunSpec {
    let here = aideator_contract::request::Installation {
        default_model: "scripted/lorem".into(),
        ..Default::default()
    };
    request.validate(&here).unwrap().spec
}

/// Somebody asks for something.
pub(crate) fn ask(world: &World) {
    let run: RunId = ["a", "b"][world.below(2)].parse().unwrap();
    let unknown = world.chance(3.0).then(|| "nobody".parse().unwrap());
    let run_id = unknown.unwrap_or_else(|| run.clone());
    let variation = Variation::at(world.below(3)).unwrap();
    let one = world.chance(70.0).then_some(variation);
    let wanted = match world.below(10) {
        0..=3 => start(world, run),
        4..=5 => Wanted::Command(Command::Cancel(CancelRequest {
            run_id,
            variation: one,
            reason: None,
        })),
        6..=8 => Wanted::Command(Command::Retry(RetryRequest { run_id, variation })),
        _ => Wanted::Command(Command::Pick(PickRequest {
            run_id,
            variation,
            reason: None,
        })),
    };
    world.requests.borrow_mut().push(Request {
        wanted,
        acked: false,
        deliveries: 0,
    });
}

/// A run of two variations; now and then the same id with another prompt.
pub(crate) fn start(world: &World, run: RunId) -> Wanted {
    let prompt = if world.chance(15.0) {
        "another"
    } else {
        "prompt"
    };
    let request = RunRequest {
        run_id: Some(run.to_string()),
        prompt: prompt.into(),
        variations: Some(aideator_contract::request::Variations::Count(2)),
        deadline_s: Some(600),
        ..RunRequest::default()
    };
    Wanted::Run { run, request }
}
