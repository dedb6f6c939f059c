//! What people see of a run in a terminal: a pure state ([`Board`]), pure pictures of it, and the thin
//! parts that write them.

mod board;
mod format;
mod pane;
mod panes;
mod plain;
mod report;
mod screen;
mod style;
mod text;

pub(crate) use board::Board;
pub(crate) use format::{ago, beginning, duration, number, state_word, tokens};
pub(crate) use pane::{Block, Pane, Voice};
pub(crate) use plain::{Line, Plain};
pub(crate) use report::{outcome, report};
pub(crate) use screen::Screen;
pub(crate) use style::{Paint, Tone};
pub(crate) use text::{cut, harmless};

#[cfg(test)]
pub(crate) use board::tests;
