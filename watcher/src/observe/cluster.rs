//! Attempts in a Kubernetes cluster, seen through their Jobs and pods.
//!
//! Three watches keep copies of what the API server has: our agents' Jobs, their pods, and the
//! warnings of the namespace, in which the Job controller says why it can't create a pod. What is
//! made of them is the pure [`judge`]. A copy may be behind, so before a Job counts as gone the API
//! server is asked for it.

mod judge;
mod pod;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aideator_contract::Startup;
use aideator_contract::cluster::{attempt_of, object_name, selector};
use aideator_contract::local::AttemptName;
use futures::future::join_all;
use futures::{FutureExt as _, StreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DeleteParams};
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use self::judge::judge;
use super::{Observation, Observer};

/// How long an agent whose attempt is closed may take to end by itself.
const ENDING: Duration = Duration::from_secs(20);
/// How long the API server may take to answer; who waits for it holds up nothing else for longer.
const ANSWER: Duration = Duration::from_secs(5);
/// Seconds after which a watch is begun anew, and a few more until a line that is dead counts as that.
const WATCH_S: u32 = 20;
/// How long the first copies are waited for before old attempts are looked for among them.
const FIRST_COPIES: Duration = Duration::from_secs(30);
/// Warnings of the Job controller and of nodes that say why a pod can't begin.
const COMPLAINTS: [&str; 4] = [
    "FailedCreate",
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
];

/// The agents of one installation in one namespace.
#[derive(Clone)]
pub struct Cluster(Arc<Copies>);

struct Copies {
    namespace: String,
    api: Api<Job>,
    jobs: Store<Job>,
    pods: Store<Pod>,
    warnings: Store<Event>,
    /// Since when a closed attempt is waited for.
    ending: Mutex<HashMap<AttemptName, Instant>>,
}

/// One look at everything, by attempt.
struct Look {
    pods: HashMap<AttemptName, Arc<Pod>>,
    /// The newest complaint about each object, by its name.
    complaints: HashMap<String, Arc<Event>>,
}

impl Cluster {
    /// The agents of `instance` in `namespace`, and the work of watching them, which never ends.
    pub fn new(
        client: Client,
        namespace: &str,
        instance: &str,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let watch = watcher::Config::default().timeout(WATCH_S);
        let ours = watch.clone().labels(&selector(instance));
        let warnings = watch.fields("type=Warning");
        let (jobs, watching_jobs) = copy(Api::namespaced(client.clone(), namespace), ours.clone());
        let (pods, watching_pods) = copy(Api::namespaced(client.clone(), namespace), ours);
        let events = Api::namespaced(client.clone(), namespace);
        let (warnings, watching_warnings) = copy(events, warnings);
        let copies = Copies {
            namespace: namespace.to_owned(),
            api: Api::namespaced(client, namespace),
            jobs,
            pods,
            warnings,
            ending: Mutex::default(),
        };
        let watching = async {
            tokio::join!(watching_jobs, watching_pods, watching_warnings);
        };
        (Self(Arc::new(copies)), watching)
    }
}

/// A copy of what `api` has, and the work of keeping it.
fn copy<K>(
    api: Api<K>,
    config: watcher::Config,
) -> (Store<K>, impl Future<Output = ()> + Send + use<K>)
where
    K: kube::Resource<DynamicType = ()>
        + Lookup<DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let stream = reflector(writer, watcher(api, config).default_backoff());
    let keeping = stream.for_each(|seen| async {
        if let Err(error) = seen {
            let kind = <K as kube::Resource>::kind(&());
            tracing::warn!(%kind, %error, "Kubernetes can't be watched; trying again");
        }
    });
    (store, keeping)
}

impl Observer for Cluster {
    async fn look(&self, attempts: Vec<AttemptName>) -> Vec<Observation> {
        let seen = self.glance(attempts.clone()).await;
        let asked = attempts
            .iter()
            .zip(seen)
            .map(async |(name, seen)| match seen {
                // Never an older answer: the state it is judged with may be younger than that.
                Observation::Absent => self.0.ask(name).await,
                seen => seen,
            });
        join_all(asked).await
    }

    async fn glance(&self, attempts: Vec<AttemptName>) -> Vec<Observation> {
        if attempts.is_empty() || !self.0.are_ready() {
            return vec![Observation::Unknown; attempts.len()];
        }
        let look = self.0.look();
        let seen = attempts.iter().map(|name| self.0.observe(&look, name));
        seen.collect()
    }

    fn startup(&self, attempt: &AttemptName) -> Startup {
        let pod = self.0.newest_pod(attempt);
        pod.map(|pod| judge::startup(&pod)).unwrap_or_default()
    }

    async fn clear(&self, attempt: AttemptName) -> bool {
        let cleared = self.0.clear(&attempt).await;
        if cleared {
            let mut ending = self.0.ending.lock().unwrap_or_else(PoisonError::into_inner);
            ending.remove(&attempt);
        }
        cleared
    }

