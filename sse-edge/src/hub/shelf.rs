//! The archived runs that were read lately, so that a run many look at is unpacked from one copy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aideator_bus::Error;
use aideator_bus::archive::{Archive, Archives, Reach};
use aideator_contract::RunId;

use super::registry::lock;

/// Bytes of archives kept, compressed; of them the one just read, whatever its size.
const BYTES: usize = 64 * 1024 * 1024;

/// The archives at hand.
#[derive(Debug)]
pub(super) struct Shelf {
    archives: Archives,
    kept: Mutex<Kept>,
    /// One is fetched at a time, and who waited for it finds it here.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    runs: HashMap<RunId, (Arc<Archive>, u64)>,
    /// Counts uses: the least recently used one goes first.
    uses: u64,
    bytes: usize,
}

impl Shelf {
    pub(super) fn new(archives: Archives) -> Self {
        Self {
            archives,
            kept: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The run's archive, if it is at hand and goes as far as `sequence`. What an archive has never changes,
    /// so nobody is asked whether there is a newer one.
    pub(super) fn at_hand(&self, run: &RunId, sequence: u64) -> Option<Arc<Archive>> {
        let archive = lock(&self.kept).newest(run)?;
        (archive.reach().last >= sequence).then_some(archive)
    }

    /// How far the run is archived now, if it is.
    pub(super) async fn reach(&self, run: &RunId) -> Result<Option<Reach>, Error> {
        self.archives.reach(run).await
    }

    /// The run's archive as it is now, if there is one.
    pub(super) async fn get(&self, run: &RunId) -> Result<Option<Arc<Archive>>, Error> {
        let Some(reach) = self.reach(run).await? else {
            return Ok(None);
        };
        if let Some(archive) = lock(&self.kept).find(run, reach) {
            return Ok(Some(archive));
        }
        let _turn = self.fetching.lock().await;
        if let Some(archive) = lock(&self.kept).find(run, reach) {
            return Ok(Some(archive));
        }
        let fetched = self.archives.get(run).await?.map(Arc::new);
        if let Some(archive) = &fetched {
            lock(&self.kept).keep(run, Arc::clone(archive));
        }
        Ok(fetched)
    }
}

impl Kept {
    /// The newest that was read, which counts as a use.
    fn newest(&mut self, run: &RunId) -> Option<Arc<Archive>> {
        self.uses += 1;
        let (archive, used) = self.runs.get_mut(run)?;
        *used = self.uses;
        Some(Arc::clone(archive))
    }

    fn find(&mut self, run: &RunId, reach: Reach) -> Option<Arc<Archive>> {
        let archive = self.newest(run)?;
        let found = archive.reach();
        (found.epoch == reach.epoch && found.last >= reach.last).then_some(archive)
    }

    fn keep(&mut self, run: &RunId, archive: Arc<Archive>) {
        self.uses += 1;
        self.bytes += archive.content().len();
        if let Some((before, _)) = self.runs.insert(run.clone(), (archive, self.uses)) {
            self.bytes -= before.content().len();
        }
        while self.bytes > BYTES && self.runs.len() > 1 {
            let others = self.runs.iter().filter(|(other, _)| *other != run);
            let oldest = others.min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(run, _)| run.clone()) else {
                break;
            };
            if let Some((gone, _)) = self.runs.remove(&oldest) {
                self.bytes -= gone.content().len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aideator_bus::Stored;
    use aideator_bus::archive::Archiver;
    use bytes::Bytes;

    use super::*;

    fn archive(last: u64, bytes: usize) -> Arc<Archive> {
        use rand::RngCore as _;
        let mut noise = vec![0; bytes];
        rand::rng().fill_bytes(&mut noise);
        let mut archiver = Archiver::new(1);
        archiver.push(&Stored {
            subject: "aideator.runs.r.state".to_owned(),
            sequence: last,
            ts: 0,
            payload: Bytes::from(noise),
            msg_id: None,
        });
        Arc::new(archiver.finish())
    }

    fn run(n: usize) -> RunId {
        format!("r{n}").parse().unwrap()
    }

    #[test]
    fn the_least_recently_used_go_and_what_has_grown_is_read_again() {
        let mut kept = Kept::default();
        let reach = |last| Reach { epoch: 1, last };
        for n in 0..6 {
            kept.keep(&run(n), archive(5, BYTES / 8));
        }
        assert!(kept.find(&run(0), reach(5)).is_some());
        assert!(kept.find(&run(0), reach(6)).is_none(), "it has grown");
        for n in 6..9 {
            kept.keep(&run(n), archive(5, BYTES / 8));
        }
        assert!(kept.bytes <= BYTES);
        assert!(kept.find(&run(0), reach(5)).is_some());
        assert!(kept.find(&run(1), reach(5)).is_none());
        kept.keep(&run(9), archive(5, BYTES * 2));
        assert_eq!(kept.runs.len(), 1, "one that is too large stays alone");
    }
}
