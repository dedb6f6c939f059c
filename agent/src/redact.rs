//! Takes known secrets out of everything that is published.
//!
//! Streaming-safe: an end of the text that may be the beginning of a secret is held back until the
//! next chunk decides it. The digest of a variation is taken after this.

use crate::model::overlap;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Shorter values are ordinary words; replacing them would garble the text and hide nothing.
const SHORTEST_SECRET: usize = 8;

/// The secrets to take out. Cheap to share; one [`Redactor`] per stream of text.
#[derive(Debug, Clone, Default)]
pub struct Secrets(std::sync::Arc<[String]>);

impl Secrets {
    /// Keeps the values worth hiding, longest first, so that a secret within a longer one never wins.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values
            .into_iter()
            .filter(|value| value.len() >= SHORTEST_SECRET)
            .collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into())
    }

    /// The secrets among environment variables: the values that are told by their names, and what
    /// URLs (of proxies, of servers) hold for logging in.
    pub fn in_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::new(variables.into_iter().flat_map(|(name, value)| {
            let mut secrets = login_in(&value);
            if names_a_secret(&name) {
                secrets.push(value);
            }
            secrets
        }))
    }

    /// These and the given ones.
    #[must_use]
    pub fn and(&self, more: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.0.iter().cloned().chain(more))
    }

    /// A whole text without its secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut redactor = self.redactor();
        let mut clean = redactor.push(text);
        clean.push_str(&redactor.finish());
        clean
    }

    /// A redactor for one stream of text.
    pub fn redactor(&self) -> Redactor {
        Redactor {
            secrets: self.clone(),
            held: String::new(),
        }
    }

    /// The first secret in `text`: the leftmost, and of those the longest.
    fn first_in(&self, text: &str) -> Option<(usize, usize)> {
        self.0
            .iter()
            .filter_map(|secret| text.find(secret.as_str()).map(|at| (at, secret.len())))
            .min_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)))
    }

    /// Where the longest end of `text` begins that may grow into a secret.
    fn undecided(&self, text: &str) -> usize {
        let longest = self
            .0
            .iter()
            .map(|secret| overlap(text, secret))
            .max()
            .unwrap_or(0);
        text.len() - longest
    }
}

/// Whether a variable of this name holds a secret.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = [
        "_KEY",
        "_TOKEN",
        "_SECRET",
        "_PASSWORD",
        "_CREDENTIALS",
        "_CREDS",
        "_BEARER_TOKEN_BEDROCK",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

/// The login in a URL, as it is written there and as it is meant.
fn login_in(value: &str) -> Vec<String> {
    let Some((_, after)) = value.split_once("://") else {
        return Vec::new();
    };
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((login, _)) = authority.rsplit_once('@') else {
        return Vec::new();
    };
    let password = login.split_once(':').map(|(_, password)| password);
    [Some(login), password]
        .into_iter()
        .flatten()
        .flat_map(|text| [text.to_owned(), decoded(text)])
        .collect()
}

