//! The process launcher with a shell script as supervisor.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aideator_bus::credentials::Keys;
use aideator_contract::local::{
    ATTEMPTS, AttemptName, CREDENTIALS, ExitStatus, LAUNCH, LOCK, Launch, PID, STATUS,
};
use aideator_contract::{AttemptSpec, Code, Mode, Timestamp, VariationSpec};
use aideator_submitter::{LaunchError, Launcher, Order, Pressure, ProcessLauncher};
use tempfile::TempDir;

/// Takes the lock, says what it sees, and stays until it is ended.
const SUPERVISOR: &str = r#"#!/bin/sh
cd "$2" || exit 1
exec 9>lock
flock -n 9 || exit 0
env > environment
echo run >> runs
echo $$ > pid
exec sleep 600
"#;

/// The same with hands that the system tells of its end, and a command of theirs in another group.
const SUPERVISOR_WITH_HANDS: &str = r#"#!/bin/sh
cd "$2" || exit 1
exec 9>lock
flock -n 9 || exit 0
cat > hands <<'END'
setsid sh -c 'trap "" TERM; echo $$ > command; sleep 600' &
command=$!
trap 'kill -9 -$command; exit' TERM
wait
END
setpriv --pdeathsig TERM sh hands 9>&- &
echo $$ > pid
exec sleep 600
"#;

struct Place {
    folder: TempDir,
    launcher: ProcessLauncher,
}

impl Place {
    fn new(supervisor: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("supervisor");
        fs::write(&program, supervisor).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("OPENAI_API_KEY", "key".to_owned()),
            ("OPENAI_BASE_URL", "url".to_owned()),
            ("no_proxy", "near".to_owned()),
            ("NATS_SECRET", "no".to_owned()),
            ("LD_PRELOAD", "no".to_owned()),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let url = "nats://127.0.0.1:1".to_owned();
        let launcher = ProcessLauncher::new(folder.path(), program, url, variables);
        Self { folder, launcher }
    }

    fn attempt(&self) -> PathBuf {
        self.folder.path().join(ATTEMPTS).join(name().to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = pid(&self.attempt()) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

fn name() -> AttemptName {
    "run.0.1".parse().unwrap()
}

fn order() -> Order {
    let name = name();
    let minter = Keys::generate().unwrap().minter().unwrap();
    let expires = Timestamp::from_millis(1);
    let credentials = minter.agent(&name.run, name.variation, name.attempt, expires);
    Order {
        spec: AttemptSpec {
            run: name.run.clone(),
            variation: name.variation,
            attempt: name.attempt,
            prompt: "p".into(),
            source: None,
            mode: Mode::Analyze,
            variation_spec: VariationSpec {
                model: "m".into(),
                temperature: None,
                instructions: None,
            },
            deadline_s: 1,
            output_bytes: 1,
        },
        name,
        credentials: credentials.unwrap(),
    }
}

fn pid(attempt: &Path) -> Option<rustix::process::Pid> {
    let text = fs::read_to_string(attempt.join(PID)).ok()?;
    rustix::process::Pid::from_raw(text.trim().parse().ok()?)
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, waiting)
        .await
        .expect("it takes too long");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_supervisor_is_started_with_what_it_needs_and_nothing_else() {
    let place = Place::new(SUPERVISOR);
    place.launcher.launch(order()).await.unwrap();
    let attempt = place.attempt();
    until(|| pid(&attempt).is_some()).await;
    let launch: Launch = serde_json::from_slice(&fs::read(attempt.join(LAUNCH)).unwrap()).unwrap();
    assert_eq!(launch.name, name());
    assert_eq!(launch.nats_url, "nats://127.0.0.1:1");
    assert_eq!(mode(&attempt), 0o700);
    assert_eq!(mode(&attempt.join(CREDENTIALS)), 0o600);
    let environment = fs::read_to_string(attempt.join("environment")).unwrap();
    assert!(environment.contains("OPENAI_API_KEY=key"));
    assert!(environment.contains("OPENAI_BASE_URL=url"));
    assert!(environment.contains("no_proxy=near"));
    assert!(!environment.contains("NATS_SECRET") && !environment.contains("LD_PRELOAD"));
}

#[tokio::test]
async fn an_attempt_that_has_begun_or_is_over_is_not_started_again() {
    let place = Place::new(SUPERVISOR);
    place.launcher.launch(order()).await.unwrap();
    let attempt = place.attempt();
    until(|| pid(&attempt).is_some()).await;
    place.launcher.launch(order()).await.unwrap();
    place.launcher.stop(&name(), Pressure::Hard).await;
    place.launcher.launch(order()).await.unwrap();
    assert_eq!(fs::read_to_string(attempt.join("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn a_folder_whose_lock_was_never_taken_means_launch_again() {
    let place = Place::new(SUPERVISOR);
    let attempt = place.attempt();
    fs::create_dir_all(&attempt).unwrap();
    place.launcher.launch(order()).await.unwrap();
    until(|| pid(&attempt).is_some()).await;
}

#[tokio::test]
async fn a_supervisor_is_ended_softly_or_hard_and_only_while_it_lives() {
    for (pressure, trap) in [(Pressure::Soft, ""), (Pressure::Hard, "trap '' TERM\n")] {
        let place = Place::new(&SUPERVISOR.replace("exec sleep", &format!("{trap}exec sleep")));
        place.launcher.launch(order()).await.unwrap();
        let attempt = place.attempt();
        until(|| pid(&attempt).is_some()).await;
        place.launcher.stop(&name(), pressure).await;
        let lock = fs::File::open(attempt.join(LOCK)).unwrap();
        let free = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        until(|| rustix::fs::flock(&lock, free).is_ok()).await;
        drop(lock);
        // Its process id may be another's by now: nobody is signalled.
        fs::write(attempt.join(PID), std::process::id().to_string()).unwrap();
        place.launcher.stop(&name(), Pressure::Hard).await;
        fs::remove_file(attempt.join(PID)).unwrap();
    }
}

#[tokio::test]
async fn a_hard_stop_takes_a_command_along_that_has_left_the_group_and_ignores_sigterm() {
    let place = Place::new(SUPERVISOR_WITH_HANDS);
    place.launcher.launch(order()).await.unwrap();
    let attempt = place.attempt();
    let command = attempt.join("command");
    until(|| fs::read_to_string(&command).is_ok_and(|pid| pid.ends_with('\n'))).await;
    until(|| pid(&attempt).is_some()).await;
    place.launcher.stop(&name(), Pressure::Hard).await;
    let command = fs::read_to_string(command).unwrap();
    let stat = Path::new("/proc").join(command.trim()).join("stat");
    until(|| fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
}

#[tokio::test]
async fn an_attempt_that_is_stopped_before_it_began_never_begins() {
    let place = Place::new(SUPERVISOR);
    place.launcher.stop(&name(), Pressure::Soft).await;
    let attempt = place.attempt();
    let status = fs::read(attempt.join(STATUS)).unwrap();
    let status: ExitStatus = serde_json::from_slice(&status).unwrap();
    assert_eq!(status.signal, Some(15));
    place.launcher.launch(order()).await.unwrap();
    assert!(!attempt.join(LAUNCH).exists());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_failure_with_its_name() {
    let place = Place::new("");
    fs::remove_file(place.folder.path().join("supervisor")).unwrap();
    let Err(LaunchError::Never(reason)) = place.launcher.launch(order()).await else {
        panic!("it was launched");
    };
    assert_eq!(reason.code, Code::LaunchFailed);
    assert!(reason.message.contains("supervisor"), "{reason}");
}
