//! Programs that are started, looked at and ended, each by its process id.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// Of a second: how finely the system counts CPU time in `/proc`.
const TICKS: f64 = 100.0;
const ENDING: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// More than any measurement opens.
const FILES: u64 = 20_000;

/// A program of ours; dropping it ends it and its children.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it; what it says goes into `log`.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = fs::File::create(log).with_context(|| format!("the log of {name}"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self(child))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(mut self) {
        signal(self.pid(), Signal::TERM);
        let until = Instant::now() + ENDING;
        while self.runs() && Instant::now() < until {
            tokio::time::sleep(POLL).await;
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    #[expect(clippy::disallowed_methods, reason = "nothing else is done meanwhile")]
    fn drop(&mut self) {
        if !self.runs() {
            return;
        }
        let family = [children(self.pid()), vec![self.pid()]].concat();
        signal(self.pid(), Signal::TERM);
        let until = Instant::now() + ENDING;
        while self.runs() && Instant::now() < until {
            std::thread::sleep(POLL);
        }
        if self.runs() {
            family.iter().for_each(|pid| signal(*pid, Signal::KILL));
            let _ = self.0.wait();
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// The processes that a process started.
pub fn children(of: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// CPU seconds that processes have used.
pub fn cpu(pids: &[u32]) -> anyhow::Result<f64> {
    let stats = pids
        .iter()
        .map(|pid| PathBuf::from(format!("/proc/{pid}/stat")));
    stats.map(|file| cpu_in(&file)).sum()
}

/// CPU seconds that a thread of this process has used.
pub fn cpu_of_thread(thread: i32) -> anyhow::Result<f64> {
    cpu_in(Path::new(&format!("/proc/self/task/{thread}/stat")))
}

fn cpu_in(file: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let ticks = ticks(&text).with_context(|| format!("reading {}", file.display()))?;
    Ok(ticks as f64 / TICKS)
}

/// Time in user mode and in the kernel, of a line of `/proc/PID/stat`.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// KiB of memory of processes, what several share counted once.
pub fn memory(pids: &[u32]) -> anyhow::Result<u64> {
    pids.iter().map(|pid| memory_of(*pid)).sum()
}

fn memory_of(pid: u32) -> anyhow::Result<u64> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
    let Some(line) = text.lines().find(|line| line.starts_with("Pss:")) else {
        bail!("{file} tells no Pss");
    };
    Ok(line.split_whitespace().nth(1).context("Pss")?.parse()?)
}

/// Allows this process, and those it starts, enough open files for ten thousand viewers.
pub fn allow_files() -> anyhow::Result<()> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|current| current < FILES) {
        let wanted = Rlimit {
            current: Some(FILES),
            maximum: now.maximum.map(|maximum| maximum.max(FILES)),
        };
        setrlimit(Resource::Nofile, wanted)
            .with_context(|| format!("can't have {FILES} open files (ulimit -n)"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_name_with_brackets_and_spaces() {
        let line = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(ticks(line), Some(300));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn a_process_is_looked_at_while_it_runs_and_ended_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        let process = Process::start(command.arg("60"), &folder.path().join("log")).unwrap();
        let pid = process.pid();
        assert!(memory(&[pid]).unwrap() > 0 && cpu(&[pid]).is_ok());
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
