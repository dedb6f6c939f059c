//! What a token lets its holder do. All pure.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// What may be done. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Look: runs, streams, logs, measurements, the web interface.
    Read,
    /// Also start, cancel, retry and pick.
    Run,
    /// Also revoke tokens.
    Admin,
}

/// The scopes of a token, as its claim has them: words with spaces between (RFC 8693).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

/// Why a text is no list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadScopes {
    /// It has none.
    #[error("a token needs a scope: read, run or admin")]
    None,
    /// It has a word that is none.
    #[error(
        "there is no scope {0:?}; there are read, run (includes read) and admin (includes all)"
    )]
    Unknown(String),
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Read, Self::Run, Self::Admin];

    /// Its name in a token.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Scopes {
    /// The scope that includes all the others; `None` where a token has only scopes of a newer version.
    #[must_use]
    pub fn most(&self) -> Option<Scope> {
        self.0.last().copied()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(BTreeSet::from([scope]))
    }
}

impl FromStr for Scopes {
    type Err = BadScopes;

    /// Reads what a person types, where every word must be a scope.
    fn from_str(text: &str) -> Result<Self, BadScopes> {
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        let scope =
            |word: &str| Scope::named(word).ok_or_else(|| BadScopes::Unknown(word.to_owned()));
        let scopes: BTreeSet<Scope> = words.map(scope).collect::<Result<_, _>>()?;
        if scopes.is_empty() {
            return Err(BadScopes::None);
        }
        Ok(Self(scopes))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    /// Reads what a token says: a word of a newer version allows nothing here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(text.split(' ').filter_map(Scope::named).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_includes_those_before_it() {
        assert!(Scope::Read < Scope::Run && Scope::Run < Scope::Admin);
        for (text, most) in [
            ("read", Scope::Read),
            ("run", Scope::Run),
            ("run read", Scope::Run),
            ("read,admin", Scope::Admin),
        ] {
            assert_eq!(text.parse::<Scopes>().unwrap().most(), Some(most), "{text}");
        }
    }

    #[test]
    fn a_person_is_told_which_word_is_no_scope() {
        let bad = |text: &str| text.parse::<Scopes>().unwrap_err();
        assert_eq!(bad("run write"), BadScopes::Unknown("write".into()));
        assert_eq!(bad("Run"), BadScopes::Unknown("Run".into()));
        assert_eq!(bad(" , "), BadScopes::None);
    }

    #[test]
    fn an_unknown_scope_of_a_token_allows_nothing() {
        let read = |text: &str| serde_json::from_str::<Scopes>(text).unwrap();
        assert_eq!(read(r#""fly""#).most(), None);
        assert_eq!(read(r#""""#).most(), None);
        assert_eq!(read(r#""fly read""#).most(), Some(Scope::Read));
        assert_eq!(read(r#""ADMIN""#).most(), None);
        let both: Scopes = "run,read".parse().unwrap();
        assert_eq!(serde_json::to_string(&both).unwrap(), r#""read run""#);
    }
}
