//! What anybody may ask the submitter: to start a run and be told its id, and what is offered here.

use std::sync::Arc;

use aideator_bus::{
    Append, AppendError, Bus, Endpoint, Error as BusError, Question, Refusal, Service, ServiceSpec,
};
use aideator_contract::request::{Installation, RunRequest};
use aideator_contract::subject::{Command, rpc};
use aideator_contract::view::{Info, RunStored};
use aideator_contract::{Code, Reason, RunId, Status, limits, schema};
use bytes::Bytes;

use crate::ledger::{Ledger, now};
use crate::parse::read;

pub(crate) struct Rpc {
    pub(crate) ledger: Ledger,
    pub(crate) installation: Installation,
    pub(crate) info: Info,
}

impl Rpc {
    /// Starts answering.
    pub(crate) async fn start(self, bus: &Bus) -> Result<Service, BusError> {
        let endpoint = |name, subject, schema| Endpoint {
            name,
            subject,
            schema,
        };
        let mut schemas = schema::all().into_iter();
        let schema = schemas
            .find(|(name, _)| *name == "requests.run")
            .and_then(|(_, schema)| serde_json::to_string(&schema).ok());
        let spec = ServiceSpec {
            name: "aideator-submitter",
            version: env!("CARGO_PKG_VERSION"),
            description: "Starts runs of AIdeator",
            endpoints: vec![
                endpoint("run", rpc::RUN, schema),
                endpoint("info", rpc::INFO, None),
            ],
        };
        let this = Arc::new(self);
        Service::start(bus, spec, move |question| {
            let this = Arc::clone(&this);
            async move { this.answer(question).await }
        })
        .await
    }

    async fn answer(&self, question: Question) -> Result<Bytes, Refusal> {
        if question.subject == rpc::INFO {
            return Ok(json(&self.info));
        }
        let run_id = self.store(&question).await?;
        Ok(json(&RunStored { run_id }))
    }

    /// Judges what can be judged at once and stores the request under a run id.
    async fn store(&self, question: &Question) -> Result<RunId, Refusal> {
        let mut request: RunRequest = read(&question.payload).map_err(|r| refusal(&r))?;
        let valid = request
            .validate(&self.installation)
            .map_err(|r| refusal(&r))?;
        let run = valid.run_id.unwrap_or_else(|| name(question));
        let sha = request.sha256();
        let known = self.ledger.state(&run).await.map_err(|_| away(&run))?;
        let before = known.as_ref().map_or(0, |k| k.sequence);
        if let Some(known) = known.filter(|k| k.summary().status != Status::Rejected) {
            return if known.summary().request_sha256 == sha {
                Ok(run)
            } else {
                let words = format!("the run {run} exists with another request");
                Err(refusal(&Reason::new(Code::Conflict, words)))
            };
        }
        request.run_id = Some(run.to_string());
        let id = message_id(&run, before, &sha);
        let append = Append {
            msg_id: Some(&id),
            ..Append::default()
        };
        let stored = self
            .ledger
            .bus()
            .append(&Command::Run.subject(), json(&request), append)
            .await;
        match stored {
            Ok(_) => Ok(run),
            Err(AppendError::TooLarge(_)) => {
                let most = limits::REQUEST_BYTES;
                let words = format!("the request is too large; at most {most} bytes are allowed");
                Err(refusal(&Reason::new(Code::TooLarge, words)))
            }
            Err(error) => {
                tracing::warn!(%run, %error, "a request could not be stored");
                Err(away(&run))
            }
        }
    }
}

/// The id of a request that names no run: by its message's name, else one that nobody has.
fn name(question: &Question) -> RunId {
    match &question.msg_id {
        Some(key) => RunId::from_key(key),
        None => RunId::from_sequence(rand::random::<u64>() >> 16, now()),
    }
}

/// The name of the message that asks for a run whose state log ends at `before`. Another request is
/// another message, and a rejected id may be used again.
fn message_id(run: &RunId, before: u64, sha256: &str) -> String {
    format!("{run}.{before}.{sha256}")
}

fn refusal(reason: &Reason) -> Refusal {
    let code = match reason.code {
        Code::Conflict => 409,
        Code::TooLarge => 413,
        _ => 400,
    };
    Refusal {
        code,
        text: serde_json::to_string(reason).expect("contract types always serialize"),
    }
}

fn away(run: &RunId) -> Refusal {
    let words = format!(
        "it is not known whether the request is stored; ask again with the run_id {run}, and it is stored once"
    );
    let reason = Reason::new(Code::Internal, words);
    Refusal {
        code: 503,
        text: serde_json::to_string(&reason).expect("contract types always serialize"),
    }
}

fn json(value: &impl serde::Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("contract types always serialize"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_same_only_for_the_same_request_after_the_same_decision() {
        let run: RunId = "mine".parse().unwrap();
        assert_eq!(message_id(&run, 0, "a"), message_id(&run, 0, "a"));
        assert_ne!(message_id(&run, 0, "a"), message_id(&run, 0, "b"));
        assert_ne!(message_id(&run, 0, "a"), message_id(&run, 7, "a"));
    }

    #[test]
    fn who_could_not_be_served_is_told_the_id_to_ask_again_with() {
        let refusal = away(&"generated-1".parse().unwrap());
        assert_eq!(refusal.code, 503);
        assert!(refusal.text.contains("generated-1"));
    }
}
