//! Runs a shell command and streams what it prints.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use aideator_contract::{Code, Reason};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::memory;
use super::order::Answer;
use super::process::{Group, command};
use super::utf8::Decoder;

/// What a process that left the group may still hold the output open for.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes a pipe holds at most: what can be left in it when the command has ended.
const PIPE_BYTES: usize = 1024 * 1024;

/// Bytes of output sent in one frame at most.
const PIECE: usize = 16 * 1024;

/// Runs `shell_command` in `folder`; output goes to `out` in the order it was printed, standard
/// output and standard error as one. Gives the exit code.
pub(super) async fn exec(
    shell_command: &str,
    folder: &Path,
    home: &Path,
    out: &mpsc::Sender<Answer>,
) -> Result<i32, Reason> {
    let failed = |error: io::Error| {
        Reason::new(
            Code::HandsFailed,
            format!("the command can't be run: {error}"),
        )
    };
    let (reader, writer) = io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let mut shell = command("/bin/sh", home);
    shell
        .arg("-c")
        .arg(shell_command)
        .current_dir(folder)
        .stdout(writer)
        .stderr(errors);
    let killed_before = memory::kills();
    let mut group = Group::spawn(&mut shell).map_err(failed)?;
    // The command holds the writing ends; with it they would keep the pipe open.
    drop(shell);
    let mut reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; PIECE];
    let status = loop {
        tokio::select! {
            read = reader.read(&mut buffer) => match read.map_err(failed)? {
                0 => break group.child.wait().await.map_err(failed)?,
                count => say(out, decoder.push(&buffer[..count])).await,
            },
            status = group.child.wait() => break status.map_err(failed)?,
        }
    };
    group.kill();
    // Nobody of the group writes any more; who left it is not waited for.
    let mut rest = 0;
    while rest < PIPE_BYTES
        && let Ok(Ok(count @ 1..)) = tokio::time::timeout(LINGER, reader.read(&mut buffer)).await
    {
        rest += count;
        say(out, decoder.push(&buffer[..count])).await;
    }
    say(out, decoder.finish()).await;
    if !status.success() && memory::kills() > killed_before {
        return Err(Reason::new(
            Code::OutOfMemory,
            "out of memory: the command used more than the agent's hands may",
        ));
    }
    Ok(status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

async fn say(out: &mpsc::Sender<Answer>, text: String) {
    if !text.is_empty() {
        // A brain that is gone ends this process by the closed socket.
        let _ = out.send(Answer::Output { text }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(shell_command: &str) -> (String, i32) {
        let folder = tempfile::tempdir().unwrap();
        let (out, mut got) = mpsc::channel(4);
        let home = folder.path();
        let reading = async {
            let mut text = String::new();
            while let Some(Answer::Output { text: piece }) = got.recv().await {
                text.push_str(&piece);
            }
            text
        };
        let running = async move { exec(shell_command, home, home, &out).await.unwrap() };
        let (code, text) = tokio::join!(running, reading);
        (text, code)
    }

    #[tokio::test]
    async fn output_comes_in_the_order_it_was_printed_with_the_exit_code() {
        let (text, code) = run("echo one; echo two >&2; printf three; exit 3").await;
        assert_eq!((text.as_str(), code), ("one\ntwo\nthree", 3));
    }

    #[tokio::test]
    async fn a_signal_is_told_as_shells_tell_it() {
        assert_eq!(run("kill -9 $$").await.1, 137);
    }

    #[tokio::test]
    async fn what_the_command_left_running_is_killed_and_not_waited_for() {
        let start = std::time::Instant::now();
        let (text, code) = run("sleep 60 & echo $!").await;
        assert_eq!(code, 0);
        assert!(start.elapsed() < Duration::from_secs(10));
        let left = Path::new("/proc").join(text.trim()).join("stat");
        let gone = || std::fs::read_to_string(&left).map_or(true, |stat| stat.contains(") Z "));
        let waiting = async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn nothing_of_our_environment_is_seen() {
        let (text, _) = run("env | cut -d= -f1 | sort | tr '\\n' ' '").await;
        let names: Vec<&str> = text
            .split_whitespace()
            .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
            .collect();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH"]);
    }

    #[tokio::test]
    async fn bytes_that_are_not_utf8_are_replaced() {
        assert_eq!(run("printf 'a\\377b'").await.0, "a\u{fffd}b");
    }
}
