//! The hands: the process that holds the workspace. They clone, read and run commands on the brain's
//! orders and hold no secret: they start with an empty environment and talk to nobody but the brain,
//! over a Unix socket. When it closes, everything they started is killed.

mod client;
mod digest;
mod exec;
mod frame;
mod git;
mod memory;
mod order;
mod process;
mod repository;
mod serve;
mod utf8;

pub use client::HandsAt;
pub(crate) use client::{ExecEvent, Hands};
pub(crate) use order::{CloneOrder, DigestOrder, ExecOrder};
pub(crate) use repository::clear;
pub(crate) use serve::{serve_socket, serve_stdin};
