//! JSON Schema of what travels, so that a script in any language knows what to send and what comes.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::attempt::AttemptRecord;
use crate::event::OutMessage;
use crate::report::ReportMessage;
use crate::request::{CancelRequest, PickRequest, RetryRequest, RunRequest};
use crate::state_log::StateMessage;

/// The schemas by file name (`nats/schema/<name>.json`). A test compares them with the committed files.
#[must_use]
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("requests.run", of::<RunRequest>()),
        ("requests.cancel", of::<CancelRequest>()),
        ("requests.retry", of::<RetryRequest>()),
        ("requests.pick", of::<PickRequest>()),
        ("runs.state", of::<StateMessage>()),
        ("runs.attempt", of::<AttemptRecord>()),
        ("runs.out", of::<OutMessage>()),
        ("runs.report", of::<ReportMessage>()),
    ]
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
}