    async fn leftovers(&self) -> Vec<AttemptName> {
        if timeout(FIRST_COPIES, self.0.jobs.wait_until_ready())
            .await
            .is_err()
        {
            return Vec::new();
        }
        let jobs = self.0.jobs.state();
        let unfinished = jobs.iter().filter(|job| !is_finished(job));
        unfinished
            .filter_map(|job| attempt_of(job.labels()))
            .collect()
    }
}

impl Copies {
    /// The first lists are here. After that a copy is never emptied, only behind.
    fn are_ready(&self) -> bool {
        let ready = |there: Option<_>| matches!(there, Some(Ok(())));
        ready(self.jobs.wait_until_ready().now_or_never())
            && ready(self.pods.wait_until_ready().now_or_never())
            && ready(self.warnings.wait_until_ready().now_or_never())
    }

    fn look(&self) -> Look {
        let mut pods: HashMap<AttemptName, Arc<Pod>> = HashMap::new();
        for pod in self.pods.state() {
            let Some(name) = attempt_of(pod.labels()) else {
                continue;
            };
            let newer = pods.get(&name).is_none_or(|known| is_newer(&pod, known));
            if newer {
                pods.insert(name, pod);
            }
        }
        let mut complaints: HashMap<String, Arc<Event>> = HashMap::new();
        for event in self.warnings.state() {
            let reason = event.reason.as_deref().unwrap_or_default();
            let Some(about) = event.involved_object.name.clone() else {
                continue;
            };
            let newer = complaints
                .get(&about)
                .is_none_or(|known| said_at(&event) >= said_at(known));
            if COMPLAINTS.contains(&reason) && newer {
                complaints.insert(about, event);
            }
        }
        Look { pods, complaints }
    }

    fn newest_pod(&self, attempt: &AttemptName) -> Option<Arc<Pod>> {
        let ours = |pod: &Pod| attempt_of(pod.labels()).as_ref() == Some(attempt);
        let pods = self.pods.state_filter(ours);
        pods.into_iter()
            .reduce(|a, b| if is_newer(&b, &a) { b } else { a })
    }

    fn observe(&self, look: &Look, name: &AttemptName) -> Observation {
        let (job, pod) = (self.job(name), look.pods.get(name));
        let about = match pod {
            Some(pod) => pod.name_any(),
            None => object_name(name),
        };
        let complaint = look.complaints.get(&about);
        let complaint = complaint.and_then(|event| event.message.as_deref());
        judge(job.as_deref(), pod.map(Arc::as_ref), complaint, now())
    }

    fn job(&self, name: &AttemptName) -> Option<Arc<Job>> {
        let reference = ObjectRef::new(&object_name(name)).within(&self.namespace);
        self.jobs.get(&reference)
    }

    /// Asks the API server for a Job of which no copy is here.
    async fn ask(&self, name: &AttemptName) -> Observation {
        let job = object_name(name);
        match timeout(ANSWER, self.api.get_opt(&job)).await {
            Ok(Ok(job)) => judge(job.as_ref(), None, None, now()),
            Ok(Err(error)) => {
                tracing::warn!(%name, %error, "Kubernetes can't be asked for a Job");
                Observation::Unknown
            }
            Err(_) => {
                tracing::warn!(%name, "Kubernetes does not answer");
                Observation::Unknown
            }
        }
    }

    /// Deletes the Job of a closed attempt that does not end by itself: one that can't begin, or one
    /// that hangs. A Job that has ended is left to its TTL.
    async fn clear(&self, attempt: &AttemptName) -> bool {
        let Some(job) = self.job(attempt) else {
            return true;
        };
        if is_finished(&job) {
            return true;
        }
        // Its pod may have run and ended before its copy says that it began: nothing is read from it.
        if !self.has_had_its_time(attempt) {
            return false;
        }
        let (name, params) = (job.name_any(), DeleteParams::background());
        match timeout(ANSWER, self.api.delete(&name, &params)).await {
            Ok(Ok(_)) => {
                tracing::info!(%attempt, "the Job of a closed attempt is deleted");
                true
            }
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => true,
            Ok(Err(error)) => {
                tracing::warn!(%attempt, %error, "the Job of a closed attempt can't be deleted yet");
                false
            }
            Err(_) => {
                tracing::warn!(%attempt, "Kubernetes does not answer");
                false
            }
        }
    }

    fn has_had_its_time(&self, attempt: &AttemptName) -> bool {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let since = ending.entry(attempt.clone()).or_insert_with(Instant::now);
        since.elapsed() >= ENDING
    }
}

fn is_finished(job: &Job) -> bool {
    let conditions = job
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    let over = |kind: &str| kind == "Complete" || kind == "Failed";
    conditions
        .into_iter()
        .any(|c| over(&c.type_) && c.status == "True")
}

fn is_newer(pod: &Pod, than: &Pod) -> bool {
    pod.creation_timestamp() > than.creation_timestamp()
}

fn said_at(event: &Event) -> Option<aideator_contract::Timestamp> {
    judge::at(
        event
            .last_timestamp
            .as_ref()
            .or(event.first_timestamp.as_ref()),
    )
}

fn now() -> aideator_contract::Timestamp {
    SystemTime::now().into()
}
