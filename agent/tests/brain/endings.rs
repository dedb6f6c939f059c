use std::future::pending;

use aideator_agent::Error;
use aideator_agent::model::scripted_text;
use aideator_bus::publisher::Ended;
use aideator_contract::report::Outcome;
use aideator_contract::{AttemptSpec, Code, Event};
use tokio::sync::oneshot;

use crate::world::{World, exec, spec, text, until_gone};

/// Says its first chunk at once and the next one in an hour and a half.
const SLOW: &str = "scripted/lorem?chunks=60&rate=0.01&seed=2";

async fn slow_start() -> String {
    scripted_text("scripted/lorem?chunks=1&seed=2")
        .await
        .unwrap()
}

fn terminated(outcome: &Outcome) {
    let told = matches!(outcome, Outcome::Failed { reason } if reason.code == Code::Terminated);
    assert!(told, "{outcome:?}");
}

#[tokio::test]
async fn a_cancel_publishes_what_is_in_hand_and_says_so() {
    let world = World::begin().await;
    let name = world.open(spec("r.0.1", SLOW)).await;
    let said = slow_start().await;
    let cancel = async {
        world.until_said(&name, &said).await;
        world.cancel(&name).await;
    };
    let (done, ()) = tokio::join!(world.run(&name, pending()), cancel);
    done.unwrap();
    let out = world.out(&name).await;
    assert_eq!(text(&out), said);
    assert_eq!(
        out.last(),
        Some(&Event::Abort {
            reason: "cancelled on request".into()
        })
    );
    assert!(
        out.iter()
            .any(|event| matches!(event, Event::TextEnd { .. }))
    );
    assert_eq!(world.done(&name).await.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_cancelled_command_is_ended() {
    let world = World::begin().await;
    let name = world.open(exec("r.0.1", "echo $$; sleep 600")).await;
    let cancel = async {
        world.until_said(&name, "\n").await;
        world.cancel(&name).await;
    };
    let (done, ()) = tokio::join!(world.run(&name, pending()), cancel);
    done.unwrap();
    assert_eq!(world.done(&name).await.outcome, Outcome::Cancelled);
    until_gone(&text(&world.out(&name).await)).await;
}

#[tokio::test]
async fn a_command_is_ended_at_once_though_nats_is_away_and_that_is_told_later() {
    let mut world = World::begin().await;
    let mut server = world.server.take().unwrap();
    let name = world.open(exec("r.0.1", "echo $$; sleep 600")).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let cancel = async {
        world.until_said(&name, "\n").await;
        let command = text(&world.out(&name).await);
        let reconnected = world.reconnected();
        server.kill().await;
        stop.send(()).unwrap();
        until_gone(&command).await;
        server.restart().await;
        reconnected.await;
    };
    let (done, ()) = tokio::join!(world.run(&name, async { stopped.await.unwrap() }), cancel);
    assert!(matches!(done, Err(Error::Terminated)), "{done:?}");
    terminated(&world.done(&name).await.outcome);
}

#[tokio::test]
async fn a_word_to_end_from_outside_is_told_as_that() {
    let world = World::begin().await;
    let name = world.open(spec("r.0.1", SLOW)).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let said = slow_start().await;
    let shut_down = async {
        world.until_said(&name, &said).await;
        stop.send(()).unwrap();
    };
    let (done, ()) = tokio::join!(
        world.run(&name, async { stopped.await.unwrap() }),
        shut_down
    );
    assert!(matches!(done, Err(Error::Terminated)), "{done:?}");
    terminated(&world.done(&name).await.outcome);
}

#[tokio::test]
async fn the_deadline_counts_from_the_start_and_is_told() {
    let world = World::begin().await;
    let name = world
        .open(AttemptSpec {
            deadline_s: 1,
            ..spec("r.0.1", SLOW)
        })
        .await;
    world.run(&name, pending()).await.unwrap();
    assert_eq!(world.done(&name).await.outcome, Outcome::TimedOut);
}

#[tokio::test]
async fn of_two_processes_of_an_attempt_one_wins_and_the_other_stores_nothing() {
    let world = World::begin().await;
    let model = "scripted/lorem?chunks=300&rate=3000";
    let name = world.open(spec("r.0.1", model)).await;
    let (one, two) = tokio::join!(world.run(&name, pending()), world.run(&name, pending()));
    let outrun = |result: &Result<(), Error>| matches!(result, Err(Error::Ended(Ended::Outrun)));
    assert!(outrun(&one) ^ outrun(&two), "{one:?} {two:?}");
    assert!(one.is_ok() ^ two.is_ok());
    assert_eq!(
        text(&world.out(&name).await),
        scripted_text(model).await.unwrap()
    );
    assert_eq!(world.done(&name).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn an_agent_whose_attempt_was_closed_says_nothing_more() {
    let world = World::begin().await;
    let model = "scripted/lorem?chunks=100000&rate=200";
    let name = world.open(spec("r.0.1", model)).await;
    let close = async {
        world.until_said(&name, " ").await;
        world.close(&name).await;
        world.out(&name).await.len()
    };
    let (done, before) = tokio::join!(world.run(&name, pending()), close);
    assert!(
        matches!(done, Err(Error::Ended(Ended::Superseded))),
        "{done:?}"
    );
    assert_eq!(world.out(&name).await.len(), before);
}

#[tokio::test]
async fn a_restart_of_the_server_loses_and_doubles_nothing() {
    let mut world = World::begin().await;
    let mut server = world.server.take().unwrap();
    let model = "scripted/lorem?chunks=1500&rate=1000&seed=8";
    let name = world.open(spec("r.0.1", model)).await;
    let restart = async {
        world.until_said(&name, "\n").await;
        let reconnected = world.reconnected();
        server.kill().await;
        server.restart().await;
        reconnected.await;
    };
    let (done, ()) = tokio::join!(world.run(&name, pending()), restart);
    done.unwrap();
    assert_eq!(
        text(&world.out(&name).await),
        scripted_text(model).await.unwrap()
    );
    assert_eq!(world.done(&name).await.outcome, Outcome::Succeeded);
}
