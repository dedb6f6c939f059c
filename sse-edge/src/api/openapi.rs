//! The OpenAPI document, from the contract's own schemas.

use std::sync::OnceLock;

use aideator_contract::event::OutMessage;
use aideator_contract::request::RunRequest;
use aideator_contract::state_log::StateMessage;
use aideator_contract::view::{Info, ListRequest, RunView, RunsPage};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{Method, header};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::command::{Cancel, Noted, Pick, Retry};
use super::create::Created;
use super::tokens::{Revoke, Revoked};
use crate::multiplex;
use crate::problem::{Document, MEDIA_TYPE};

const JSON: &str = "application/json";
const BEARER: &str = "bearer";
const COOKIE: &str = "cookie";

/// The OpenAPI document.
pub(super) async fn openapi() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| Bytes::from(document().to_string()));
    ([(header::CONTENT_TYPE, JSON)], document.clone()).into_response()
}

/// The document (OpenAPI 3.1).
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut book = Book {
        schemas: settings.into_generator(),
        paths: Map::new(),
    };
    runs(&mut book);
    commands(&mut book);
    others(&mut book);
    let Book { mut schemas, paths } = book;
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AIdeator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs several agents on one prompt, streams what they say, keeps it replayable.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                BEARER: { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token of `aideator token new`, or the edge's own. Operations name the scope \
                                    they need: `read`, `run` (includes read) or `admin` (includes all)." },
                COOKIE: { "type": "apiKey", "in": "cookie", "name": "aideator_token",
                    "description": "The same, as a page has it that was opened with `?token=<token>`" },
            },
        },
    })
}

fn runs(book: &mut Book) {
    let (ask, created) = (book.json::<RunRequest>(), book.json::<Created>());
    let mut create = book.operation(
        "Starts a run; the answer comes once it is accepted, or within two seconds",
        [
            (
                "200",
                "The same request had started this run before",
                created.clone(),
            ),
            ("201", "Accepted", created.clone()),
            ("202", "Stored and not decided yet", created),
        ],
    );
    create["requestBody"] = json!({ "required": true, "content": ask });
    create["parameters"] = json!([header(
        "Idempotency-Key",
        "The same key with the same body is the same run"
    )]);
    book.put("post", "/api/v1/runs", create);

    let page = book.json::<RunsPage>();
    let mut list = book.operation(
        "Lists runs, newest first",
        [("200", "A page of runs", page)],
    );
    list["parameters"] = book.query::<ListRequest>();
    book.put("get", "/api/v1/runs", list);

    let view = book.json::<RunView>();
    let show = book.operation(
        "One run: what it was asked and where it is",
        [("200", "The run", view)],
    );
    book.put("get", "/api/v1/runs/{run_id}", show);

    let events = json!({ "text/event-stream": { "schema": { "type": "string" } } });
    let problem = json!({ MEDIA_TYPE: { "schema": book.schemas.subschema_for::<Document>() } });
    let mut stream = book.operation(
        "Follows a run. Unnamed messages are events of variations (OutMessage), `state` messages the state log \
         (StateMessage); `caught-up`, `gap`, `slow`, `end` and `error` tell about the stream. Every id is a position to resume from.",
        [
            ("200", "The event stream", events.clone()),
            ("204", "All was shown already, and the run is over", json!({})),
            ("503", "Too many ask at once, or NATS is away; `Retry-After` says when to come back", problem.clone()),
        ],
    );
    let from = |more: Vec<Value>| {
        let mut parameters = vec![
            header("Last-Event-ID", "Go on behind the event with this id"),
            json!({ "name": "last_event_id", "in": "query", "schema": { "type": "string" },
              "description": "The same for clients that can't send the header (also `lastEventId`)" }),
            json!({ "name": "snapshot", "in": "query", "schema": { "type": "string", "enum": ["1", "0"] },
              "description": "1: of what was said before come the acceptance, one `snapshot` message per variation (a few, \
                              where it said more than a MiB) and the last state. A snapshot has `run_id`, `variation` and `events`, \
                              in which deltas that follow each other are one, numbered and dated as the last of them; its `first` \
                              has `n` and `ts` of the first. Who goes on behind an id gets what followed as it came" }),
        ];
        parameters.extend(more);
        Value::Array(parameters)
    };
    stream["parameters"] = from(Vec::new());
    book.put("get", "/api/v1/runs/{run_id}/stream", stream);
    let mut streams = book.operation(
        "Follows several runs on one connection, as the stream of each does. An id holds the position in each of them \
         (`<run>:<position>`, with commas between; without those of which nothing was shown). `caught-up`, `gap`, `slow`, \
         `end`, `snapshot` and `error` name their `run_id`. A run that was told to be over is not looked at again on this \
         connection",
        [
            ("200", "The event stream", events),
            ("204", "All was shown already, and the runs are over", json!({})),
            ("503", "Too many ask at once, or NATS is away; `Retry-After` says when to come back", problem),
        ],
    );
    streams["parameters"] = from(vec![
        json!({ "name": "run", "in": "query", "required": true,
        "schema": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": multiplex::RUNS },
        "description": "The runs: `run=a&run=b`" }),
    ]);
    book.put("get", "/api/v1/stream", streams);
    book.json::<OutMessage>();
    book.json::<StateMessage>();

    let lines = json!({ "application/x-ndjson": { "schema": { "type": "string" } } });
    let mut log = book.operation(
        "All a run has said up to a position, one message a line; `{\"gap\":…}` where something is no longer kept. The entity \
         tag is the position.",
        [
            ("200", "The log", lines.clone()),
            ("206", "The part of it that was asked for", lines),
            ("304", "It has not grown", json!({})),
            ("416", "It has no such part", json!({})),
        ],
    );
    log["parameters"] = json!([
        { "name": "to", "in": "query", "schema": { "type": "string" },
          "description": "The position up to which; without it, all there is now. With it the answer never changes" },
        header("Range", "Bytes of it"),
        header("If-None-Match", "Entity tags that are known"),
    ]);
    book.put("get", "/api/v1/runs/{run_id}/log", log);
}

