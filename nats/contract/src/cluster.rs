//! Attempts in a Kubernetes cluster: names, labels and fixed parts of their Jobs, shared by the
//! submitter (which makes them), the watcher (which sees them) and the chart (whose template they are).

use std::collections::BTreeMap;

use crate::local::AttemptName;

/// The label with the program's name, `aideator`.
pub const NAME: &str = "app.kubernetes.io/name";
/// The label with the installation's name (the Helm release).
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that tells agents from services.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The label with the run's id.
pub const RUN: &str = "aideator.dev/run";
/// The label with the variation's number on the wire.
pub const VARIATION: &str = "aideator.dev/variation";
/// The label with the attempt's number.
pub const ATTEMPT: &str = "aideator.dev/attempt";
/// The annotation on a credential's Secret: when it ends, in milliseconds since the Unix epoch.
pub const EXPIRES: &str = "aideator.dev/expires";
/// The annotation on a credential's Secret: how long a new one is to live, in milliseconds.
pub const LIFETIME: &str = "aideator.dev/lifetime";

/// What [`NAME`] says on everything of ours.
pub const PROGRAM: &str = "aideator";
/// What [`COMPONENT`] says on what belongs to an attempt.
pub const AGENT: &str = "agent";

/// The container that holds the model's key and the NATS credential.
pub const BRAIN: &str = "brain";
/// The native sidecar that holds the workspace.
pub const HANDS: &str = "hands";
/// The volume with the NATS credential, for the brain alone.
pub const CREDENTIALS_VOLUME: &str = "credentials";
/// The volume of the hands' workspace.
pub const WORKSPACE_VOLUME: &str = "workspace";
/// The key of the credential in its Secret.
pub const CREDENTIALS_KEY: &str = "agent.creds";

/// The name of an attempt's Job and of its Secret: 59 characters at most, so that it is also a
/// label. Two attempts never share one, because variation and attempt hold no hyphen.
#[must_use]
pub fn object_name(name: &AttemptName) -> String {
    format!("agent-{}-{}-{}", name.run, name.variation, name.attempt)
}

/// The labels that name an attempt of an installation.
#[must_use]
pub fn labels(instance: &str, name: &AttemptName) -> BTreeMap<String, String> {
    let label = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        label(NAME, PROGRAM.to_owned()),
        label(INSTANCE, instance.to_owned()),
        label(COMPONENT, AGENT.to_owned()),
        label(RUN, name.run.to_string()),
        label(VARIATION, name.variation.to_string()),
        label(ATTEMPT, name.attempt.to_string()),
    ])
}

/// The selector of everything that belongs to attempts of an installation.
#[must_use]
pub fn selector(instance: &str) -> String {
    format!("{NAME}={PROGRAM},{INSTANCE}={instance},{COMPONENT}={AGENT}")
}

/// The attempt that labels name.
#[must_use]
pub fn attempt_of(labels: &BTreeMap<String, String>) -> Option<AttemptName> {
    Some(AttemptName {
        run: labels.get(RUN)?.parse().ok()?,
        variation: labels.get(VARIATION)?.parse().ok()?,
        attempt: labels.get(ATTEMPT)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_label_and_labels_read_back() {
        let longest = format!("{}.4.4294967295", "r".repeat(40));
        let name: AttemptName = longest.parse().unwrap();
        assert!(object_name(&name).len() <= 63);
        assert_eq!(attempt_of(&labels("i", &name)), Some(name));
        assert_eq!(attempt_of(&BTreeMap::new()), None);
    }
}
