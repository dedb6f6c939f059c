//! Processes as the system lists them.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::until;

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Sends a signal; false if the process is gone.
pub fn signal(process: u32, signal: Signal) -> bool {
    kill_process(pid(process), signal).is_ok()
}

/// Whether a process is there, and no zombie.
pub fn is_alive(process: u32) -> bool {
    stat(process).is_some_and(|stat| stat.state != "Z" && stat.state != "X")
}

/// Waits until a process is gone.
pub async fn gone(process: u32) {
    until("a process ends", async || {
        (!is_alive(process)).then_some(())
    })
    .await;
}

/// Resident memory of a process in KiB.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.unwrap().parse().unwrap()
}

/// The supervisor of an attempt and its agent's brain, once both are there.
#[derive(Debug, Clone, Copy)]
pub struct Agent {
    /// The supervisor.
    pub supervisor: u32,
    /// The brain.
    pub brain: u32,
}

impl Agent {
    /// Of the attempt in this folder.
    pub async fn of(attempt: &Path) -> Self {
        until("an agent runs", async || {
            let supervisor = fs::read_to_string(attempt.join("pid")).ok()?;
            let supervisor = supervisor.trim().parse().ok()?;
            let brain = all().find(|process| {
                stat(*process).is_some_and(|stat| stat.parent == supervisor)
                    && command(*process).contains("\0agent\0brain\0")
            })?;
            Some(Self { supervisor, brain })
        })
        .await
    }
}

/// `kill -9` of every process whose command line names this folder.
pub fn kill_all_of(folder: &Path) {
    let folder = folder.to_str().unwrap();
    for process in all().filter(|process| command(*process).contains(folder)) {
        signal(process, Signal::KILL);
    }
}

struct Stat {
    state: String,
    parent: u32,
}

fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut words = text.rsplit_once(") ")?.1.split_whitespace();
    Some(Stat {
        state: words.next()?.to_owned(),
        parent: words.next()?.parse().ok()?,
    })
}

/// Its arguments, each ended by a NUL.
fn command(process: u32) -> String {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
