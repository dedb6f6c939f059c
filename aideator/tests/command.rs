//! The command as people and scripts meet it: exit codes, refusals, and what survives.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where something is not as expected"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use rustix::process::{Pid, Signal, kill_process};
use support::{Up, aideator, within};

const MODEL: &str = "scripted/lorem?chunks=12&rate=0&seed=5";

#[test]
fn a_run_ends_with_the_exit_code_that_tells_its_outcome() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path());
    let run = |arguments: &[&str]| {
        let mut command = aideator();
        command
            .arg("run")
            .args(arguments)
            .args(["--server", up.http()]);
        command.output().unwrap()
    };

    let one = run(&["hi", "-m", MODEL]);
    let script = aideator().args(["scripted", MODEL]).output().unwrap();
    assert_eq!(
        (code(&one), text(&one)),
        (0, text(&script)),
        "{}",
        said(&one)
    );

    let several = run(&["hi", "-n", "3", "-m", MODEL]);
    assert_eq!(code(&several), 0, "{}", said(&several));
    for number in 1..=3 {
        assert!(
            text(&several).contains(&format!("{number}│ ")),
            "{}",
            text(&several)
        );
    }

    let script = data.path().join("failing.jsonl");
    fs::write(&script, "{\"text\":\"so far \"}\n{\"error\":{\"code\":\"context-too-long\",\"message\":\"too long\"}}\n").unwrap();
    let failed = run(&["hi", "-m", &format!("scripted:{}", script.display())]);
    assert_eq!(code(&failed), 1);
    assert!(said(&failed).contains("too long"), "{}", said(&failed));

    let unknown = run(&["hi", "-m", "gpt-9"]);
    assert_eq!(code(&unknown), 2);
    assert!(said(&unknown).contains("gpt-9"), "{}", said(&unknown));

    let exec = run(&["--mode", "exec", "true"]);
    assert_eq!(code(&exec), 2);
    assert!(said(&exec).contains("--allow-exec"), "{}", said(&exec));
    up.stop();
}

#[test]
fn two_in_one_directory_are_refused_and_two_in_two_do_not_meet() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Up::start(one.path());
    let refused = aideator()
        .args(["up", "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(one.path())
        .output()
        .unwrap();
    assert_eq!(code(&refused), 2);
    assert!(
        said(&refused).contains("already running"),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains(first.http()), "{}", said(&refused));

    let second = Up::start(other.path());
    assert_ne!((first.http(), first.nats()), (second.http(), second.nats()));
    let asked = ask_in(one.path(), "only-here");
    assert_eq!(code(&asked), 0, "{}", said(&asked));
    let missing = aideator()
        .args(["show", "only-here", "--server", second.http()])
        .output()
        .unwrap();
    assert_eq!(code(&missing), 2, "{}", text(&missing));
    first.stop();
    second.stop();
}

#[test]
fn a_nats_server_that_is_killed_comes_back_and_nothing_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path());
    let before = ask_in(data.path(), "before");
    assert_eq!(code(&before), 0, "{}", said(&before));

    let pid_file = data.path().join("nats/nats-server.pid");
    let pid = fs::read_to_string(&pid_file).unwrap();
    kill_process(
        Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    within("another nats-server runs", || {
        let now = fs::read_to_string(&pid_file).ok()?;
        (!now.trim().is_empty() && now != pid).then_some(())
    });
    // The edge waits for its connection; the run is there and another begins.
    let shown = aideator()
        .args(["show", "before", "-v", "1", "--server", up.http()])
        .output()
        .unwrap();
    assert_eq!(text(&shown), text(&before), "{}", said(&shown));
    let after = ask_in(data.path(), "after");
    assert_eq!(
        (code(&after), text(&after)),
        (0, text(&before)),
        "{}",
        said(&after)
    );
    up.stop();
}

#[test]
fn without_a_server_the_way_to_start_one_is_told() {
    let data = tempfile::tempdir().unwrap();
    let asked = ask_in(data.path(), "nobody");
    assert_eq!(code(&asked), 3);
    assert!(said(&asked).contains("aideator up"), "{}", said(&asked));
}

/// Asks the `up` of a data directory.
fn ask_in(data_dir: &Path, run: &str) -> Output {
    let mut command = aideator();
    command.args(["run", "hi", "--id", run, "-m", MODEL]);
    command.arg("--data-dir").arg(data_dir).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
