//! NATS JWTs (version 2): `header.claims.signature`, signed with an nkey (ed25519).
//!
//! The forms are those of <https://github.com/nats-io/jwt>: the server reads `iss`, `sub`, `iat`,
//! `exp` and `nats`; `jti` only has to be unique.

use aideator_contract::canonical::sha256_hex;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use nkeys::KeyPair;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::CredentialsError;
use super::permissions::Permissions;

/// Everything but what is told by the signing key.
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) name: String,
    /// Seconds since the Unix epoch.
    pub(super) issued: u64,
    /// Seconds since the Unix epoch; `None` is never.
    pub(super) expires: Option<u64>,
    pub(super) nats: Value,
}

/// Signs `claims` with `issuer`.
pub(super) fn sign(issuer: &KeyPair, claims: &Claims) -> Result<String, CredentialsError> {
    let mut body = json!({
        "iss": issuer.public_key(),
        "sub": claims.subject,
        "name": claims.name,
        "iat": claims.issued,
        "nats": claims.nats,
    });
    if let Some(expires) = claims.expires {
        body["exp"] = expires.into();
    }
    body["jti"] = sha256_hex(body.to_string().as_bytes()).into();
    let header = BASE64.encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let signed = format!("{header}.{}", BASE64.encode(body.to_string()));
    let signature = BASE64.encode(issuer.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

/// The claims of a JWT, without checking its signature: for reading one's own.
pub(super) fn claims(token: &str) -> Option<Value> {
    let body = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64.decode(body).ok()?).ok()
}

pub(super) fn operator(system_account: &str) -> Value {
    json!({ "type": "operator", "version": 2, "system_account": system_account })
}

/// What an account is beside its limits, which are the server's: one installation, one tenant.
#[derive(Default)]
pub(super) struct Account {
    pub(super) jetstream: bool,
    pub(super) signing_keys: Vec<Value>,
    pub(super) exports: Vec<Value>,
    pub(super) imports: Vec<Value>,
    pub(super) mappings: Map<String, Value>,
}

pub(super) fn account(about: &Account) -> Value {
    let mut limits = json!({
        "subs": -1, "data": -1, "payload": -1,
        "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    });
    if about.jetstream {
        for unlimited in [
            "mem_storage",
            "disk_storage",
            "streams",
            "consumer",
            "max_ack_pending",
        ] {
            limits[unlimited] = (-1).into();
        }
    }
    json!({
        "type": "account",
        "version": 2,
        "limits": limits,
        "signing_keys": about.signing_keys,
        "exports": about.exports,
        "imports": about.imports,
        "mappings": about.mappings,
    })
}

/// How often what is exported answers: messages that are heard are not answered at all.
#[derive(Clone, Copy)]
pub(super) enum Export {
    Heard,
    AnsweredOnce,
    AnsweredOften,
}

pub(super) fn export(subject: &str, kind: Export) -> Value {
    let (kind, answers) = match kind {
        Export::Heard => ("stream", None),
        Export::AnsweredOnce => ("service", Some("Singleton")),
        Export::AnsweredOften => ("service", Some("Stream")),
    };
    let mut export = json!({ "name": subject, "subject": subject, "type": kind });
    if let Some(answers) = answers {
        export["response_type"] = answers.into();
    }
    export
}

/// What is published at `from` is heard here.
pub(super) fn heard(subject: &str, from: &str) -> Value {
    json!({ "name": subject, "subject": subject, "type": "stream", "account": from })
}

/// What is asked here on `local` is asked there on `subject`.
pub(super) fn asked(local: &str, subject: &str, from: &str) -> Value {
    let mut import =
        json!({ "name": local, "subject": subject, "type": "service", "account": from });
    if local != subject {
        import["local_subject"] = local.into();
    }
    import
}

/// A signing key whose users can have exactly the permissions of `template`.
pub(super) fn scoped_key(key: &str, role: &str, template: &Permissions) -> Value {
    json!({
        "kind": "user_scope",
        "key": key,
        "role": role,
        "template": with(template, &json!({ "subs": -1, "data": -1, "payload": -1 })),
    })
}

/// A user with permissions of its own. `account` is given when a signing key signs for it.
pub(super) fn user(
    account: Option<&str>,
    inbox: &str,
    allowed: &Permissions,
    bearer: bool,
) -> Value {
    let mut rest = json!({
        "subs": -1, "data": -1, "payload": -1,
        "type": "user", "version": 2,
        "tags": [inbox_tag(inbox)],
    });
    if let Some(account) = account {
        rest["issuer_account"] = account.into();
    }
    if bearer {
        rest["bearer_token"] = true.into();
    }
    with(allowed, &rest)
}

/// A user of a scoped signing key: the server demands that permissions and limits are empty.
pub(super) fn scoped_user(account: &str, inbox: &str, tags: &[String]) -> Value {
    let tags: Vec<String> = tags.iter().cloned().chain([inbox_tag(inbox)]).collect();
    json!({ "type": "user", "version": 2, "issuer_account": account, "tags": tags })
}

const INBOX_TAG: &str = "inbox:";

fn inbox_tag(prefix: &str) -> String {
    format!("{INBOX_TAG}{prefix}")
}

/// The inbox prefix that the claims of a user name.
pub(super) fn inbox_of(claims: &Value) -> Option<String> {
    let tags = claims["nats"]["tags"].as_array()?;
    tags.iter()
        .filter_map(Value::as_str)
        .find_map(|tag| tag.strip_prefix(INBOX_TAG))
        .map(str::to_owned)
}

fn with(base: impl Serialize, extra: &Value) -> Value {
    let mut object = serde_json::to_value(base).expect("permissions are plain data");
    for (name, value) in extra.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}
