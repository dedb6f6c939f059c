//! The table: a row for each thing measured, a column for each server, the medians of all rounds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::figures::{Figure, Unit, median};
use crate::server::Peer;

/// A thing that is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    /// How the edge stands to the best of its peers.
    pub(crate) compared: Compared,
    pub(crate) bar: &'static str,
}

/// Which figure is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The lower.
    Lower,
    /// The higher.
    Higher,
    /// The figure says nothing about who is better.
    Not,
}

/// What one server was measured to be once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) thing: Thing,
    pub(crate) value: f64,
}

impl Measured {
    pub(crate) fn new(
        what: impl Into<String>,
        unit: Unit,
        compared: Compared,
        bar: &'static str,
        value: f64,
    ) -> Self {
        let what = what.into();
        let thing = Thing {
            what,
            unit,
            compared,
            bar,
        };
        Self { thing, value }
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<(Thing, BTreeMap<Peer, Vec<f64>>)>,
}

impl Table {
    /// Adds what one server was measured to be.
    pub(crate) fn add(&mut self, peer: Peer, measured: Measured) {
        let Measured { thing, value } = measured;
        let at = self.rows.iter().position(|(known, _)| *known == thing);
        let at = at.unwrap_or_else(|| {
            self.rows.push((thing, BTreeMap::new()));
            self.rows.len() - 1
        });
        self.rows[at].1.entry(peer).or_default().push(value);
    }

    /// The table as text.
    pub(crate) fn render(&self) -> String {
        let peers: Vec<Peer> = Peer::ALL
            .into_iter()
            .filter(|peer| self.rows.iter().any(|(_, row)| row.contains_key(peer)))
            .collect();
        let mut text = String::from("| what |");
        for peer in &peers {
            let _ = write!(text, " {peer} |");
        }
        let _ = writeln!(text, " edge to the best peer | bar |");
        let _ = writeln!(text, "|{}", "---|".repeat(peers.len() + 3));
        for (thing, row) in &self.rows {
            let _ = write!(text, "| {} |", thing.what);
            for peer in &peers {
                let figure = middle(row, *peer).map(|value| Figure(value, thing.unit).to_string());
                let _ = write!(text, " {} |", figure.as_deref().unwrap_or("–"));
            }
            let ratio = ratio(thing.compared, row).map(|times| Figure(times, Unit::Times));
            let ratio = ratio.map_or("–".to_owned(), |times| times.to_string());
            let _ = writeln!(text, " {ratio} | {} |", thing.bar);
        }
        text
    }
}

fn middle(row: &BTreeMap<Peer, Vec<f64>>, peer: Peer) -> Option<f64> {
    row.get(&peer).and_then(|values| median(values))
}

/// The edge's median, as so many times that of its best peer.
fn ratio(compared: Compared, row: &BTreeMap<Peer, Vec<f64>>) -> Option<f64> {
    let peers = row.keys().filter(|peer| peer.is_rival());
    let medians = peers.filter_map(|peer| middle(row, *peer));
    let best = match compared {
        Compared::Lower => medians.reduce(f64::min)?,
        Compared::Higher => medians.reduce(f64::max)?,
        Compared::Not => return None,
    };
    (best > 0.0).then_some(middle(row, Peer::Edge)? / best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(what: &str, compared: Compared) -> Thing {
        Thing {
            what: what.into(),
            unit: Unit::Seconds,
            compared,
            bar: "≤ 0.5 ×",
        }
    }

    fn table(rows: &[(&str, Compared, Peer, f64)]) -> String {
        let mut table = Table::default();
        for (what, compared, peer, value) in rows {
            let (thing, value) = (thing(what, *compared), *value);
            table.add(*peer, Measured { thing, value });
        }
        table.render()
    }

    #[test]
    fn the_edge_is_compared_with_the_best_of_its_peers_by_medians() {
        let lower = Compared::Lower;
        let text = table(&[
            ("cpu", lower, Peer::Edge, 1.0),
            ("cpu", lower, Peer::Nchan, 4.0),
            ("cpu", lower, Peer::Durable, 5.0),
            ("cpu", lower, Peer::Bare, 0.5),
            ("cpu", lower, Peer::Edge, 9.0),
            ("cpu", lower, Peer::Edge, 2.0),
            ("cpu", lower, Peer::Nchan, 4.0),
        ]);
        assert_eq!(
            text,
            "| what | edge | nchan | Durable Streams | bare sockets | edge to the best peer | bar |\n\
             |---|---|---|---|---|---|---|\n\
             | cpu | 2.00 s | 4.00 s | 5.00 s | 0.50 s | 0.50 × | ≤ 0.5 × |\n"
        );
        let more = table(&[
            ("viewers", Compared::Higher, Peer::Edge, 3.0),
            ("viewers", Compared::Higher, Peer::Nchan, 1.0),
            ("viewers", Compared::Higher, Peer::Durable, 2.0),
        ]);
        assert!(more.contains("| 1.50 × |"), "{more}");
    }

    #[test]
    fn who_was_not_measured_has_no_figure_and_no_part_in_a_ratio() {
        let lower = Compared::Lower;
        let text = table(&[
            ("cpu", lower, Peer::Edge, 1.0),
            ("cpu", lower, Peer::Nchan, 2.0),
            ("growth", lower, Peer::Edge, 1.0),
            ("lost", Compared::Not, Peer::Edge, 1.0),
            ("lost", Compared::Not, Peer::Nchan, 2.0),
        ]);
        assert!(!text.contains("Durable"), "{text}");
        assert!(
            text.contains("| growth | 1.00 s | – | – | ≤ 0.5 × |"),
            "{text}"
        );
        assert!(text.contains("| lost | 1.00 s | 2.00 s | – |"), "{text}");
    }
}
