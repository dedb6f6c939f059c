//! What each user may publish and subscribe: all of it, and nowhere else.
//!
//! It travels in the user's JWT, and that in one line of at most 4096 bytes, unless nats-server
//! is told to take longer ones; so the lists are short.

use aideator_contract::subject::{
    ARCHIVE_BUCKET, Command, DEAD_ALL, DEAD_STREAM, LIVE_ALL, OPEN_BUCKET, REPORTS, REQUESTS_ALL,
    REQUESTS_STREAM, REVOKED_BUCKET, RUNS_STREAM, STATES, durable, rpc,
};
use aideator_contract::{RunId, Subject, Variation};
use serde::Serialize;

const ANSWERS_TTL_NS: u64 = 5 * 60 * 1_000_000_000;
const RPC: &str = "aideator.rpc.>";
/// What `nats micro ls` asks.
const MICRO: &str = "$SRV.>";
/// A service asks itself whether it can be asked.
const MICRO_PING: &str = "$SRV.PING.>";
const ATTEMPTS: &str = "aideator.runs.*.*.attempt";
const CONTROL: &str = "aideator.control.>";
/// What all inboxes begin with.
const INBOX: &str = "_INBOX";

/// A user of a service or a person, kept with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum User {
    /// Everything inside the account: `aideator up`, `aideator doctor`, tests.
    Admin,
    /// The submitter: declares the streams, takes commands, writes states and opens attempts.
    Submitter,
    /// The watcher: writes states and closes attempts.
    Watcher,
    /// The edge: sends commands, reads, revokes tokens, and can't touch a consumer or a stream.
    Edge,
    /// Scripts: send commands, ask services and read. Its inbox is the default of NATS clients.
    Client,
}

impl User {
    /// All users.
    pub const ALL: [Self; 5] = [
        Self::Admin,
        Self::Submitter,
        Self::Watcher,
        Self::Edge,
        Self::Client,
    ];

    /// The name in its JWT and of its file (`<name>.creds`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Submitter => "submitter",
            Self::Watcher => "watcher",
            Self::Edge => "edge",
            Self::Client => "client",
        }
    }

    /// Where answers to its requests arrive. Each service has its own, so that none hears another's.
    #[must_use]
    pub fn inbox_prefix(self) -> String {
        match self {
            Self::Admin | Self::Client => INBOX.to_owned(),
            other => format!("{INBOX}_{}", other.name()),
        }
    }

    pub(super) fn permissions(self) -> Permissions {
        let inbox = format!("{}.>", self.inbox_prefix());
        let open = format!("KV_{OPEN_BUCKET}");
        let open_keys = format!("$KV.{OPEN_BUCKET}.>");
        let revoked = format!("KV_{REVOKED_BUCKET}");
        let archive = format!("OBJ_{ARCHIVE_BUCKET}");
        let archives = format!("$O.{ARCHIVE_BUCKET}.>");
        match self {
            Self::Admin => Permissions::new([">"], [">"]),
            Self::Submitter => Permissions::new(
                [
                    STATES,
                    ATTEMPTS,
                    &open_keys,
                    DEAD_ALL,
                    CONTROL,
                    MICRO_PING,
                    // What `aideator.rpc.run` is asked is stored before it is answered.
                    Command::Run.subject().as_str(),
                ],
                [&inbox, rpc::RUN, rpc::INFO, MICRO],
            )
            .answering()
            .declaring([
                REQUESTS_STREAM,
                RUNS_STREAM,
                DEAD_STREAM,
                &archive,
                &open,
                &revoked,
            ])
            .reading_everything()
            .purging(&open)
            .consuming(RUNS_STREAM, durable::SUBMITTER_STATE, STATES)
            // Nobody else consumes requests.
            .consuming(REQUESTS_STREAM, "*", REQUESTS_ALL),
            Self::Watcher => Permissions::new(
                [
                    STATES,
                    ATTEMPTS,
                    &open_keys,
                    &archives,
                    Subject::dead_report().as_str(),
                    MICRO_PING,
                ],
                [&inbox, rpc::RUNS_LIST, rpc::RUNS_GET, rpc::REBUILD, MICRO],
            )
            .answering()
            .consuming(RUNS_STREAM, durable::WATCHER_STATE, STATES)
            .consuming(RUNS_STREAM, durable::WATCHER_REPORT, REPORTS)
            .consuming(RUNS_STREAM, durable::PROJECTION, STATES)
            .consuming(RUNS_STREAM, durable::ARCHIVE, STATES)
            .reading(RUNS_STREAM)
            .reading(&archive)
            .reading(&open)
            .purging(RUNS_STREAM)
            .purging(&archive)
            .purging(&open),
            Self::Edge => Permissions::new(
                [
                    rpc::INFO,
                    rpc::RUNS_LIST,
                    rpc::RUNS_GET,
                    &format!("$KV.{REVOKED_BUCKET}.*"),
                ],
                [&inbox, LIVE_ALL],
            )
            .commanding()
            .reading(RUNS_STREAM)
            .reading(&archive)
            .reading(&revoked),
            Self::Client => Permissions::new([RPC, MICRO], [&inbox, LIVE_ALL])
                .commanding()
                .reading(RUNS_STREAM)
                .reading(&archive),
        }
    }
}

