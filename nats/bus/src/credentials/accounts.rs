//! The accounts, and what passes between them.
//!
//! Services share an account, where the streams are. Agents have one of their own, because
//! nats-server checks where a client publishes and not where it wants the answer: by a reply
//! subject of its choice an agent could have JetStream's answers (an ack, or a message it wrote
//! itself) stored as another variation's words, or sent to a service as an order. In an account
//! of its own there is nothing at such a subject but what is imported here, and that comes from
//! one export, since nats-server follows no message through the same export twice.

use serde_json::Value;

use super::jwt;
use super::permissions::CONTROL;

/// Everything agents ask for; what each may is said by its permissions.
const AGENTS_ASK: [&str; 4] = [
    "aideator.runs.*.*.out",
    "aideator.runs.*.*.report",
    "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.*.*.attempt",
    "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.*.*.out",
];

/// What the account of the services offers to that of the agents.
pub(super) fn exports() -> Vec<Value> {
    vec![jwt::export(">", "service"), jwt::export(CONTROL, "stream")]
}

/// What agents take from the account of the `services`.
pub(super) fn imports(services: &str) -> Vec<Value> {
    let asked = AGENTS_ASK
        .iter()
        .map(|subject| jwt::import(subject, "service", services));
    asked
        .chain([jwt::import(CONTROL, "stream", services)])
        .collect()
}
