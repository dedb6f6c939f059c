//! The accounts, and what passes between them.
//!
//! The streams are in the account of the services, with the submitter and the watcher, which
//! write them. Agents, edges and clients only ask, and each kind has an account of its own,
//! because nats-server checks where a client publishes and not where it wants the answer: inside
//! the services' account, by a reply subject of its choice, whoever may read can have the answer
//! (an ack, or a stored message) kept as somebody's words, or have it delete a stream.
//!
//! From an account of its own an answer reaches nothing but what that account imports:
//!
//! - Edges and clients import exactly what each of them may ask anyway.
//! - Agents share an account, and one may not write what another may. So all they ask comes from
//!   one export: nats-server follows no message through the same export twice.

use serde_json::{Map, Value, json};

use super::jwt::{self, Export};
use super::permissions::Permissions;

/// Three tokens or more: commands, services, JetStream, what agents write.
const ONCE: &str = "*.*.>";
/// All instances of all services answer.
const SERVICES: &str = "$SRV.>";
/// Another name of `$JS.API.DIRECT.GET.<stream>`, whose answers are many. Nothing else is answered
/// so: the server remembers such a question until nobody listens for its answers any more.
const BATCH: &str = "batch";
const DIRECT_GET: &str = "$JS.API.DIRECT.GET.";
/// An account that imports this is not given JetStream's interface to its own streams (it has
/// none), which would answer the same questions with an error.
const NO_JETSTREAM: &str = "$JS.API.INFO";

/// What the account of the services offers to the others.
pub(super) fn exports() -> Vec<Value> {
    vec![
        jwt::export(ONCE, Export::AnsweredOnce),
        jwt::export(SERVICES, Export::AnsweredOften),
        jwt::export(&format!("{BATCH}.*"), Export::AnsweredOften),
        jwt::export(">", Export::Heard),
    ]
}

/// What is sent on elsewhere in the account of the services.
pub(super) fn mappings() -> Map<String, Value> {
    let direct = format!("{DIRECT_GET}{{{{wildcard(1)}}}}");
    let to = json!([{ "subject": direct, "weight": 100 }]);
    Map::from_iter([(format!("{BATCH}.*"), to)])
}

/// What an account takes from that of the `services`: what its users, who have these permissions,
/// may ask and hear, and nothing else.
pub(super) fn imports(services: &str, allowed: &Permissions) -> Vec<Value> {
    let asked = allowed.asked().map(|subject| match batch(subject) {
        Some(batch) => jwt::asked(subject, &batch, services),
        None => jwt::asked(&any(subject), &any(subject), services),
    });
    let heard = allowed
        .heard()
        .map(|subject| jwt::heard(&any(subject), services));
    asked
        .chain([jwt::asked(NO_JETSTREAM, NO_JETSTREAM, services)])
        .chain(heard)
        .collect()
}

/// The other name of a batched Direct Get.
fn batch(subject: &str) -> Option<String> {
    let stream = subject.strip_prefix(DIRECT_GET)?;
    (!stream.contains('.')).then(|| format!("{BATCH}.{stream}"))
}

/// A subject of a template, with anything where the server puts a tag in.
fn any(subject: &str) -> String {
    let any = |token| match token {
        tag if str::starts_with(tag, "{{") => "*",
        token => token,
    };
    subject.split('.').map(any).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::super::permissions::agent_template;
    use super::*;

    #[test]
    fn agents_take_what_their_template_allows_from_one_export() {
        let imports = imports("SERVICES", &agent_template());
        let subjects: Vec<_> = imports
            .iter()
            .map(|import| import["subject"].as_str().unwrap())
            .collect();
        assert_eq!(
            subjects,
            [
                "aideator.runs.*.*.out",
                "aideator.runs.*.*.report",
                "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.*.*.attempt",
                "$JS.API.DIRECT.GET.AIDEATOR_RUNS.aideator.runs.*.*.out",
                "$JS.API.INFO",
                "aideator.control.*.*",
            ]
        );
        let answered_often = |import: &&Value| {
            let subject = import["subject"].as_str().unwrap();
            subject.starts_with(BATCH) || subject.starts_with("$SRV")
        };
        assert_eq!(imports.iter().find(answered_often), None);
    }
}
