//! What nats-server is told about the keys.

use std::fmt::Write as _;

/// Whom nats-server trusts. Holds no seed.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The operator's JWT.
    pub operator: String,
    /// Public key of the system account.
    pub system_account: String,
    /// Every account: public key and JWT.
    pub accounts: Vec<(String, String)>,
    /// The bearer user JWT of connections without credentials, where they are let in: locally.
    pub sentinel: String,
}

impl Trust {
    /// The lines of nats-server's configuration that let in who has credentials, and nobody else.
    #[must_use]
    pub fn to_config(&self) -> String {
        let Self {
            operator,
            system_account,
            accounts,
            ..
        } = self;
        let mut text = format!(
            "operator: {operator}\nsystem_account: {system_account}\nresolver: MEMORY\nresolver_preload: {{\n"
        );
        for (key, jwt) in accounts {
            let _ = writeln!(text, "  {key}: {jwt}");
        }
        text.push_str("}\n");
        text
    }
}
