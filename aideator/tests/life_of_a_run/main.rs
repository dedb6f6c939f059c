//! The life of a run as a model: the pure decisions of submitter, watcher, publisher and hub, driven
//! through random schedules against an in-memory model of the streams.
//!
//! Between any two steps of I/O anybody else may go first, a process may die, an ack may be lost, a
//! replica may lag, a live message may be dropped, a second process of an attempt may appear, and
//! people may cancel, retry and pick. [`truth`] checks every stored message; [`viewer`] every shown one.
//!
//! `AIDEATOR_SIM_SECONDS` says for how long (20 without it), `AIDEATOR_SIM_SEED` replays one schedule.

#![expect(clippy::unwrap_used, reason = "a test's support ends with the test")]

mod agent;
mod people;
mod schedule;
mod submitter;
mod truth;
mod viewer;
mod watcher;
mod world;

use std::time::{Duration, Instant};

#[test]
fn every_schedule_keeps_the_promises() {
    if let Some(seed) = number("AIDEATOR_SIM_SEED") {
        let done = schedule::run(seed);
        println!("seed {seed}: {done:?}");
        return;
    }
    let limit = Duration::from_secs(number("AIDEATOR_SIM_SECONDS").unwrap_or(20));
    let begun = Instant::now();
    let from = u64::from(std::process::id()) << 32;
    let mut sum = schedule::Done::default();
    let mut schedules = 0_u64;
    while begun.elapsed() < limit {
        let seed = from + schedules;
        let run = std::panic::catch_unwind(|| schedule::run(seed));
        match run {
            Ok(done) => sum = sum + done,
            Err(_) => panic!("seed {seed} fails: AIDEATOR_SIM_SEED={seed} replays it"),
        }
        schedules += 1;
    }
    println!("{schedules} schedules in {limit:?}: {sum:?}");
    assert!(schedules > 0 && sum.succeeded > 0 && sum.crashes > 0 && sum.refused > 0);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