/// Where answers to an agent's requests arrive.
pub(super) fn agent_inbox(run: &RunId, variation: Variation) -> String {
    format!("{INBOX}_{run}_{variation}")
}

/// The permissions of every agent. nats-server puts the tags of the user's JWT in.
pub(super) fn agent_template() -> Permissions {
    const MINE: &str = "aideator.runs.{{tag(run)}}.{{tag(variation)}}";
    let out = format!("{MINE}.out");
    let report = format!("{MINE}.report");
    let read_attempt = format!("$JS.API.DIRECT.GET.{RUNS_STREAM}.{MINE}.attempt");
    let read_out = format!("$JS.API.DIRECT.GET.{RUNS_STREAM}.{out}");
    Permissions::new(
        [&out, &report, &read_attempt, &read_out],
        [
            "_INBOX_{{tag(run)}}_{{tag(variation)}}.>",
            "aideator.control.{{tag(run)}}.{{tag(variation)}}",
        ],
    )
}

pub(super) fn agent_tags(run: &RunId, variation: Variation) -> Vec<String> {
    vec![format!("run:{run}"), format!("variation:{variation}")]
}

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

    /// What may be published.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        self.publish.allow.iter().map(String::as_str)
    }

    /// What may be heard beside answers.
    pub(super) fn heard(&self) -> impl Iterator<Item = &str> {
        let heard = self.subscribe.allow.iter().map(String::as_str);
        heard.filter(|subject| !subject.starts_with(INBOX))
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

    /// May also ask of a stream: a batch, the last message of a subject (of any replica and of the
    /// leader), and how far it has come.
    fn reading(self, stream: &str) -> Self {
        self.and([
            format!("$JS.API.DIRECT.GET.{stream}"),
            format!("$JS.API.DIRECT.GET.{stream}.>"),
            format!("$JS.API.STREAM.MSG.GET.{stream}"),
            format!("$JS.API.STREAM.INFO.{stream}"),
        ])
    }

    /// The same of every stream of the account.
    fn reading_everything(self) -> Self {
        self.and([
            "$JS.API.DIRECT.GET.>".to_owned(),
            "$JS.API.STREAM.MSG.GET.*".to_owned(),
            "$JS.API.STREAM.INFO.*".to_owned(),
        ])
    }

    /// May also make these streams, or change them to what is declared.
    fn declaring<const N: usize>(self, streams: [&str; N]) -> Self {
        self.and(streams.map(|stream| format!("$JS.API.STREAM.CREATE.{stream}")))
            .and(streams.map(|stream| format!("$JS.API.STREAM.UPDATE.{stream}")))
    }

    /// May also remove messages of a stream: the keys of a bucket go this way.
    fn purging(self, stream: &str) -> Self {
        self.and([format!("$JS.API.STREAM.PURGE.{stream}")])
    }

    /// May also make this one consumer, take its messages and settle them. The server states where
    /// a message is settled in a short or in a long form.
    fn consuming(self, stream: &str, durable: &str, filter: &str) -> Self {
        self.and([
            format!("$JS.API.CONSUMER.CREATE.{stream}.{durable}.{filter}"),
            format!("$JS.API.CONSUMER.INFO.{stream}.{durable}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"),
            format!("$JS.ACK.{stream}.{durable}.>"),
            format!("$JS.ACK.*.*.{stream}.{durable}.>"),
        ])
    }

    fn and<const N: usize>(mut self, publish: [String; N]) -> Self {
        self.publish.allow.extend(publish);
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

    #[test]
    fn who_writes_attempts_may_write_those_of_the_contract() {
        let run: RunId = "r-1".parse().unwrap();
        let attempt = Subject::attempt(&run, Variation::at(3).unwrap()).to_string();
        let written: Vec<_> = ATTEMPTS.split('.').collect();
        let same = |(token, pattern): (&str, &&str)| *pattern == "*" || token == *pattern;
        assert!(attempt.split('.').zip(&written).all(same));
        assert_eq!(attempt.split('.').count(), written.len());
    }
}
