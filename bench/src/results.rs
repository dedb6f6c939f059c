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
        Some(file) => {
            let before = std::fs::read_to_string(file).unwrap_or_default();
            std::fs::write(file, text + kept(&before))?;
        }
        None => eprint!("{text}"),
    }
    Ok(())
}

/// What `bench/peers` and `bench/cluster.py` wrote into an older file: that is measured at other times.
fn kept(before: &str) -> &str {
    before.find("\n## ").map_or("", |at| &before[at..])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_others_stay_and_the_rest_is_written_anew() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("RESULTS.md");
        std::fs::write(
            &file,
            "# Results\n\nold\n\n## Beside its peers\n\n| d |\n\n## On a cluster\n\n| a | b | c |\n",
        )?;
        for figure in ["1 ms", "2 ms"] {
            write(&[Row::new("speed", figure, "–")], Some(&file))?;
            let text = std::fs::read_to_string(&file)?;
            assert!(!text.contains("old"));
            assert!(text.ends_with(&format!(
                "| speed | {figure} | – |\n\n## Beside its peers\n\n| d |\n\n## On a cluster\n\n| a | b | c |\n"
            )));
        }
        Ok(())
    }
}
