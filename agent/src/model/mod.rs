//! Models behind one small trait: real ones through genai ([`Provider`]) and scripted ones ([`Scripted`]).

mod faults;
mod lorem;
mod meter;
mod price;
mod provider;
mod retry;
mod script;
mod scripted;
mod settings;
mod think;

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::Reason;
use futures::stream::BoxStream;

pub use lorem::Lorem;
pub use scripted::{is_scripted, scripted_text};
pub use settings::{Settings, is_on_this_machine};

pub(crate) use meter::{Meter, estimated_tokens};
use provider::Provider;
use retry::Persistent;
use scripted::Scripted;
pub(crate) use think::{Piece, ThinkSplitter, overlap};

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// The model's name, as the run names it.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// The user's message.
    pub prompt: String,
    /// Sampling temperature, 0–2.
    pub temperature: Option<f64>,
}

/// What a model says while it answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// More of the answer.
    TextDelta(String),
    /// More reasoning.
    ReasoningDelta(String),
    /// A whole tool call; the input is JSON text.
    ToolCall {
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
        /// The input.
        input: String,
    },
    /// Token counts of this call so far. Replaces earlier ones, never adds to them.
    Usage(Tokens),
    /// The call failed and is made again: a line for people.
    Retrying(String),
    /// What was said so far is void; the answer begins again.
    Reset(String),
    /// The answer is complete; why it ended (`stop`, `length`, …).
    Finish(String),
}

/// Token counts as a model's server reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// Of the input, tokens from the cache.
    pub cached: Option<u64>,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Of the output, tokens of reasoning.
    pub reasoning: Option<u64>,
}

/// An answer while it is made. Dropping it ends the call.
pub type Answer = BoxStream<'static, Result<ModelEvent, Fault>>;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The reason, in words for people.
    pub reason: Reason,
    /// When the server said it may be asked again.
    pub after: Option<Duration>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            after: None,
        }
    }
}

/// Something that answers prompts.
pub trait Model: Send + Sync {
    /// Asks; nothing happens before the answer is polled. It ends after `Finish` or an error.
    fn ask(&self, request: ModelRequest) -> Answer;
}

/// The model of this name, retries included.
///
/// # Errors
/// The name is not understood, its script cannot be read, or its provider has no key.
pub async fn open(name: &str, settings: &Settings) -> Result<Arc<dyn Model>, Reason> {
    if is_scripted(name) {
        Ok(Arc::new(Persistent::new(Scripted::open(name).await?)))
    } else {
        Ok(Arc::new(Persistent::new(Provider::open(name, settings)?)))
    }
}
