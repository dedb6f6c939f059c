//! Building the database again: what the stream has, then what the archive knows better, then what neither
//! has goes. Meanwhile the old records stay.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use aideator_bus::Bus;
use aideator_bus::archive::Reach;
use aideator_contract::subject::{ARCHIVE_BUCKET, RUNS_STREAM};
use aideator_contract::{RunId, Timestamp};

use super::follow::{parse, scan};
use super::row::{self, Record};
use super::store::{Meta, Store};
use crate::error::Error;
use crate::read;

/// Archived runs written at once.
const BATCH: usize = 64;

/// Builds it; says up to where, and how many runs there are.
pub(super) async fn build(bus: &Bus, store: &Store) -> Result<(Meta, u64), Error> {
    let began = Instant::now();
    let stream = bus.stream_state(RUNS_STREAM).await;
    let stream = stream.map_err(Error::bus("asking for the stream of runs"))?;
    let meta = Meta {
        epoch: stream.epoch,
        sequence: stream.last,
    };
    // One that ends before it is done begins anew: so far the database is of no stream.
    let unfinished = Meta { epoch: 0, ..meta };
    let build = Timestamp::from(SystemTime::now()).millis();
    let mut met = scan(bus, store, 1, unfinished, Some(build)).await?;
    // Listed behind it: what left the stream meanwhile is there.
    let archived = archived(bus).await?;
    let mut damaged = archived.damaged;
    let (mut records, at_once) = (Vec::<Record>::new(), Some(build));
    for (run, reach) in archived.runs {
        if !knows_better(reach, met.get(&run), stream.epoch) {
            continue;
        }
        match read::archived_states(bus, &run).await? {
            Some(states) => {
                records.extend(row::records(states.iter().filter_map(parse)));
                met.insert(run, reach.last);
            }
            None => damaged.push(run),
        }
        if records.len() >= BATCH {
            store.write(&records, unfinished, at_once).await?;
            records.clear();
        }
    }
    store.write(&records, unfinished, at_once).await?;
    store.keep(build, &damaged).await?;
    store.write(&[], meta, at_once).await?;
    let runs = met.len() as u64;
    tracing::info!(
        runs,
        ms = began.elapsed().as_millis(),
        "the projection is built"
    );
    Ok((meta, runs))
}

/// Whether the archive of a run goes further than what was read of it in the stream: it may have left the
/// stream between two pages.
fn knows_better(reach: Reach, met: Option<&u64>, epoch: u64) -> bool {
    met.is_none_or(|met| reach.epoch == epoch && *met < reach.last)
}

struct Archived {
    runs: Vec<(RunId, Reach)>,
    /// Those of which not even that can be read.
    damaged: Vec<RunId>,
}

async fn archived(bus: &Bus) -> Result<Archived, Error> {
    let listing = "listing archives";
    let objects = bus.objects(ARCHIVE_BUCKET).list().await;
    let objects = objects.map_err(Error::bus(listing))?;
    let runs = bus.archives().all().await.map_err(Error::bus(listing))?;
    let known: BTreeSet<&RunId> = runs.iter().map(|(run, _)| run).collect();
    let names = objects.iter().filter_map(|info| info.name.parse().ok());
    let damaged = names.filter(|run| !known.contains(run)).collect();
    Ok(Archived { runs, damaged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_counts_where_the_stream_had_less_or_nothing() {
        let reach = Reach { epoch: 1, last: 9 };
        assert!(knows_better(reach, None, 1));
        assert!(
            knows_better(reach, Some(&8), 1),
            "it left between two pages"
        );
        assert!(!knows_better(reach, Some(&9), 1));
        assert!(!knows_better(reach, Some(&12), 1), "it went on");
        assert!(!knows_better(reach, Some(&2), 5), "of another stream");
        assert!(knows_better(reach, None, 5));
    }
}