/// A part of a URL without its percent-encoding.
fn decoded(text: &str) -> String {
    // In a form `+` would be a space and `&` an end.
    let form = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// The state of one stream of text.
#[derive(Debug)]
pub struct Redactor {
    secrets: Secrets,
    held: String,
}

impl Redactor {
    /// Takes the next chunk and gives back what is certain by now.
    pub fn push(&mut self, chunk: &str) -> String {
        if self.secrets.0.is_empty() {
            return chunk.to_owned();
        }
        self.held.push_str(chunk);
        let mut clean = String::with_capacity(self.held.len());
        let mut from = 0;
        loop {
            let rest = &self.held[from..];
            let undecided = self.secrets.undecided(rest);
            match self.secrets.first_in(rest) {
                // A secret that begins at or after an undecided place may be part of a longer one.
                Some((at, len)) if at < undecided => {
                    clean.push_str(&rest[..at]);
                    clean.push_str(REDACTED);
                    from += at + len;
                }
                _ => {
                    clean.push_str(&rest[..undecided]);
                    from += undecided;
                    break;
                }
            }
        }
        self.held.drain(..from);
        clean
    }

    /// Gives back what was held, now that nothing follows.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let (mut clean, mut rest) = (String::new(), held.as_str());
        while let Some((at, len)) = self.secrets.first_in(rest) {
            clean.push_str(&rest[..at]);
            clean.push_str(REDACTED);
            rest = &rest[at + len..];
        }
        clean + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stream(secrets: &Secrets, chunks: &[String]) -> String {
        let mut redactor = secrets.redactor();
        let mut clean: String = chunks.iter().map(|chunk| redactor.push(chunk)).collect();
        clean.push_str(&redactor.finish());
        clean
    }

    /// The same without streaming.
    fn reference(secrets: &Secrets, all: &str) -> String {
        let (mut clean, mut rest) = (String::new(), all);
        while let Some((at, len)) = secrets.first_in(rest) {
            clean.push_str(&rest[..at]);
            clean.push_str(REDACTED);
            rest = &rest[at + len..];
        }
        clean + rest
    }

    #[test]
    fn a_secret_across_chunks_is_taken_out() {
        let secrets = Secrets::new(["sk-0123456789".to_owned()]);
        let mut redactor = secrets.redactor();
        assert_eq!(redactor.push("key: sk-012"), "key: ");
        assert_eq!(redactor.push("3456789 end"), "[redacted] end");
    }

    #[test]
    fn text_that_only_looks_like_a_secret_is_kept() {
        let secrets = Secrets::new(["sk-0123456789".to_owned()]);
        assert_eq!(
            stream(&secrets, &["sk-0123".into(), "45x".into()]),
            "sk-012345x"
        );
    }

    #[test]
    fn secrets_are_known_by_the_name_of_their_variable() {
        let variables = [
            ("OPENAI_API_KEY", "sk-abcdefgh"),
            ("PATH", "/usr/bin:/bin"),
            ("A_KEY", "short"),
        ];
        let secrets = Secrets::in_environment(variables.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(
            secrets.clean("sk-abcdefgh /usr/bin:/bin short"),
            "[redacted] /usr/bin:/bin short"
        );
    }

    #[test]
    fn a_token_with_another_name_and_logins_in_urls_are_secrets_too() {
        let variables = [
            ("AWS_BEARER_TOKEN_BEDROCK", "bearer-0123"),
            ("https_proxy", "http://me:pass%2Fword+1@proxy:3128/"),
            ("OPENAI_BASE_URL", "https://only-a-token@host/v1?a=b@c"),
            ("ANOTHER_URL", "https://open.example/v1"),
        ];
        let secrets = Secrets::in_environment(variables.map(|(n, v)| (n.to_owned(), v.to_owned())));
        for secret in [
            "bearer-0123",
            "pass%2Fword+1",
            "pass/word+1",
            "only-a-token",
        ] {
            assert_eq!(secrets.clean(secret), REDACTED, "{secret}");
        }
        assert_eq!(
            secrets.clean("http://me:pass%2Fword+1@proxy:3128/ https://open.example/v1"),
            "http://[redacted]@proxy:3128/ https://open.example/v1"
        );
    }

    proptest! {
        #[test]
        fn chunk_borders_change_nothing(
            values in prop::collection::vec("[ab]{8,10}", 0..4),
            chunks in prop::collection::vec("[abé]{0,7}", 0..12),
        ) {
            let secrets = Secrets::new(values);
            prop_assert_eq!(stream(&secrets, &chunks), reference(&secrets, &chunks.concat()));
        }

        #[test]
        fn no_secret_gets_through(
            secret in "[a-z0-9]{8,20}",
            before in "[a-z0-9é ]{0,20}",
            after in "[a-z0-9é ]{0,20}",
            cut in 0usize..40,
        ) {
            let secrets = Secrets::new([secret.clone()]);
            let all = format!("{before}{secret}{after}");
            let cut = (0..=cut.min(all.len())).rev().find(|&at| all.is_char_boundary(at)).unwrap_or(0);
            let clean = stream(&secrets, &[all[..cut].to_owned(), all[cut..].to_owned()]);
            prop_assert!(!clean.contains(&secret));
        }
    }
}
