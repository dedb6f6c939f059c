//! Errors of the API: problem documents (RFC 9457).

use std::fmt;

use serde::Deserialize;

/// What the API says when it can't do something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// A short title.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened, for people.
    pub(crate) detail: Option<String>,
    /// The reason's code, for programs.
    pub(crate) code: Option<String>,
}

impl Problem {
    /// Reads a problem document; an answer that is none is shown as it is.
    pub(crate) fn read(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Self>(body) {
            Ok(problem) if !problem.title.is_empty() || problem.detail.is_some() => Self {
                // In a stream there is no other status than the document's.
                status: if status == 0 { problem.status } else { status },
                ..problem
            },
            _ => Self {
                title: format!("the server answered {status}"),
                status,
                detail: Some(body.trim().chars().take(300).collect())
                    .filter(|d: &String| !d.is_empty()),
                code: None,
            },
        }
    }

    /// The fault is in what was asked, not in the server.
    pub(crate) fn is_ours(&self) -> bool {
        (400..500).contains(&self.status)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(&self.title))?;
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_is_said_in_its_own_words() {
        let problem = Problem::read(
            422,
            r#"{"type":"about:blank","title":"Unprocessable","status":422,"detail":"prompt is empty","code":"bad-value"}"#,
        );
        assert_eq!(problem.to_string(), "prompt is empty (bad-value)");
        assert!(problem.is_ours());
    }

    #[test]
    fn another_answer_is_shown_as_it_is() {
        let problem = Problem::read(502, "Bad Gateway\n");
        assert_eq!(problem.to_string(), "Bad Gateway");
        assert!(!problem.is_ours());
        assert_eq!(
            Problem::read(500, "").to_string(),
            "the server answered 500"
        );
    }
}
