//! What is known about the connection, from what the client tells about it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_nats::{Event, ServerError};

/// Refused subjects remembered for the requests that wait on them.
const VIOLATIONS: usize = 32;

/// What the connection's events have told so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    pub(crate) up: bool,
    pub(crate) closed: bool,
    /// The server said that we are not (or no longer) who we claim to be.
    pub(crate) unauthorized: bool,
    pub(crate) connects: u64,
    pub(crate) violations: u64,
    refused: VecDeque<(u64, Arc<str>)>,
}

impl Link {
    pub(crate) fn observe(&mut self, event: &Event) {
        match event {
            Event::Connected => {
                self.up = true;
                self.unauthorized = false;
                self.connects += 1;
            }
            Event::Disconnected => self.up = false,
            Event::Closed => {
                self.up = false;
                self.closed = true;
            }
            Event::ServerError(ServerError::AuthorizationViolation) => self.unauthorized = true,
            Event::ServerError(ServerError::Other(text)) => self.complaint(text),
            Event::ClientError(error) if error.to_string().contains("authorization violation") => {
                self.unauthorized = true;
            }
            _ => {}
        }
    }

    fn complaint(&mut self, text: &str) {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("user authentication") || lower.starts_with("account authentication") {
            self.unauthorized = true;
        }
        if let Some(subject) = refused_publish(text) {
            self.violations += 1;
            self.refused.push_back((self.violations, subject.into()));
            if self.refused.len() > VIOLATIONS {
                self.refused.pop_front();
            }
        }
    }

    pub(crate) fn refused_since(&self, violations: u64, subject: &str) -> bool {
        self.refused
            .iter()
            .any(|(at, refused)| *at > violations && &**refused == subject)
    }
}

/// The subject in `Permissions Violation for Publish to "subject"`.
fn refused_publish(text: &str) -> Option<&str> {
    let at = text
        .to_ascii_lowercase()
        .find("permissions violation for publish to ")?;
    text[at..].split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_publish_names_its_subject() {
        let text = r#"Permissions Violation for Publish to "aideator.runs.a.0.out""#;
        assert_eq!(refused_publish(text), Some("aideator.runs.a.0.out"));
        assert_eq!(
            refused_publish("Permissions Violation for Subscription to \"x\""),
            None
        );
    }

    #[test]
    fn only_refusals_after_the_request_began_are_its_own() {
        let mut link = Link::default();
        link.complaint(r#"Permissions Violation for Publish to "a""#);
        assert!(!link.refused_since(link.violations, "a"));
        let before = link.violations;
        link.complaint(r#"Permissions Violation for Publish to "a""#);
        assert!(link.refused_since(before, "a"));
        assert!(!link.refused_since(before, "b"));
    }
}