fn commands(book: &mut Book) {
    let variation = "/api/v1/runs/{run_id}/variations/{variation}";
    let cancel = book.json::<Cancel>();
    book.command("/api/v1/runs/{run_id}/cancel", "Stops a run", &cancel);
    book.command(
        &format!("{variation}/cancel"),
        "Stops one variation",
        &cancel,
    );
    let retry = book.json::<Retry>();
    book.command(
        &format!("{variation}/retry"),
        "Tries an ended variation again",
        &retry,
    );
    let pick = book.json::<Pick>();
    book.command(
        "/api/v1/runs/{run_id}/pick",
        "Notes which variation is best",
        &pick,
    );
}

fn others(book: &mut Book) {
    let (ask, revoked) = (book.json::<Revoke>(), book.json::<Revoked>());
    let mut revoke = book.operation(
        "Revokes a signed token: every edge refuses it within ten seconds, and its open streams end within thirty",
        [("200", "Revoked", revoked)],
    );
    revoke["requestBody"] = json!({ "required": true, "content": ask });
    book.put("post", "/api/v1/tokens/revoke", revoke);

    let info = book.json::<Info>();
    let info = book.operation(
        "What the installation offers",
        [("200", "Models and limits", info)],
    );
    book.put("get", "/api/v1/info", info);
    let any = json!({ JSON: { "schema": { "type": "object" } } });
    let itself = book.operation("This document", [("200", "OpenAPI 3.1", any)]);
    book.put("get", "/api/openapi.json", itself);
    for (path, words) in [
        ("/healthz", "Whether the edge lives"),
        (
            "/readyz",
            "Whether the edge is of use: NATS answers and the edge is not stopping",
        ),
        ("/metrics", "Measurements in Prometheus' text format"),
    ] {
        let text = json!({ "text/plain": { "schema": { "type": "string" } } });
        let probe = book.operation(words, [("200", "It does", text)]);
        book.put("get", path, probe);
    }
}

struct Book {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Book {
    fn json<T: JsonSchema>(&mut self) -> Value {
        json!({ JSON: { "schema": self.schemas.subschema_for::<T>() } })
    }

    fn operation<const N: usize>(
        &mut self,
        summary: &str,
        answers: [(&str, &str, Value); N],
    ) -> Value {
        let problem = self.schemas.subschema_for::<Document>();
        let mut responses = Map::new();
        for (status, description, content) in answers {
            responses.insert(
                status.into(),
                json!({ "description": description, "content": content }),
            );
        }
        let content = json!({ MEDIA_TYPE: { "schema": problem } });
        let problem = json!({ "description": "A problem (RFC 9457)", "content": content });
        responses.insert("default".into(), problem);
        json!({ "summary": summary, "responses": responses })
    }

    fn command(&mut self, path: &str, summary: &str, body: &Value) {
        let noted = self.json::<Noted>();
        let mut operation = self.operation(summary, [("202", "Stored; it will be done", noted)]);
        operation["requestBody"] = json!({ "content": body });
        self.put("post", path, operation);
    }

    /// The parameters of a query are the fields of a type.
    fn query<T: JsonSchema>(&mut self) -> Value {
        let schema = self.schemas.root_schema_for::<T>();
        let fields = schema.get("properties").and_then(Value::as_object);
        let parameter = |(name, schema): (&String, &Value)| json!({ "name": name, "in": "query", "schema": schema });
        fields.into_iter().flatten().map(parameter).collect()
    }

    fn put(&mut self, method: &str, path: &str, mut operation: Value) {
        let named = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = named.map(|name| {
            let schema = json!({ "type": if name == "variation" { "integer" } else { "string" } });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        });
        let mut parameters: Vec<Value> = in_path.collect();
        if let Some(more) = operation["parameters"].as_array() {
            parameters.extend(more.clone());
        }
        operation["parameters"] = Value::Array(parameters);
        operation["security"] = security(method, path);
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = operation;
    }
}

/// What the route table says, so that the two can't differ.
fn security(method: &str, path: &str) -> Value {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
    match super::needs(&method, Some(path)) {
        Some(scope) => json!([{ BEARER: [scope.name()] }, { COOKIE: [scope.name()] }]),
        None => json!([]),
    }
}

fn header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes: BTreeSet<_> = super::super::routes()
            .into_iter()
            .map(|route| {
                (
                    route.path.to_owned(),
                    route.method.to_string().to_lowercase(),
                )
            })
            .collect();
        let document = document();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(|method| (path.clone(), method.clone()))
            })
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn every_operation_says_which_scope_it_needs() {
        let document = document();
        let security = |method: &str, path: &str| {
            let named = &document["paths"][path][method]["security"];
            let scheme = |one: &Value| one.as_object().unwrap().keys().next().cloned().unwrap();
            for one in named.as_array().unwrap() {
                assert!(document["components"]["securitySchemes"][scheme(one)].is_object());
            }
            named[0][BEARER][0].as_str().map(str::to_owned)
        };
        assert_eq!(security("get", "/api/v1/runs").as_deref(), Some("read"));
        assert_eq!(security("post", "/api/v1/runs").as_deref(), Some("run"));
        assert_eq!(
            security("post", "/api/v1/tokens/revoke").as_deref(),
            Some("admin")
        );
        assert_eq!(security("get", "/healthz"), None);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let mut found = 0;
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            found += 1;
        }
        assert!(found > 10, "{found}");
    }
}
