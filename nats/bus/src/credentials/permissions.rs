//! What each user may publish and subscribe: all of it, and nowhere else.

use aideator_contract::subject::{Command, DEAD_ALL, LIVE_ALL, RUNS_ALL};
use aideator_contract::{RunId, Variation};
use serde::Serialize;

const ANSWERS_TTL_NS: u64 = 5 * 60 * 1_000_000_000;
const RPC: &str = "aideator.rpc.>";
/// What `nats micro ls` asks.
const MICRO: &str = "$SRV.>";
/// A service asks itself whether it can be asked.
const MICRO_PING: &str = "$SRV.PING.>";
/// Many messages of runs at once.
const READ_BATCH: &str = "$JS.API.DIRECT.GET.AIDEATOR_RUNS";
/// The last message of a subject of runs.
const READ_LAST: &str = "$JS.API.DIRECT.GET.AIDEATOR_RUNS.>";
/// How far the stream of runs has come.
const READ_STATE: &str = "$JS.API.STREAM.INFO.AIDEATOR_RUNS";
pub(super) const CONTROL: &str = "aideator.control.>";

/// A user of a service or a person, kept with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum User {
    /// Everything inside the account: `aideator doctor`, `aideator nats`, tests.
    Admin,
    /// The submitter.
    Submitter,
    /// The watcher.
    Watcher,
    /// The edge: reads by Direct Get, and can't make or delete a consumer or a stream.
    Edge,
}

impl User {
    /// All users.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Submitter, Self::Watcher, Self::Edge];

    /// The name in its JWT and of its file (`<name>.creds`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Submitter => "submitter",
            Self::Watcher => "watcher",
            Self::Edge => "edge",
        }
    }

    /// Where answers to its requests arrive. Each user has its own, so that none hears another's.
    #[must_use]
    pub fn inbox_prefix(self) -> String {
        match self {
            Self::Admin => "_INBOX".to_owned(),
            other => format!("_INBOX_{}", other.name()),
        }
    }

    pub(super) fn permissions(self) -> Permissions {
        let inbox = format!("{}.>", self.inbox_prefix());
        match self {
            Self::Admin => Permissions::new([">"], [">"]),
            Self::Submitter => Permissions::new(
                [
                    RUNS_ALL,
                    DEAD_ALL,
                    RPC,
                    CONTROL,
                    MICRO_PING,
                    "$JS.API.>",
                    "$JS.ACK.>",
                    "$KV.AIDEATOR_OPEN.>",
                ],
                [inbox.as_str(), RPC, LIVE_ALL, MICRO],
            )
            .commanding()
            .answering(),
            Self::Watcher => Permissions::new(
                [
                    RUNS_ALL,
                    DEAD_ALL,
                    RPC,
                    MICRO_PING,
                    "$JS.API.>",
                    "$JS.ACK.>",
                    "$KV.AIDEATOR_OPEN.>",
                    "$O.>",
                ],
                [inbox.as_str(), RPC, LIVE_ALL, MICRO],
            )
            .commanding()
            .answering(),
            Self::Edge => Permissions::new(
                [
                    RPC,
                    "$JS.API.STREAM.INFO.*",
                    "$JS.API.STREAM.MSG.GET.*",
                    "$JS.API.DIRECT.GET.>",
                ],
                [inbox.as_str(), LIVE_ALL],
            )
            .commanding(),
        }
    }
}

/// Where answers to an agent's requests arrive.
pub(super) fn agent_inbox(run: &RunId, variation: Variation) -> String {
    format!("_INBOX_{run}_{variation}")
}

/// The permissions of every agent. nats-server puts the tags of the user's JWT in.
pub(super) fn agent_template() -> Permissions {
    const MINE: &str = "aideator.runs.{{tag(run)}}.{{tag(variation)}}";
    let out = format!("{MINE}.out");
    let report = format!("{MINE}.report");
    let read_attempt = format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{MINE}.attempt");
    let read_out = format!("$JS.API.DIRECT.GET.AIDEATOR_RUNS.{out}");
    Permissions::new(
        [out.as_str(), &report, &read_attempt, &read_out],
        [
            "_INBOX_{{tag(run)}}_{{tag(variation)}}.>",
            "aideator.control.{{tag(run)}}.{{tag(variation)}}",
        ],
    )
}

pub(super) fn agent_tags(run: &RunId, variation: Variation) -> Vec<String> {
    vec![format!("run:{run}"), format!("variation:{variation}")]
}

/// Who comes without credentials may ask for runs and read them, and write none: so that nobody
/// does by mistake. It is not a wall against programs of this machine that mean harm (they may
/// ask for an answer at any subject; agents are kept from that by an account of their own). In a
/// cluster there is no sentinel.
pub(super) fn sentinel() -> Permissions {
    Permissions::new(
        [RPC, MICRO, READ_BATCH, READ_LAST, READ_STATE],
        [LIVE_ALL, "_INBOX.>"],
    )
    .commanding()
}

/// Where answers to the sentinel's requests arrive: the default of every NATS client.
pub(super) const SENTINEL_INBOX: &str = "_INBOX";

/// Subjects a user may publish to and subscribe to, in the form of a JWT.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Permissions {
    #[serde(rename = "pub")]
    publish: Allowed,
    #[serde(rename = "sub")]
    subscribe: Allowed,
    #[serde(rename = "resp", skip_serializing_if = "Option::is_none")]
    answers: Option<Answers>,
}

#[derive(Debug, Clone, Serialize)]
struct Allowed {
    allow: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Answers {
    max: u32,
    /// Nanoseconds.
    ttl: u64,
}

impl Permissions {
    fn new<const P: usize, const S: usize>(publish: [&str; P], subscribe: [&str; S]) -> Self {
        let allowed = |subjects: &[&str]| Allowed {
            allow: subjects
                .iter()
                .map(|subject| (*subject).to_owned())
                .collect(),
        };
        Self {
            publish: allowed(&publish),
            subscribe: allowed(&subscribe),
            answers: None,
        }
    }

    /// May also send every command, and nothing below `aideator.requests` that is none: a slip of the
    /// pen is told at once.
    fn commanding(mut self) -> Self {
        let commands = Command::ALL.map(|command| command.subject().to_string());
        self.publish.allow.extend(commands);
        self
    }

    /// May also answer, once, to the reply subject of what it received.
    fn answering(mut self) -> Self {
        self.answers = Some(Answers {
            max: 1,
            ttl: ANSWERS_TTL_NS,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use aideator_contract::Subject;

    use super::*;

    #[test]
    fn the_template_names_the_subjects_of_the_contract() {
        let run: RunId = "r-1".parse().unwrap();
        let variation = Variation::at(3).unwrap();
        let filled = serde_json::to_string(&agent_template())
            .unwrap()
            .replace("{{tag(run)}}", run.as_str())
            .replace("{{tag(variation)}}", "3");
        let expected = Permissions::new(
            [
                Subject::out(&run, variation).as_str(),
                Subject::report(&run, variation).as_str(),
                &format!(
                    "$JS.API.DIRECT.GET.AIDEATOR_RUNS.{}",
                    Subject::attempt(&run, variation)
                ),
                &format!(
                    "$JS.API.DIRECT.GET.AIDEATOR_RUNS.{}",
                    Subject::out(&run, variation)
                ),
            ],
            [
                &format!("{}.>", agent_inbox(&run, variation)),
                Subject::control(&run, variation).as_str(),
            ],
        );
        assert_eq!(filled, serde_json::to_string(&expected).unwrap());
    }
}
