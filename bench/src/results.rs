//! The table.

use std::fmt::Write as _;
use std::path::Path;

use crate::figures::mib;

/// One measured thing.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) bar: &'static str,
}

impl Row {
    pub(crate) fn new(
        what: impl Into<String>,
        figure: impl Into<String>,
        bar: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            bar,
        }
    }
}

/// Writes the table to a file, or to the terminal.
pub(crate) fn write(rows: &[Row], out: Option<&Path>) -> anyhow::Result<()> {
    let text = render(rows);
    match out {
        Some(file) => std::fs::write(file, text)?,
        None => eprint!("{text}"),
    }
    Ok(())
}

fn render(rows: &[Row]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let mut text = format!(
        "# Results\n\nMade by `make bench` on a machine with {cores} cores and {} of memory, everything on it: \
         services, nats-server, publisher and viewers. Times of publishing are from when a message was due.\n\n\
         | what | figure | bar |\n|---|---|---|\n",
        mib(kib)
    );
    for row in rows {
        let _ = writeln!(text, "| {} | {} | {} |", row.what, row.figure, row.bar);
    }
    text
}
