//! `aideator replay`: a run again, as it happened.

use std::collections::VecDeque;
use std::time::Duration;

use aideator_contract::{RunId, Timestamp, Variation};
use tokio::time::{Instant, sleep_until};

use super::following::{Manner, Source, show};
use crate::api::Told;
use crate::error::Error;
use crate::exit::Exit;
use crate::server::Server;

/// Play a run again as it happened. What is stored by now is played; a run under way is not waited for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    pub(crate) run: RunId,
    /// How many times faster than it was; 0 is as fast as possible
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Print the stored events, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let mut follow = server.client()?.follow(&args.run, None);
    let mut told = Vec::new();
    while let Some(one) = follow.next().await? {
        if one == Told::CaughtUp {
            break;
        }
        told.push(one);
    }
    let mut recording = Recording::new(told, args.speed);
    show(&mut recording, Manner::of(args.json)).await
}

/// What was told, with the time it is due at.
struct Recording {
    due: VecDeque<(Duration, Told)>,
    begin: Option<Instant>,
    first: Option<Timestamp>,
    speed: f64,
}

impl Recording {
    fn new(told: Vec<Told>, speed: f64) -> Self {
        Self {
            first: told.iter().find_map(when),
            speed,
            due: schedule(told, speed).into(),
            begin: None,
        }
    }
}

impl Source for Recording {
    async fn next(&mut self) -> Result<Option<Told>, Error> {
        let begin = *self.begin.get_or_insert_with(Instant::now);
        // Waiting may be cancelled: nothing is taken before it is due.
        if let Some((due, _)) = self.due.front() {
            sleep_until(begin + *due).await;
        }
        Ok(self.due.pop_front().map(|(_, told)| told))
    }

    /// The time of the recording.
    fn now(&self) -> Timestamp {
        let since = self
            .begin
            .map_or(Duration::ZERO, |begin| begin.elapsed().mul_f64(self.speed));
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.first.unwrap_or_default().plus(millis)
    }
}

/// When it was said.
fn when(told: &Told) -> Option<Timestamp> {
    match told {
        Told::Out(out, _) => Some(out.ts),
        Told::State(state, _) => Some(state.ts),
        Told::CaughtUp | Told::Gap(_) | Told::Lost(_) => None,
    }
}

/// When each is due. The order is that of the stream, which is right for each variation; a time that
/// goes back (another machine's clock) is taken as no time.
fn schedule(told: Vec<Told>, speed: f64) -> Vec<(Duration, Told)> {
    let mut first = None;
    let mut due = Duration::ZERO;
    let mut by_time: Vec<(Duration, Told)> = Vec::new();
    let mut last = [Duration::ZERO; Variation::MAX + 1];
    for one in told {
        let lane = match &one {
            Told::Out(out, _) => out.variation.index(),
            _ => Variation::MAX,
        };
        if let Some(ts) = when(&one) {
            let begin = *first.get_or_insert(ts);
            let since = Duration::from_millis(ts.since(begin));
            last[lane] = last[lane].max(since);
            due = last[lane];
        }
        by_time.push((due, one));
    }
    by_time.sort_by_key(|(due, _)| *due);
    for (due, _) in &mut by_time {
        *due = if speed > 0.0 {
            due.div_f64(speed)
        } else {
            Duration::ZERO
        };
    }
    by_time
}

fn speed(text: &str) -> Result<f64, String> {
    text.trim_end_matches('x')
        .parse()
        .ok()
        .filter(|speed: &f64| *speed == 0.0 || (0.001..=1_000_000.0).contains(speed))
        .ok_or_else(|| String::from("a speed is 0, or 0.001 to 1000000"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::tests::{delta, told};

    fn at(variation: u8, n: u64, ts: u64) -> Told {
        told(
            &json!({"v":1,"run":"r","variation":variation,"attempt":1,"n":n,"ts":ts,
            "type":"text-delta","id":"t","delta":""}),
        )
    }

    fn place(told: &Told) -> (usize, u64) {
        match told {
            Told::Out(out, _) => (out.variation.index(), out.n),
            _ => (9, 0),
        }
    }

    #[test]
    fn variations_are_played_together_as_they_happened() {
        let plan = schedule(vec![at(0, 0, 1000), at(0, 1, 1400), at(1, 0, 1200)], 2.0);
        let plan: Vec<_> = plan
            .iter()
            .map(|(due, told)| (due.as_millis(), place(told)))
            .collect();
        assert_eq!(plan, [(0, (0, 0)), (100, (1, 0)), (200, (0, 1))]);
    }

    #[test]
    fn a_clock_that_goes_back_changes_no_order_within_a_variation() {
        let plan = schedule(
            vec![
                at(0, 0, 1000),
                at(0, 1, 1500),
                at(0, 2, 1100),
                at(0, 3, 1600),
            ],
            1.0,
        );
        let order: Vec<u64> = plan.iter().map(|(_, told)| place(told).1).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn speed_zero_waits_for_nothing() {
        let plan = schedule(vec![delta(0, 1, 1, "a"), delta(0, 1, 900_000, "b")], 0.0);
        assert!(plan.iter().all(|(due, _)| due.is_zero()));
    }
}
