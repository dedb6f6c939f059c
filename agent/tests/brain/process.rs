//! The built binary with a minted credential, as a launcher starts it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use aideator_bus::Connect;
use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;
use aideator_contract::local::AttemptName;
use aideator_contract::report::Outcome;
use aideator_contract::{Code, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::world::{BINARY, World, exec, soon, spec, until_gone};

async fn operator_world() -> World {
    let server = TestServer::start_with_operator().await;
    let credentials = server.credentials(User::Admin).unwrap();
    let connect = Connect::new(server.url(), "test").credentials(credentials);
    World::of(server, connect).await
}

fn agent(world: &World, name: &AttemptName) -> Child {
    let expires = Timestamp::from(SystemTime::now() + Duration::from_secs(120));
    let server = world.server.as_ref().unwrap();
    let minter = server.keys().minter().unwrap();
    let credentials = minter
        .agent(&name.run, name.variation, name.attempt, expires)
        .unwrap();
    let creds = server.folder().join(format!("{name}.creds"));
    std::fs::write(&creds, credentials.to_text()).unwrap();
    Command::new(BINARY)
        .arg("brain")
        .args(["--nats", &world.url])
        .args([Path::new("--creds"), &creds])
        .args(["--run", name.run.as_str()])
        .args(["--variation", &name.variation.to_string()])
        .args(["--attempt", &name.attempt.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn with_its_own_credential_it_says_its_last_word_and_exits_well() {
    let world = operator_world().await;
    let name = world
        .open(spec("r-1.2.1", "scripted/lorem?chunks=50&rate=0"))
        .await;
    let status = soon(agent(&world, &name).wait()).await.unwrap();
    assert!(status.success());
    assert_eq!(world.done(&name).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_brain_told_to_end_says_so_and_exits_as_that() {
    let world = operator_world().await;
    let name = world
        .open(spec("r.0.1", "scripted/lorem?chunks=9&rate=0.01"))
        .await;
    let mut child = agent(&world, &name);
    world.until_said(&name, " ").await;
    signal(&child, Signal::TERM);
    assert_eq!(soon(child.wait()).await.unwrap().code(), Some(143));
    let told = world.done(&name).await.outcome;
    assert!(
        matches!(&told, Outcome::Failed { reason } if reason.code == Code::Terminated),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_killed_brain_takes_its_hands_and_their_commands_along() {
    let world = operator_world().await;
    let command = "trap '' TERM; echo $$ $PPID; sleep 600";
    let name = world.open(exec("r.0.1", command)).await;
    let mut child = agent(&world, &name);
    world.until_said(&name, "\n").await;
    let said = crate::world::text(&world.out(&name).await);
    child.start_kill().unwrap();
    soon(child.wait()).await.unwrap();
    until_gone(&said).await;
}

#[tokio::test]
async fn a_process_for_a_closed_attempt_exits_at_once() {
    let world = operator_world().await;
    let name = world.open(spec("r.0.1", "scripted/lorem")).await;
    world.close(&name).await;
    let status = soon(agent(&world, &name).wait()).await.unwrap();
    assert_eq!(status.code(), Some(i32::from(aideator_agent::NOT_OURS)));
    assert_eq!(world.out(&name).await, []);
}
