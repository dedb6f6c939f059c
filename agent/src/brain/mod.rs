//! The brain: holds the model's key and the NATS credential, runs one attempt and publishes it.
//! It never opens a path in the workspace; the hands do.
//!
//! Start reading at [`run`].

mod narrator;
mod part;
mod prompt;
mod voice;
mod work;

use std::time::Duration;

use aideator_bus::publisher::{Opened, open};
use aideator_bus::{Bus, Subscription};
use aideator_contract::control::Control;
use aideator_contract::limits::{CANCEL_GRACE, DEADLINE_GRACE, START_ALLOWANCE};
use aideator_contract::local::AttemptName;
use aideator_contract::report::Outcome;
use aideator_contract::{Attempt, AttemptSpec, Code, Reason, Subject};
use tokio::time::{Instant, sleep_until, timeout};

use self::voice::Voice;
use self::work::Work;
use crate::Error;
use crate::hands::HandsAt;
use crate::model::Settings;
use crate::redact::Secrets;

/// What a brain works with.
pub struct Deps {
    /// The connection, made with the attempt's own credential.
    pub bus: Bus,
    /// Which attempt it is.
    pub name: AttemptName,
    /// What it works with besides.
    pub tools: Tools,
}

/// What every attempt needs, wherever it publishes.
pub struct Tools {
    /// Where its hands are.
    pub hands: HandsAt,
    /// Take the tip of the default branch where the spec names no commit.
    pub tip: bool,
    /// How models are reached.
    pub settings: Settings,
    /// What must never be published.
    pub secrets: Secrets,
    /// Tokens of repository digest; chosen by the model where absent.
    pub digest_tokens: Option<usize>,
}

/// Runs the attempt to its last word. `shutdown` ends it as a cancel does: what is in hand is
/// published, and the last word says so; why it was told to end is for others to say.
///
/// # Errors
/// There was no last word to give: the attempt is not ours, or NATS is out of reach for good.
pub async fn run(deps: Deps, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let started = Instant::now();
    let mut shutdown = std::pin::pin!(shutdown);
    let control = Subject::control(&deps.name.run, deps.name.variation);
    let mut control = deps
        .bus
        .subscribe(control.as_str())
        .await
        .map_err(Error::Bus)?;
    let (opened, voice) = tokio::select! {
        claimed = timeout(START_ALLOWANCE, claim(&deps)) => claimed.map_err(|_| Error::NotOpened)??,
        () = &mut shutdown => return Err(Error::Terminated),
    };
    let deadline = started + Duration::from_secs(opened.spec.deadline_s);
    let mut work = Work::new(&deps.tools, opened.spec, voice);
    let outcome = tokio::select! {
        outcome = work.run() => outcome?,
        () = cancelled(&mut control, deps.name.attempt) => Outcome::Cancelled,
        () = &mut shutdown => terminated(),
        () = sleep_until(deadline) => Outcome::TimedOut,
    };
    let patience = patience(&outcome, deadline.saturating_duration_since(Instant::now()));
    let terminated = is_terminated(&outcome);
    timeout(patience, work.end(outcome))
        .await
        .unwrap_or(Err(Error::NotHeard))?;
    // Not as one that did its work: whoever watches the process must not take it for that.
    if terminated {
        Err(Error::Terminated)
    } else {
        Ok(())
    }
}

/// Runs a task without NATS, as a developer tries an agent out: it is printed instead of published.
/// Gives how it ended.
///
/// # Errors
/// It can't be printed.
pub async fn try_out(
    tools: &Tools,
    spec: AttemptSpec,
    shutdown: impl Future<Output = ()>,
) -> Result<Outcome, Error> {
    let deadline = Instant::now() + Duration::from_secs(spec.deadline_s);
    let mut work = Work::new(tools, spec, Voice::printed());
    let outcome = tokio::select! {
        outcome = work.run() => outcome?,
        () = shutdown => terminated(),
        () = sleep_until(deadline) => Outcome::TimedOut,
    };
    work.end(outcome.clone()).await?;
    Ok(outcome)
}

fn terminated() -> Outcome {
    let reason = Reason::new(
        Code::Terminated,
        "the agent was told to end from outside (SIGTERM)",
    );
    Outcome::Failed { reason }
}

fn is_terminated(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { reason } if reason.code == Code::Terminated)
}

/// Finds the attempt and claims it.
async fn claim(deps: &Deps) -> Result<(Opened, Voice), Error> {
    let AttemptName {
        run,
        variation,
        attempt,
    } = &deps.name;
    let opened = open(&deps.bus, run, *variation, *attempt).await?;
    let voice = Voice::claim(&deps.bus, &opened).await?;
    Ok((opened, voice))
}

/// How long the last word may take when NATS is away. Who asked for the end waits less.
fn patience(outcome: &Outcome, until_deadline: Duration) -> Duration {
    match outcome {
        Outcome::Cancelled => CANCEL_GRACE,
        outcome if is_terminated(outcome) => CANCEL_GRACE,
        Outcome::Succeeded | Outcome::Failed { .. } | Outcome::TimedOut => {
            until_deadline + DEADLINE_GRACE
        }
    }
}

/// Waits until this attempt is told to stop.
async fn cancelled(control: &mut Subscription, attempt: Attempt) {
    while let Some(message) = control.next().await {
        match serde_json::from_slice(&message.payload) {
            Ok(Control::Cancel { attempt: meant }) if meant == attempt => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a control message is not understood"),
        }
    }
    // Without a connection nobody can ask any more.
    std::future::pending::<()>().await;
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })
}
