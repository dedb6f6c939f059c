//! Reports as they come: which run to look at, or why a report can't be used.

use std::time::SystemTime;

use aideator_bus::{Append, Bus, Stored};
use aideator_contract::dead_letter::Refused;
use aideator_contract::subject::{DEAD_SUBJECT, Place};
use aideator_contract::{Code, DeadLetter, Reason, ReportMessage, RunId, Subject, VERSION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use crate::error::Error;

/// The run a report is about, or why nobody can use the report.
pub(crate) fn screen(stored: &Stored) -> Result<RunId, Reason> {
    let bad = |message: String| Reason::new(Code::BadValue, message);
    let Some(Place::Report(run, variation)) = Place::parse(&stored.subject) else {
        return Err(bad("the subject is no variation's".to_owned()));
    };
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let version: Version = serde_json::from_slice(&stored.payload)
        .map_err(|error| Reason::new(Code::BadJson, format!("not a report: {error}")))?;
    if version.v > VERSION {
        let message = format!(
            "the report is of version {}; this program knows versions up to {VERSION}",
            version.v
        );
        return Err(Reason::new(Code::NewerVersion, message));
    }
    let report: ReportMessage = serde_json::from_slice(&stored.payload)
        .map_err(|error| bad(format!("not a report: {error}")))?;
    if (&report.run, report.variation) != (&run, variation) {
        return Err(bad(format!(
            "the report is about variation {} of run {}, and came on the subject of another",
            report.variation, report.run
        )));
    }
    Ok(run)
}

/// Keeps a report that can't be used where people find it.
pub(crate) async fn bury(bus: &Bus, stored: &Stored, reason: Reason) -> Result<(), Error> {
    tracing::warn!(subject = %stored.subject, sequence = stored.sequence, %reason, "a report can't be used");
    let run = Place::parse(&stored.subject).map(|place| place.run().clone());
    let letter = DeadLetter::new(
        reason,
        (&stored.subject, stored.sequence),
        run,
        (&stored.payload, readable(&stored.payload)),
        SystemTime::now().into(),
    );
    let payload = serde_json::to_vec(&letter).map_err(|source| Error::Unreadable {
        subject: stored.subject.clone(),
        sequence: stored.sequence,
        source,
    })?;
    let id = format!("report-{}", stored.sequence);
    let how = Append {
        msg_id: Some(&id),
        headers: &[(DEAD_SUBJECT, &stored.subject)],
        ..Append::default()
    };
    bus.append(&Subject::dead_report(), Bytes::from(payload), how)
        .await
        .map_err(Error::append("keeping a report that can't be used"))?;
    Ok(())
}

fn readable(payload: &[u8]) -> Refused {
    if let Ok(value) = serde_json::from_slice(payload) {
        return Refused::Request(value);
    }
    match std::str::from_utf8(payload) {
        Ok(text) => Refused::Text(text.to_owned()),
        Err(_) => Refused::Base64(STANDARD.encode(payload)),
    }
}

#[cfg(test)]
mod tests {
    use aideator_contract::{Report, Variation};

    use super::*;

    fn stored(subject: &str, payload: &str) -> Stored {
        Stored {
            subject: subject.to_owned(),
            sequence: 7,
            ts: 0,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            msg_id: None,
        }
    }

    fn ready(run: &str) -> ReportMessage {
        ReportMessage {
            v: VERSION,
            run: run.parse().unwrap(),
            variation: Variation::at(1).unwrap(),
            attempt: aideator_contract::Attempt::FIRST,
            ts: aideator_contract::Timestamp::default(),
            startup: aideator_contract::Startup::default(),
            report: Report::Ready,
        }
    }

    fn code(subject: &str, payload: &str) -> Code {
        screen(&stored(subject, payload)).unwrap_err().code
    }

    #[test]
    fn a_report_names_its_run() {
        let text = serde_json::to_string(&ready("a")).unwrap();
        let run = screen(&stored("aideator.runs.a.1.report", &text)).unwrap();
        assert_eq!(run.as_str(), "a");
    }

    #[test]
    fn a_report_that_can_t_be_used_says_why() {
        let here = "aideator.runs.a.1.report";
        assert_eq!(code(here, "{"), Code::BadJson);
        assert_eq!(code(here, r#"{"v":2,"anything":1}"#), Code::NewerVersion);
        assert_eq!(code(here, r#"{"v":1,"type":"ready"}"#), Code::BadValue);
        let other = serde_json::to_string(&ready("b")).unwrap();
        assert_eq!(code(here, &other), Code::BadValue);
    }

    #[test]
    fn what_is_kept_is_as_readable_as_it_can_be() {
        assert!(matches!(readable(b"{\"a\":1}"), Refused::Request(_)));
        assert_eq!(readable(b"hello"), Refused::Text("hello".to_owned()));
        assert_eq!(readable(&[0xff]), Refused::Base64("/w==".to_owned()));
    }
}
