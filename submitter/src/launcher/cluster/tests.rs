//! What is built, and how it is applied to an API server that is played here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aideator_bus::credentials::Keys;
use aideator_contract::cluster::{EXPIRES, LIFETIME};
use aideator_contract::{AttemptSpec, Code, Mode, Timestamp, VariationSpec};
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};

use super::sweep::{Care, care};
use super::*;
use crate::launcher::credential_life;

/// The chart's template as it renders by default; `scripts/test-chart` keeps the two equal.
const TEMPLATE: &str = include_str!("agent-job.yaml");
const JOBS: &str = "/apis/batch/v1/namespaces/ideas/jobs";
const SECRETS: &str = "/api/v1/namespaces/ideas/secrets";
const JOB: &str = "agent-r-1-0-2";

fn site() -> Site {
    Site {
        namespace: "ideas".into(),
        instance: "aideator".into(),
        start_allowance: Duration::from_secs(300),
        owner: Some(OwnerReference {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: "aideator-agent-job".into(),
            uid: "its-uid".into(),
            ..OwnerReference::default()
        }),
    }
}

fn order(prompt: &str) -> Order {
    let name: AttemptName = "r-1.0.2".parse().unwrap();
    let spec = AttemptSpec {
        run: name.run.clone(),
        variation: name.variation,
        attempt: name.attempt,
        prompt: prompt.into(),
        source: None,
        mode: Mode::Analyze,
        variation_spec: VariationSpec {
            model: "scripted/lorem".into(),
            temperature: None,
            instructions: None,
        },
        deadline_s: 1800,
        output_bytes: 1,
    };
    let minter = Keys::generate().unwrap().minter().unwrap();
    let credentials = minter.agent(
        &name.run,
        name.variation,
        name.attempt,
        Timestamp::from_millis(2_000_000_000_000),
    );
    Order {
        name,
        spec,
        credentials: credentials.unwrap(),
    }
}

fn template() -> Template {
    Template::parse(TEMPLATE).unwrap()
}

fn yaml(value: &impl serde::Serialize) -> String {
    serde_saphyr::to_string(value).unwrap()
}

#[test]
fn a_job_is_the_template_with_the_attempt_in_it() {
    let Objects { secret, job } = build(&template(), &site(), &order("Hello"));
    insta::assert_snapshot!("job", yaml(&job));
    let mut secret = secret;
    let credential = secret
        .data
        .as_mut()
        .unwrap()
        .remove(cluster::CREDENTIALS_KEY);
    assert!(
        credential
            .unwrap()
            .0
            .starts_with(b"-----BEGIN NATS USER JWT")
    );
    insta::assert_snapshot!("secret", yaml(&secret));
}

#[test]
fn no_word_of_a_person_is_in_what_is_made() {
    let prompt = "$(OPENAI_API_KEY) \"'\n: {{ }} #";
    let Objects { secret, job } = build(&template(), &site(), &order(prompt));
    let (asked, other) = (
        yaml(&job),
        yaml(&build(&template(), &site(), &order("other")).job),
    );
    assert_eq!(asked, other);
    assert!(!yaml(&secret).contains("OPENAI_API_KEY"));
}

#[test]
fn a_template_that_breaks_a_promise_is_refused_with_words() {
    let refused = |from: &str, to: &str| {
        assert!(TEMPLATE.contains(from), "{from}");
        Template::parse(&TEMPLATE.replace(from, to)).unwrap_err()
    };
    for (from, to, words) in [
        ("name: brain", "name: head", "brain"),
        ("restartPolicy: Always", "", "native sidecar"),
        ("restartPolicy: Never", "restartPolicy: OnFailure", "Never"),
        ("backoffLimit: 0", "backoffLimit: 3", "backoffLimit"),
        (
            "automountServiceAccountToken: false",
            "automountServiceAccountToken: true",
            "token",
        ),
        ("{name: tmp,", "{name: credentials,", "given a secret"),
    ] {
        let why = refused(from, to);
        assert!(why.contains(words), "{why}");
    }
    assert!(Template::parse("kind: [").is_err());
}

/// An API server that answers each request by `answer`, and what it was asked.
fn server(
    answer: impl Fn(&Method, &str) -> (u16, Value) + Send + 'static,
) -> (ClusterLauncher, Arc<Mutex<Vec<String>>>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let (method, path) = (request.method(), request.uri().path());
            let (status, body) = answer(method, path);
            log.lock().unwrap().push(format!("{method} {path}"));
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            send.send_response(Response::builder().status(status).body(body).unwrap());
        }
    });
    let client = Client::new(service, "ideas");
    (ClusterLauncher::new(client, site(), template()), asked)
}

fn job_there(instance: &str) -> Value {
    let labels = json!({ INSTANCE: instance });
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": JOB, "uid": "u1", "labels": labels}})
}

fn secret_there() -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": JOB}})
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message});
    (code, body)
}

/// Answers well, but to the creation of a Job.
fn creating(
    created: (u16, Value),
    there: &'static str,
) -> impl Fn(&Method, &str) -> (u16, Value) + Send + 'static {
    move |method, path| match (method, path) {
        (&Method::POST, JOBS) => created.clone(),
        (_, path) if path.starts_with(SECRETS) => (200, secret_there()),
        _ => (200, job_there(there)),
    }
}

