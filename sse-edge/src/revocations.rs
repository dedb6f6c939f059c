//! The tokens that are refused although they have not expired, as far as this edge knows: read from
//! NATS every two seconds, so that a token revoked on any edge is refused by all of them.
//!
//! An edge that could not ask for [`GOOD_FOR`] does not know, and then accepts no signed token: it may
//! be the one edge that did not hear of a revocation. A restart of nats-server takes less.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aideator_bus::{AppendError, Bus, ReadUpTo, RevokedTokens};
use aideator_contract::{Revocation, Timestamp, TokenId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::token::Refused;

/// How often the list is read on.
const READ_EVERY: Duration = Duration::from_secs(2);
/// How long a list that was read holds. A token is refused everywhere so long after it was revoked.
const GOOD_FOR: Duration = Duration::from_secs(8);
/// How long a request waits for a list that holds.
const PATIENCE: Duration = Duration::from_secs(5);
/// An entry outlives its token, so that an edge whose clock is late does not accept the token again.
const MARGIN: Duration = Duration::from_secs(60);

/// What is known of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was not revoked.
    Good,
    /// It was.
    Revoked,
    /// NATS could not be asked for too long.
    Unknown,
}

/// The revoked tokens.
#[derive(Debug)]
pub struct Revocations {
    tokens: RevokedTokens,
    list: watch::Sender<List>,
    /// Counts additions, so that open streams look only when there is something new.
    additions: AtomicU64,
}

#[derive(Debug, Default)]
struct List {
    /// Each with its token's expiry in seconds since the Unix epoch.
    revoked: HashMap<TokenId, u64>,
    /// Holds all that was stored by then.
    as_of: Option<Instant>,
}

impl Revocations {
    /// A list that is yet to be read.
    #[must_use]
    pub fn new(bus: &Bus) -> Self {
        Self {
            tokens: bus.revoked_tokens(),
            list: watch::Sender::default(),
            additions: AtomicU64::new(0),
        }
    }

    /// What is known of a token.
    #[must_use]
    pub fn standing(&self, token: &TokenId) -> Standing {
        self.list.borrow().standing(token, Instant::now())
    }

    /// Whether the list was read lately.
    pub(crate) fn holds(&self) -> bool {
        self.list.borrow().holds(Instant::now())
    }

    /// Waits until the list holds, five seconds at most.
    pub(crate) async fn known(&self) {
        let mut list = self.list.subscribe();
        let holds = list.wait_for(|list| list.holds(Instant::now()));
        let _ = timeout(PATIENCE, holds).await;
    }

    /// Revokes a token, here at once; returns until when it is kept.
    pub(crate) async fn revoke(
        &self,
        token: &TokenId,
        expires: Timestamp,
        now: Timestamp,
        by: &str,
    ) -> Result<Timestamp, AppendError> {
        let revocation = Revocation {
            expires: expires.millis() / 1000,
            revoked: now,
            by: by.to_owned(),
        };
        let keep = Duration::from_millis(expires.since(now)) + MARGIN;
        let until = self.tokens.put(token, &revocation, keep).await?;
        self.add([(token.clone(), until)], None);
        Ok(Timestamp::from_millis(until.saturating_mul(1000)))
    }

    /// Reads on for ever.
    pub(crate) async fn keep(&self) {
        let mut timer = interval(READ_EVERY);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut read = ReadUpTo::default();
        let mut failed = false;
        loop {
            timer.tick().await;
            let asked = Instant::now();
            match self.tokens.since(read).await {
                Ok((found, up_to)) => {
                    read = up_to;
                    failed = false;
                    self.add(found, Some(asked));
                }
                Err(error) if failed => tracing::debug!(%error, "the revoked tokens can't be read"),
                Err(error) => {
                    failed = true;
                    tracing::warn!(%error, "the revoked tokens can't be read; tokens are refused if this goes on");
                }
            }
        }
    }

    fn add(&self, found: impl IntoIterator<Item = (TokenId, u64)>, as_of: Option<Instant>) {
        let found: Vec<_> = found.into_iter().collect();
        let added = !found.is_empty();
        self.list.send_modify(|list| {
            if added {
                list.add(found, now());
            }
            list.as_of = as_of.or(list.as_of);
        });
        if added {
            self.additions.fetch_add(1, Ordering::Release);
        }
    }
}

impl List {
    fn holds(&self, now: Instant) -> bool {
        self.as_of.is_some_and(|as_of| now < as_of + GOOD_FOR)
    }

    fn standing(&self, token: &TokenId, now: Instant) -> Standing {
        if self.revoked.contains_key(token) {
            Standing::Revoked
        } else if self.holds(now) {
            Standing::Good
        } else {
            Standing::Unknown
        }
    }

    /// Takes what was found, and lets go of what no clock accepts any more.
    fn add(&mut self, found: Vec<(TokenId, u64)>, now: Timestamp) {
        for (token, expires) in found {
            let until = self.revoked.entry(token).or_default();
            *until = expires.max(*until);
        }
        let passed = (now.millis() / 1000).saturating_sub(MARGIN.as_secs());
        self.revoked.retain(|_, expires| *expires > passed);
    }
}

/// What keeps a stream open that a signed token has opened. It costs a look at the clock and at a number;
/// its holder asks whenever it is awake, and at every heartbeat it is.
#[derive(Debug)]
pub struct Lease {
    token: TokenId,
    expires: Timestamp,
    ends: Instant,
    list: Arc<Revocations>,
    seen: u64,
}

impl Lease {
    /// The lease of a token that expires at `expires`.
    #[must_use]
    pub fn new(token: TokenId, expires: Timestamp, now: Timestamp, list: Arc<Revocations>) -> Self {
        Self {
            token,
            expires,
            ends: Instant::now() + Duration::from_millis(expires.since(now)),
            list,
            // What was added before is looked at first.
            seen: u64::MAX,
        }
    }

    /// Why it is over, once it is. That NATS is away ends nothing: nothing comes from there meanwhile.
    pub fn over(&mut self) -> Option<Refused> {
        if Instant::now() >= self.ends {
            return Some(Refused::Expired(self.expires));
        }
        let additions = self.list.additions.load(Ordering::Acquire);
        if additions == self.seen {
            return None;
        }
        self.seen = additions;
        let is_revoked = self.list.standing(&self.token) == Standing::Revoked;
        is_revoked.then_some(Refused::Revoked)
    }
}

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TokenId {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_that_is_too_old_knows_the_revoked_alone() {
        let began = Instant::now();
        let mut list = List::default();
        assert_eq!(list.standing(&id("a"), began), Standing::Unknown);
        list.add(vec![(id("bad"), 100)], Timestamp::default());
        list.as_of = Some(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(list.standing(&id("a"), at(7)), Standing::Good);
        assert_eq!(list.standing(&id("a"), at(8)), Standing::Unknown);
        assert_eq!(list.standing(&id("bad"), at(7)), Standing::Revoked);
        assert_eq!(list.standing(&id("bad"), at(8)), Standing::Revoked);
    }

    #[test]
    fn an_entry_goes_a_minute_after_its_token_and_is_never_cut_short() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let mut list = List::default();
        list.add(vec![(id("a"), 100), (id("b"), 200)], at(50));
        list.add(vec![(id("b"), 20)], at(159));
        assert!(list.revoked.contains_key(&id("a")));
        list.add(Vec::new(), at(160));
        assert_eq!(list.revoked, HashMap::from([(id("b"), 200)]));
    }
}
