//! One attempt of one variation: clone, think, act, publish.
//!
//! Two roles of one program. The [`brain`] holds the model's key and the NATS credential, asks the
//! [`model`] and publishes; the [`hands`] hold the workspace and no secret. The brain never opens a
//! path in the workspace, and nothing is published that did not go through [`redact`].
//!
//! Start reading at [`brain::run`].

#![warn(missing_docs)]

pub mod brain;
mod cli;
mod error;
pub mod hands;
pub mod model;
pub mod redact;

pub use cli::{AgentCommand, BrainArgs, HandsArgs, NOT_OURS};
pub use error::Error;
