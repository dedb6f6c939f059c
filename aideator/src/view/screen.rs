//! The live picture in a terminal: drawn in place, the lines above stay.

use std::io::{self, Stdout, Write as _};

use aideator_contract::Timestamp;
use crossterm::cursor::{Hide, MoveToColumn, MoveUp, Show};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, size};
use crossterm::{execute, queue};

use super::panes::picture;
use super::{Board, Paint};
use crate::error::Error;

const FALLBACK: (u16, u16) = (80, 24);

/// A picture on standard output. It goes when it is cleared or dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    out: Stdout,
    paint: Paint,
    drawn: u16,
    /// The cursor is hidden.
    hidden: bool,
}

impl Screen {
    /// A screen with nothing on it.
    pub(crate) fn new(paint: Paint) -> Self {
        Self {
            out: io::stdout(),
            paint,
            drawn: 0,
            hidden: false,
        }
    }

    /// Columns and rows of the terminal.
    pub(crate) fn size() -> (u16, u16) {
        match size() {
            Ok((columns, rows)) if columns > 0 && rows > 0 => (columns, rows),
            _ => FALLBACK,
        }
    }

    /// Draws the run as it is.
    pub(crate) fn draw(&mut self, board: &Board, now: Timestamp) -> Result<(), Error> {
        let (columns, rows) = Self::size();
        // A line as wide as the terminal wraps on some.
        let lines = picture(
            board,
            usize::from(columns.saturating_sub(1)),
            usize::from(rows.saturating_sub(2)),
            now,
            self.paint,
        );
        self.put(&lines)
            .map_err(|error| Error::Terminal("draw", error))
    }

    /// Takes the picture away.
    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        if !self.hidden {
            return Ok(());
        }
        self.put(&[])
            .map_err(|error| Error::Terminal("draw", error))?;
        self.show_cursor();
        Ok(())
    }

    fn show_cursor(&mut self) {
        if std::mem::take(&mut self.hidden) {
            let _ = execute!(self.out, Show);
        }
    }

    fn put(&mut self, lines: &[String]) -> io::Result<()> {
        self.hidden = true;
        queue!(self.out, BeginSynchronizedUpdate, Hide, MoveToColumn(0))?;
        if self.drawn > 0 {
            queue!(self.out, MoveUp(self.drawn))?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown))?;
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        queue!(self.out, EndSynchronizedUpdate)?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.show_cursor();
    }
}
