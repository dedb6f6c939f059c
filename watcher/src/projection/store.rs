//! The database itself: opening, writing and asking it. Values are bound, never formatted in.

use std::path::Path;
use std::time::Duration;

use aideator_contract::view::{ListRequest, RunRow, RunsPage};
use aideator_contract::{RunId, RunSpec, Status, Summary};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use surrealdb::engine::any::{Any, connect};
use surrealdb::method::Query;
use surrealdb::opt::Config;
use surrealdb::opt::auth::Root;
use surrealdb::{IndexedResults, Surreal};

use super::row::{Record, place};
use crate::config::DatabaseServer;
use crate::error::Error;

/// Raised when records change their shape: an older database is built again.
const SHAPE: u64 = 1;
/// What is lost in a power cut is read again from the stream.
const SYNC: &str = "1s";
/// The database keeps a lease for clusters of its own, which we have not.
const RARELY: Duration = Duration::from_secs(24 * 60 * 60);

const SCHEMA: &str = "
    DEFINE TABLE IF NOT EXISTS meta SCHEMALESS;
    DEFINE TABLE IF NOT EXISTS run SCHEMALESS;
    DEFINE INDEX IF NOT EXISTS run_listed ON run FIELDS listed, place;
    DEFINE INDEX IF NOT EXISTS run_status ON run FIELDS status, place;
    DEFINE INDEX IF NOT EXISTS run_picked ON run FIELDS picked, place;
    DEFINE INDEX IF NOT EXISTS run_repo ON run FIELDS repo, place;
    DEFINE INDEX IF NOT EXISTS run_models ON run FIELDS models.*;
";

const WRITE: &str = "
    BEGIN;
    FOR $record IN $records {
        LET $id = type::record('run', $record.run);
        LET $seq = (SELECT VALUE seq FROM ONLY $id);
        IF ($seq IS NONE AND $record.whole) OR ($seq IS NOT NONE AND ($again OR $seq < $record.fields.seq)) {
            UPSERT $id MERGE $record.fields RETURN NONE;
        };
    };
    UPSERT meta:stream MERGE $meta RETURN NONE;
    COMMIT;
";

/// What the database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meta {
    /// The creation time of the stream it was built from.
    pub(super) epoch: u64,
    /// Everything up to this sequence is in it.
    pub(super) sequence: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Store(Surreal<Any>);

impl Store {
    /// Opens the database in `folder`, made if it is not there.
    pub(super) async fn open(folder: &Path) -> Result<Self, Error> {
        let config = Config::new()
            .node_membership_refresh_interval(RARELY)
            .node_membership_check_interval(RARELY)
            .node_membership_cleanup_interval(RARELY)
            .changefeed_gc_interval(RARELY);
        let address = format!("surrealkv://{}?sync={SYNC}", folder.display());
        let db = connect((address, config)).await;
        Self::of(db.map_err(Error::database("opening"))?).await
    }

    /// Opens the database of a server.
    pub(super) async fn connect(server: &DatabaseServer) -> Result<Self, Error> {
        let db = connect(&server.url)
            .await
            .map_err(Error::database("connecting to its server"))?;
        if let Some((username, password)) = server.login.clone() {
            db.signin(Root { username, password })
                .await
                .map_err(Error::database("logging in at its server"))?;
        }
        Self::of(db).await
    }

    async fn of(db: Surreal<Any>) -> Result<Self, Error> {
        db.use_ns("aideator")
            .use_db("projection")
            .await
            .map_err(Error::database("opening"))?;
        let store = Self(db);
        store
            .ask(store.0.query(SCHEMA), "declaring its tables")
            .await?;
        Ok(store)
    }

    /// What it was built from; `None` if it was not, or by a program that kept records of another shape.
    pub(super) async fn meta(&self) -> Result<Option<Meta>, Error> {
        let query = self
            .0
            .query("SELECT epoch, seq, shape FROM ONLY meta:stream");
        let mut found = self.ask(query, "reading its state").await?;
        let meta: Option<Value> = found
            .take(0)
            .map_err(Error::database("reading its state"))?;
        let Some(meta) = meta.filter(|meta| meta["shape"] == SHAPE) else {
            return Ok(None);
        };
        let number = |name: &str| meta[name].as_u64();
        Ok(number("epoch")
            .zip(number("seq"))
            .map(|(epoch, sequence)| Meta { epoch, sequence }))
    }

    /// Empties it.
    pub(super) async fn clear(&self) -> Result<(), Error> {
        self.ask(self.0.query("DELETE run; DELETE meta"), "emptying it")
            .await?;
        Ok(())
    }

    /// Merges records: those newer than what is there, or, `again`, all.
    pub(super) async fn write(
        &self,
        records: &[Record],
        meta: Meta,
        again: Option<u64>,
    ) -> Result<(), Error> {
        let record = |record: &Record| {
            let mut fields = record.fields.clone();
            if let Some(build) = again {
                fields["build"] = json!(build);
            }
            json!({ "run": record.run, "whole": record.whole, "fields": fields })
        };
        let records: Vec<Value> = records.iter().map(record).collect();
        let meta = json!({ "epoch": meta.epoch, "seq": meta.sequence, "shape": SHAPE });
        let query = self
            .0
            .query(WRITE)
            .bind(("records", records))
            .bind(("again", again.is_some()))
            .bind(("meta", meta));
        self.ask(query, "writing runs").await?;
        Ok(())
    }

