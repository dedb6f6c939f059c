//! Rounds: in each, every server is started, measured and ended in turn, so that what else the machine does
//! meets all of them alike.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::median;
use crate::measures::Measure;
use crate::options::Options;
use crate::quiet;
use crate::server::{Peer, Server};
use crate::table::{Measured, Table};

/// Measures all that the options allow and writes the section. What fails is said in it.
pub async fn all(options: &Options) -> String {
    let peers = Peer::ALL
        .into_iter()
        .filter(|peer| options.peer.is_empty() || options.peer.contains(peer));
    let peers: Vec<Peer> = peers.collect();
    let only = options.only.as_deref().unwrap_or_default();
    let mut table = Table::default();
    let mut failed: Vec<String> = Vec::new();
    let patience = Duration::from_secs(options.patience);
    let mut others = Vec::new();
    for measure in Measure::ALL {
        if !measure.name().contains(only) {
            continue;
        }
        for round in 1..=options.rounds {
            for peer in &peers {
                if peer.holds_one_run() && measure.needs_many_runs() {
                    continue;
                }
                let busy = quiet::wait(patience).await.unwrap_or(1.0);
                others.push(busy);
                let percent = busy * 100.0;
                eprintln!(
                    "{}, round {round}: {peer} (others use {percent:.0} %)",
                    measure.name()
                );
                match once(measure, *peer, options).await {
                    Ok(measured) => measured.into_iter().for_each(|one| table.add(*peer, one)),
                    Err(error) => {
                        eprintln!("  not measured: {error:#}");
                        let words = format!("{peer}, {}: {error:#}", measure.name());
                        failed.extend((!failed.contains(&words)).then_some(words));
                    }
                }
            }
        }
    }
    section(options, &table, &failed, &others)
}

async fn once(measure: Measure, peer: Peer, options: &Options) -> anyhow::Result<Vec<Measured>> {
    let mut server = Server::start(peer, &options.edge).await?;
    let measured = measure.of(&mut server).await;
    server.stop().await?;
    let measured = measured?;
    for Measured { thing, value } in &measured {
        eprintln!("  {}: {value:.3}", thing.what);
    }
    Ok(measured)
}

fn section(options: &Options, table: &Table, failed: &[String], others: &[f64]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let percent = |share: f64| (share * 100.0).round();
    let usually = percent(median(others).unwrap_or_default());
    let at_worst = percent(others.iter().copied().fold(0.0, f64::max));
    let mut text = format!(
        "Made by `make bench-peers` on a machine with {cores} cores: server, client, publisher and, for the edge, \
         nats-server share it. Medians of {} round(s), in which the servers took turns, each started anew for each \
         measurement. Times are from when a message was due until its last byte was read. nchan keeps messages in \
         memory alone, Durable Streams acknowledges what is synced to disk, the edge shows what JetStream has \
         stored, bare sockets store nothing and know one run: the least that sending costs. The client is one \
         thread with one epoll. Right before each measurement others used {usually} % of the machine, at worst \
         {at_worst} %.",
        options.rounds
    );
    if !options.note.is_empty() {
        let _ = write!(text, " {}", options.note);
    }
    let _ = write!(text, "\n\n{}", table.render());
    for words in failed {
        let _ = write!(text, "\nNot measured: {words}.\n");
    }
    text
}
