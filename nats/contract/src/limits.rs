//! Every bound of the system, with its unit. Defaults; services may be configured lower or higher where they say so.

use std::time::Duration;

/// Bytes of a request as it arrives.
pub const REQUEST_BYTES: usize = 128 * 1024;
/// Bytes of a prompt after trimming; the least is 1.
pub const PROMPT_BYTES: usize = 32 * 1024;
/// Bytes of the extra instructions of a variation.
pub const INSTRUCTIONS_BYTES: usize = 8 * 1024;
/// Bytes of a reason given with a pick or a cancel.
pub const REMARK_BYTES: usize = 2 * 1024;
/// Bytes of a model's name.
pub const MODEL_BYTES: usize = 256;
/// Bytes of a repository's address, and of a ref.
pub const REPOSITORY_BYTES: usize = 2 * 1024;
/// Bytes of a requester's name.
pub const REQUESTER_BYTES: usize = 128;
/// Variations of a run.
pub const VARIATIONS: usize = 5;
/// Bytes of text joined into one message.
pub const JOINED_TEXT_BYTES: usize = 16 * 1024;
/// Bytes of one event; a whole value on an `*-end` event above this is given as length and SHA-256.
pub const EVENT_BYTES: usize = 256 * 1024;
/// Bytes an agent holds while NATS is away, before it stops reading its model.
pub const AGENT_QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of output of one variation as stored; beyond it is marked `truncated`.
pub const OUTPUT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a repository.
pub const REPOSITORY_SIZE: u64 = 1024 * 1024 * 1024;
/// Time for a clone.
pub const CLONE_TIME: Duration = Duration::from_secs(5 * 60);
/// Time for resolving a ref to a commit.
pub const RESOLVE_TIME: Duration = Duration::from_secs(10);
/// Refs resolved at once.
pub const RESOLVING: usize = 8;
/// Variations running at once on one machine.
pub const RUNNING_LOCAL: usize = 5;
/// Variations running at once in a cluster.
pub const RUNNING_CLUSTER: usize = 50;
/// Variations running at once for one requester.
pub const RUNNING_PER_REQUESTER: usize = 20;
/// Variations waiting; a request beyond it is refused.
pub const QUEUED: usize = 10_000;
/// Deadline of a run whose request gives none, in seconds.
pub const DEADLINE_S: u64 = 30 * 60;
/// The longest deadline a request may ask for, in seconds.
pub const DEADLINE_MAX_S: u64 = 4 * 60 * 60;
/// Time an attempt has to begin, from when its process or pod exists.
pub const START_ALLOWANCE: Duration = Duration::from_secs(5 * 60);
/// Time an agent has to flush and report after it was told to stop.
pub const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// Time past the deadline after which the watcher ends what the agent did not.
pub const DEADLINE_GRACE: Duration = Duration::from_secs(30);
/// How long an agent's credential outlives its attempt's deadline.
pub const CREDENTIAL_GRACE: Duration = Duration::from_secs(60);
/// Deliveries of a message that can't be parsed before it is dead-lettered as it is.
pub const DELIVERIES: u64 = 5;
/// Requests being decided at once.
pub const REQUESTS_IN_HAND: i64 = 8;
/// Age of messages in the stream of runs.
pub const RUNS_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Bytes of the stream of runs.
pub const RUNS_BYTES: i64 = 10 * 1024 * 1024 * 1024;
/// Age of archived runs.
pub const ARCHIVE_AGE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Bytes of archived runs, compressed.
pub const ARCHIVE_BYTES: i64 = 2 * 1024 * 1024 * 1024;
/// Bytes of the stream of dead letters.
pub const DEAD_BYTES: i64 = 256 * 1024 * 1024;
/// Age of dead letters.
pub const DEAD_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Consumers the stream of runs may have. Viewers have none.
pub const RUNS_CONSUMERS: i32 = 16;
/// How long the server remembers a `Nats-Msg-Id`. Correctness does not depend on it.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Commands of one run whose request sequence is remembered as applied.
pub const APPLIED_COMMANDS: usize = 128;
/// How long a signed token may be good.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Bytes of the name in a signed token.
pub const TOKEN_NAME_BYTES: usize = 128;