    /// Of these runs, those that are known.
    pub(super) async fn known(&self, runs: &[&RunId]) -> Result<Vec<RunId>, Error> {
        let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
        let query = self
            .0
            .query("SELECT VALUE run FROM $runs.map(|$run| type::record('run', $run))")
            .bind(("runs", runs));
        self.values(query, "looking runs up").await
    }

    /// Removes the runs that the build with this number has not met, but for these.
    pub(super) async fn keep(&self, build: u64, also: &[RunId]) -> Result<(), Error> {
        let also: Vec<String> = also.iter().map(ToString::to_string).collect();
        let query = self
            .0
            .query("DELETE run WHERE build != $build AND run NOT IN $also")
            .bind(("build", build))
            .bind(("also", also));
        self.ask(query, "removing old runs").await?;
        Ok(())
    }

    pub(super) async fn list(&self, wanted: &ListRequest, limit: u32) -> Result<RunsPage, Error> {
        let query = self
            .0
            .query(list_query(wanted))
            .bind(("status", json!(wanted.status)))
            .bind(("before", json!(wanted.before)))
            .bind(("state", json!(wanted.state)))
            .bind(("model", json!(wanted.model)))
            .bind(("repo", json!(wanted.repo)))
            .bind(("picked", json!(wanted.picked)))
            .bind(("limit", i64::from(limit) + 1));
        let found: Vec<Value> = self.values(query, "listing runs").await?;
        let mut runs: Vec<RunRow> = found
            .into_iter()
            .map(|mut found| parse(found["row"].take(), "listing runs"))
            .collect::<Result<_, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = runs.len() > limit;
        runs.truncate(limit);
        let last = runs.last().filter(|_| more);
        let next = last.map(|last| place(last.created, &last.run_id));
        Ok(RunsPage { runs, next })
    }

    /// A run, if it is known.
    pub(super) async fn get(
        &self,
        run: &RunId,
    ) -> Result<Option<(Option<RunSpec>, Summary)>, Error> {
        let query = self
            .0
            .query("SELECT spec, summary FROM ONLY type::record('run', $run)")
            .bind(("run", run.to_string()));
        let mut found = self.ask(query, "reading a run").await?;
        let found: Option<Value> = found.take(0).map_err(Error::database("reading a run"))?;
        let Some(mut found) = found else {
            return Ok(None);
        };
        let spec = parse(found["spec"].take(), "reading a run")?;
        let summary = parse(found["summary"].take(), "reading a run")?;
        Ok(Some((spec, summary)))
    }

    /// The runs that have a variation in the queue.
    pub(super) async fn waiting(&self) -> Result<Vec<(RunId, Summary)>, Error> {
        let query = self
            .0
            .query(
                "SELECT run, summary FROM run WITH INDEX run_status WHERE status = $status AND states CONTAINS 'queued'",
            )
            .bind(("status", json!(Status::Open)));
        let found: Vec<Value> = self.values(query, "reading the queue").await?;
        let one = |mut found: Value| {
            let run = parse(found["run"].take(), "reading the queue")?;
            Ok((run, parse(found["summary"].take(), "reading the queue")?))
        };
        found.into_iter().map(one).collect()
    }

    async fn ask(
        &self,
        query: Query<'_, Any>,
        doing: &'static str,
    ) -> Result<IndexedResults, Error> {
        let results = query.await.map_err(Error::database(doing))?;
        results.check().map_err(Error::database(doing))
    }

    async fn values<T: DeserializeOwned>(
        &self,
        query: Query<'_, Any>,
        doing: &'static str,
    ) -> Result<Vec<T>, Error> {
        let mut results = self.ask(query, doing).await?;
        let values: Vec<Value> = results.take(0).map_err(Error::database(doing))?;
        values
            .into_iter()
            .map(|value| parse(value, doing))
            .collect()
    }
}

/// The query for a list. It names the index, by what narrows most: the planner knows no sizes.
fn list_query(wanted: &ListRequest) -> String {
    let index = match wanted {
        ListRequest { model: Some(_), .. } => "run_models",
        ListRequest { repo: Some(_), .. } => "run_repo",
        ListRequest {
            picked: Some(true), ..
        } => "run_picked",
        ListRequest {
            status: Some(_), ..
        } => "run_status",
        _ => "run_listed",
    };
    // What is sorted by must be selected.
    let mut query = format!("SELECT place, row FROM run WITH INDEX {index} WHERE ");
    query.push_str(match wanted.status {
        Some(_) => "status = $status",
        None => "listed = true",
    });
    let mut narrow = |given: bool, clause| {
        if given {
            query.push_str(clause);
        }
    };
    narrow(wanted.before.is_some(), " AND place < $before");
    narrow(wanted.state.is_some(), " AND states CONTAINS $state");
    narrow(wanted.model.is_some(), " AND models CONTAINS $model");
    narrow(wanted.repo.is_some(), " AND repo = $repo");
    narrow(wanted.picked.is_some(), " AND picked = $picked");
    query + " ORDER BY place DESC LIMIT $limit"
}

fn parse<T: DeserializeOwned>(value: Value, doing: &'static str) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|source| Error::Record { doing, source })
}
