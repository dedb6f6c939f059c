//! The supervisor against a program that only pretends to be an agent.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn launch(limit_s: u64) -> String {
    serde_json::json!({
        "name": { "run": "my-run", "variation": 2, "attempt": 3 },
        "nats_url": "nats://127.0.0.1:9",
        "limit_s": limit_s,
    })
    .to_string()
}

/// An attempt's folder, and a shell script for an agent: `sh agent brain …` runs the file `agent` there.
fn attempt(script: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LAUNCH), launch(3600)).unwrap();
    fs::write(folder.path().join(CREDENTIALS), "secret\n").unwrap();
    fs::write(folder.path().join("agent"), script).unwrap();
    (folder, PathBuf::from("/bin/sh"))
}

async fn ended(folder: &TempDir, program: &Path) -> ExitStatus {
    let ended = timeout(LIMIT, supervise(folder.path(), program)).await;
    match ended.unwrap().unwrap() {
        Ended::Agent(status) => status,
        Ended::Already => panic!("nobody else is here"),
    }
}

async fn run(script: &str) -> (TempDir, ExitStatus) {
    let (folder, program) = attempt(script);
    let status = ended(&folder, &program).await;
    (folder, status)
}

fn status(folder: &Path) -> ExitStatus {
    serde_json::from_slice(&fs::read(folder.join(STATUS)).unwrap()).unwrap()
}

#[tokio::test]
async fn the_exit_code_of_the_agent_is_left_behind() {
    let (folder, ended) = run("exit 7").await;
    assert_eq!((ended.code, ended.signal), (Some(7), None));
    assert_eq!(status(folder.path()), ended);
}

#[tokio::test]
async fn the_signal_that_ended_the_agent_is_left_behind() {
    let (_folder, ended) = run("kill -9 $$").await;
    assert_eq!((ended.code, ended.signal), (None, Some(9)));
}

#[tokio::test]
async fn an_agent_that_hangs_past_its_limit_is_killed() {
    let (folder, program) = attempt("trap '' TERM; mkfifo pipe; read forever < pipe");
    fs::write(folder.path().join(LAUNCH), launch(0)).unwrap();
    let status = ended(&folder, &program).await;
    assert_eq!((status.code, status.signal), (None, Some(9)));
}

#[tokio::test]
async fn the_agent_is_told_which_attempt_it_is_and_works_in_its_folder() {
    let (folder, _) = run("echo \"$@\"; pwd").await;
    let log = fs::read_to_string(folder.path().join(LOG)).unwrap();
    let here = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(
        log,
        format!(
            "brain --nats nats://127.0.0.1:9 --creds /dev/stdin --run my-run --variation 2 --attempt 3 --workspace workspace\n{}\n",
            here.display()
        )
    );
}

#[tokio::test]
async fn nobody_but_the_agent_can_read_its_credential_and_its_keys() {
    let (folder, _) = run("ls; cat /dev/stdin").await;
    let log = fs::read_to_string(folder.path().join(LOG)).unwrap();
    assert!(log.ends_with("\nsecret\n"), "{log}");
    assert!(!log.contains(CREDENTIALS), "{log}");
    // This process was the supervisor.
    assert_eq!(
        rustix::process::dumpable_behavior().unwrap(),
        DumpableBehavior::NotDumpable
    );
}

#[tokio::test]
async fn a_second_supervisor_of_an_attempt_does_nothing() {
    let (folder, program) = attempt("echo began >> count; read forever < pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let first = tokio::spawn({
        let (folder, program) = (folder.path().to_owned(), program.clone());
        async move { supervise(&folder, &program).await }
    });
    let count = folder.path().join("count");
    timeout(LIMIT, async {
        while !count.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(
        supervise(folder.path(), &program).await.unwrap(),
        Ended::Already
    );
    // Ends the agent's read.
    drop(
        OpenOptions::new()
            .write(true)
            .open(folder.path().join("pipe"))
            .unwrap(),
    );
    timeout(LIMIT, first).await.unwrap().unwrap().unwrap();
    assert_eq!(
        supervise(folder.path(), &program).await.unwrap(),
        Ended::Already
    );
    assert_eq!(fs::read_to_string(count).unwrap(), "began\n");
}

#[tokio::test]
async fn an_agent_that_cannot_be_started_leaves_a_status_too() {
    let (folder, _) = attempt("");
    let missing = folder.path().join("missing");
    supervise(folder.path(), &missing).await.unwrap();
    assert_eq!(
        (status(folder.path()).code, status(folder.path()).signal),
        (None, None)
    );
}
