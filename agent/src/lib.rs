//! One attempt of one variation: clone, think, act, publish.

pub mod hands;
pub mod model;
pub mod redact;