#[tokio::test]
async fn the_secret_comes_before_the_job_that_owns_it_then() {
    let (launcher, asked) = server(creating((201, job_there("aideator")), "aideator"));
    launcher.launch(order("Hello")).await.unwrap();
    let secret = format!("PATCH {SECRETS}/{JOB}");
    let expected = [secret.clone(), format!("POST {JOBS}"), secret];
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_job_that_is_there_is_a_success_unless_it_is_another_installations() {
    let exists = failure(409, "AlreadyExists", "it exists");
    let (launcher, _) = server(creating(exists.clone(), "aideator"));
    launcher.launch(order("Hello")).await.unwrap();
    let (launcher, _) = server(creating(exists, "another"));
    let refused = launcher.launch(order("Hello")).await.unwrap_err();
    let LaunchError::Never(reason) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reason.code, Code::LaunchFailed);
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_waited_for_with_words() {
    let quota = failure(
        403,
        "Forbidden",
        "jobs.batch \"a\" is forbidden: exceeded quota: agents, requested: count/jobs.batch=1, used: count/jobs.batch=9, limited: count/jobs.batch=9",
    );
    let told = |answer: (u16, Value)| async {
        let (launcher, _) = server(creating(answer, "aideator"));
        launcher.launch(order("Hello")).await.unwrap_err()
    };
    let LaunchError::Held(reason) = told(quota).await else {
        panic!()
    };
    assert_eq!(reason.code, Code::Quota);
    assert!(
        reason
            .message
            .starts_with("waits for the namespace's quota: agents, requested")
    );
    for (code, why) in [
        (403, "Forbidden"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ] {
        let LaunchError::Held(reason) = told(failure(code, why, "no")).await else {
            panic!("{code}")
        };
        assert_eq!(reason.code, Code::Kubernetes);
    }
    let invalid = told(failure(422, "Invalid", "spec: bad")).await;
    assert!(matches!(invalid, LaunchError::Never(reason) if reason.message.contains("spec: bad")));
}

#[tokio::test]
async fn a_stop_deletes_the_job_and_a_hard_one_its_pods_and_nothing_there_is_no_error() {
    let (launcher, asked) = server(|method, path| match (method, path) {
        (&Method::DELETE, _) => failure(404, "NotFound", "no such thing"),
        _ => (
            200,
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {},
                "items": [{"metadata": {"name": "pod-1"}}]}),
        ),
    });
    let name = order("").name;
    launcher.stop(&name, Pressure::Soft).await;
    assert_eq!(*asked.lock().unwrap(), [format!("DELETE {JOBS}/{JOB}")]);
    asked.lock().unwrap().clear();
    launcher.stop(&name, Pressure::Hard).await;
    let pods = "/api/v1/namespaces/ideas/pods";
    let expected = [
        format!("DELETE {JOBS}/{JOB}"),
        format!("GET {pods}"),
        format!("DELETE {pods}/pod-1"),
    ];
    assert_eq!(*asked.lock().unwrap(), expected);
}

fn secret(owner: Option<&str>, expires: u64) -> PartialObjectMeta<Secret> {
    let annotations = json!({ EXPIRES: expires.to_string(), LIFETIME: "600000" });
    let owners = owner
        .map(|uid| json!([{"apiVersion": "batch/v1", "kind": "Job", "name": JOB, "uid": uid}]));
    serde_json::from_value(
        json!({"metadata": {"name": JOB, "annotations": annotations, "ownerReferences": owners}}),
    )
    .unwrap()
}

fn job(status: Value) -> Job {
    let mut job = job_there("aideator");
    job["status"] = status;
    serde_json::from_value(job).unwrap()
}

#[test]
fn a_secret_is_owned_renewed_or_let_go() {
    let now = Timestamp::from_millis(1_000_000);
    let waiting = job(json!({"active": 1, "ready": 0}));
    let cared = |secret, job: Option<&Job>| care(&secret, job, now);
    assert_eq!(
        cared(secret(Some("u1"), 1_600_000), None),
        Care::DeleteIfClosed
    );
    assert_eq!(cared(secret(None, 1_600_000), Some(&waiting)), Care::Own);
    assert_eq!(
        cared(secret(Some("u0"), 1_600_000), Some(&waiting)),
        Care::Own
    );
    assert_eq!(
        cared(secret(Some("u1"), 1_600_000), Some(&waiting)),
        Care::Leave
    );
    let renewed = Care::Renew { lifetime: 600_000 };
    assert_eq!(
        cared(secret(Some("u1"), 1_500_000), Some(&waiting)),
        renewed
    );
    for begun in [
        json!({"ready": 1}),
        json!({"failed": 1}),
        json!({"conditions": [{"type": "Complete", "status": "True"}]}),
    ] {
        assert_eq!(
            cared(secret(Some("u1"), 1_500_000), Some(&job(begun))),
            Care::Leave
        );
    }
}

#[test]
fn a_credential_outlives_its_pod_by_a_minute() {
    let Objects { job, secret } = build(&template(), &site(), &order(""));
    let pod = job.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.active_deadline_seconds, Some(300 + 1800 + 30));
    let life = credential_life(&order("").spec, site().start_allowance);
    assert_eq!(life.as_secs(), 300 + 1800 + 30 + 60);
    assert_eq!(secret.metadata.annotations.unwrap()[LIFETIME], "2190000");
}
