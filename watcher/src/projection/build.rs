//! Building the database again: what the stream has, then what the archive alone has, then what neither
//! has goes. Until then the old records answer.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use aideator_bus::Bus;
use aideator_contract::subject::RUNS_STREAM;
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
    let damaged = unpack(bus, store, &mut met, unfinished, build).await?;
    store.keep(build, &damaged).await?;
    store.write(&[], meta, Some(build)).await?;
    let runs = met.len() as u64;
    tracing::info!(
        runs,
        ms = began.elapsed().as_millis(),
        "the projection is built"
    );
    Ok((meta, runs))
}

/// Writes the archived runs that were not met; says of which the archive is damaged.
async fn unpack(
    bus: &Bus,
    store: &Store,
    met: &mut BTreeSet<RunId>,
    meta: Meta,
    build: u64,
) -> Result<Vec<RunId>, Error> {
    let archived = bus.archives().all().await;
    let archived = archived.map_err(Error::bus("listing archives"))?;
    let (mut records, mut damaged) = (Vec::<Record>::new(), Vec::new());
    for (run, _) in archived {
        if met.contains(&run) {
            continue;
        }
        match read::archived_states(bus, &run).await? {
            Some(states) => {
                records.extend(row::records(states.iter().filter_map(parse)));
                met.insert(run);
            }
            None => damaged.push(run),
        }
        if records.len() >= BATCH {
            store.write(&records, meta, Some(build)).await?;
            records.clear();
        }
    }
    store.write(&records, meta, Some(build)).await?;
    Ok(damaged)
}
