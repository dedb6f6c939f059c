//! Following a run to its end and showing it: live in a terminal, as lines in a pipe, as JSON for programs.

use std::io::IsTerminal as _;
use std::time::Duration;

use aideator_contract::Timestamp;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::api::{Follow, Told};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{news, now, put};
use crate::view::{Board, Line, Paint, Plain, Screen, outcome, report};

/// How often the live picture is drawn.
const FRAME: Duration = Duration::from_millis(60);

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A picture that is drawn again and again, then the whole.
    Live,
    /// Lines.
    Plain,
    /// Stored events, one a line.
    Json,
}

impl Manner {
    /// JSON if asked for; else what standard output is made for.
    pub(crate) fn of(json: bool) -> Self {
        if json {
            Self::Json
        } else if std::io::stdout().is_terminal() {
            Self::Live
        } else {
            Self::Plain
        }
    }
}

/// Where what is told comes from: the stream, or a recording that is played.
pub(crate) trait Source {
    /// The next thing; `None` at the end.
    async fn next(&mut self) -> Result<Option<Told>, Error>;

    /// The time it is where that happens.
    fn now(&self) -> Timestamp {
        now()
    }
}

impl Source for Follow {
    async fn next(&mut self) -> Result<Option<Told>, Error> {
        Self::next(self).await
    }
}

/// Shows a run until it is over or somebody presses Ctrl-C.
pub(crate) async fn show(source: &mut impl Source, manner: Manner) -> Result<Exit, Error> {
    let mut shown = Shown::new(manner);
    let mut frames = interval_at(Instant::now() + FRAME, FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let interrupted = ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            told = source.next() => match told {
                Ok(Some(told)) => shown.take(&told)?,
                Ok(None) => return shown.end(),
                Err(error) => {
                    shown.leave()?;
                    return Err(error);
                }
            },
            _ = frames.tick(), if manner == Manner::Live => shown.draw(source.now())?,
            _ = &mut interrupted => {
                shown.leave()?;
                return Ok(Exit::Interrupted);
            }
        }
    }
}

struct Shown {
    manner: Manner,
    paint: Paint,
    board: Board,
    plain: Plain,
    screen: Screen,
}

impl Shown {
    fn new(manner: Manner) -> Self {
        let paint = Paint::for_stdout();
        Self {
            manner,
            paint,
            board: Board::default(),
            plain: Plain::default(),
            screen: Screen::new(paint),
        }
    }

    fn take(&mut self, told: &Told) -> Result<(), Error> {
        let is_news = self.board.apply(told);
        if !is_news && !matches!(told, Told::Lost(_)) {
            return Ok(());
        }
        match (self.manner, told) {
            (Manner::Json, Told::Out(_, stored) | Told::State(_, stored)) => {
                put(&format!("{stored}\n"))
            }
            (Manner::Json, Told::Gap(why) | Told::Lost(why)) => {
                news(&format!("aideator: {why}"));
                Ok(())
            }
            (Manner::Plain, told) => write(self.plain.lines(told)),
            (Manner::Json | Manner::Live, _) => Ok(()),
        }
    }

    fn draw(&mut self, now: Timestamp) -> Result<(), Error> {
        self.screen.draw(&self.board, now)
    }

    fn leave(&mut self) -> Result<(), Error> {
        match self.manner {
            Manner::Live => self.screen.clear(),
            Manner::Plain => write(self.plain.rest()),
            Manner::Json => Ok(()),
        }
    }

    fn end(mut self) -> Result<Exit, Error> {
        self.leave()?;
        match self.manner {
            Manner::Live => {
                let columns = usize::from(Screen::size().0);
                put(&report(&self.board, columns, now(), self.paint))?;
            }
            Manner::Plain | Manner::Json => {
                if let Some(reason) = &self.board.refused {
                    news(&format!("aideator: refused: {reason}"));
                }
                if self
                    .board
                    .panes
                    .iter()
                    .any(|pane| pane.is_whole() == Some(false))
                {
                    news("aideator: a text is not what its agent's digest proves");
                }
            }
        }
        Ok(outcome(&self.board))
    }
}

fn write(lines: Vec<Line>) -> Result<(), Error> {
    for line in lines {
        match line {
            Line::Text(text) => put(&text)?,
            Line::News(text) => news(&text),
        }
    }
    Ok(())
}
