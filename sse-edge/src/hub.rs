//! What all viewers of a run on this edge share.
//!
//! [`core`] decides without I/O: what is known to be stored, what is missing and must be read, what
//! may be shown and when. The [`driver`] feeds it from one core subscription and from Direct Get and
//! puts its frames, encoded once, into a bounded [`window`] that viewers read from, and wakes them at
//! a [`pace`]. [`past`] reads a run up to a place for one reader alone, by the same rules.

pub mod core;
pub mod frame;
pub mod lane;
pub mod message;
pub mod pace;
pub mod retry;
pub mod snapshot;
pub mod tail;
pub mod visible;
pub mod window;

mod driver;
mod pages;
mod past;
mod registry;
mod shelf;
mod source;

pub(crate) use driver::LOST_AFTER;
pub use past::Past;
pub use registry::{Hubs, Member};
pub use source::{Source, Stream};
