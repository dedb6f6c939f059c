//! Real models' code path against a server that speaks like OpenAI's.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use aideator_agent::model::{self, Fault, ModelEvent, ModelRequest, Settings, Tokens};
use aideator_contract::{Code, Reason};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server that gives one canned answer per connection, in order, and keeps what it was asked.
struct Server {
    base_url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Asked {
    head: String,
    body: Value,
}

/// Parts of an answer, sent as TCP segments of their own.
type Canned = Vec<String>;

impl Server {
    async fn start(answers: Vec<Canned>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read(&mut socket).await;
                kept.lock().unwrap().push(request);
                for part in answer {
                    socket.write_all(part.as_bytes()).await.unwrap();
                    socket.flush().await.unwrap();
                }
            }
        });
        Self { base_url, asked }
    }

    fn asked<T>(&self, look: impl Fn(&Asked) -> T) -> T {
        look(&self.asked.lock().unwrap()[0])
    }
}

async fn read(socket: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if let Ok(body) = serde_json::from_str(body) {
            return Asked {
                head: head.to_lowercase(),
                body,
            };
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Canned {
    let length = body.len();
    vec![format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )]
}

fn chunk(delta: &str) -> String {
    let json = json!({"id": "1", "choices": [{"index": 0, "delta": {"content": delta}, "finish_reason": null}]});
    format!("data: {json}\n\n")
}

fn stop() -> String {
    let json = json!({"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    format!("data: {json}\n\n")
}

fn usage() -> String {
    let json = json!({"id": "1", "choices": [], "usage": {
        "prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 5}
    }});
    format!("data: {json}\n\n")
}

fn streamed(events: &[String]) -> Canned {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    std::iter::once(head.to_owned())
        .chain(events.iter().cloned())
        .collect()
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

async fn ask_with(variables: &[(&str, &str)]) -> Vec<Result<ModelEvent, Fault>> {
    let settings = Settings::from_environment(
        variables
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
    );
    let request = ModelRequest {
        model: "some-model".into(),
        system: "be brief".into(),
        prompt: "hi".into(),
        temperature: Some(0.5),
    };
    let model = model::open("some-model", &settings).await.unwrap();
    model.ask(request).collect().await
}

async fn ask(server: &Server) -> Vec<Result<ModelEvent, Fault>> {
    ask_with(&[
        ("OPENAI_BASE_URL", &server.base_url),
        ("OPENAI_API_KEY", "sk-test"),
    ])
    .await
}

fn reason(events: &[Result<ModelEvent, Fault>]) -> Reason {
    events.last().unwrap().clone().unwrap_err().reason
}

fn text(delta: &str) -> Result<ModelEvent, Fault> {
    Ok(ModelEvent::TextDelta(delta.into()))
}

/// That test again, in a process of its own that is to reach everything by a proxy that isn't there.
#[test]
fn a_server_on_this_machine_is_asked_without_a_proxy() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "text_comes_as_it_is_streamed_with_usage_at_the_end",
        ])
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn text_comes_as_it_is_streamed_with_usage_at_the_end() {
    let server = Server::start(vec![streamed(&[
        chunk("Hel"),
        chunk("lo \n"),
        chunk("  größe"),
        stop(),
        usage(),
        done(),
    ])])
    .await;
    let events = ask(&server).await;
    let tokens = Tokens {
        input: 20,
        cached: Some(5),
        output: 7,
        reasoning: None,
    };
    assert_eq!(
        events,
        [
            text("Hel"),
            text("lo \n"),
            text("  größe"),
            Ok(ModelEvent::Usage(tokens)),
            Ok(ModelEvent::Finish("stop".into()))
        ]
    );
    server.asked(|asked| {
        assert!(
            asked.head.starts_with("post /v1/chat/completions"),
            "{}",
            asked.head
        );
        assert!(asked.head.contains("authorization: bearer sk-test"));
        assert_eq!(asked.body["model"], "some-model");
        assert_eq!(asked.body["temperature"], 0.5);
        assert_eq!(
            asked.body["messages"][0],
            json!({"role": "system", "content": "be brief"})
        );
        assert_eq!(asked.body["stream"], true);
    });
}

#[tokio::test]
async fn a_server_of_ones_own_needs_no_key() {
    let server = Server::start(vec![streamed(&[chunk("a"), stop(), done()])]).await;
    let events = ask_with(&[("AIDEATOR_BASE_URL", &server.base_url)]).await;
    assert_eq!(events, [text("a"), Ok(ModelEvent::Finish("stop".into()))]);
}

#[tokio::test]
async fn a_refused_key_an_unknown_model_and_a_full_context_are_told_apart() {
    let cases = [
        (
            "401 Unauthorized",
            json!({"error": {"message": "Incorrect API key"}}),
            Code::WrongModelKey,
            "OPENAI_API_KEY",
        ),
        (
            "404 Not Found",
            json!({"error": {"message": "no model"}}),
            Code::UnknownModel,
            "some-model",
        ),
        (
            "400 Bad Request",
            json!({"error": {"message": "maximum context length is 8192 tokens"}}),
            Code::ContextTooLong,
            "8192",
        ),
    ];
    for (status, body, code, words) in cases {
        let server = Server::start(vec![answer(status, "", &body.to_string())]).await;
        let reason = reason(&ask(&server).await);
        assert_eq!(reason.code, code, "{reason}");
        assert!(reason.message.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_told_and_waited_for() {
    let limit = answer(
        "429 Too Many Requests",
        "retry-after: 1\r\n",
        r#"{"error":{"message":"slow down"}}"#,
    );
    let server = Server::start(vec![limit, streamed(&[chunk("a"), stop(), done()])]).await;
    let events = ask(&server).await;
    assert!(
        matches!(&events[0], Ok(ModelEvent::Retrying(line)) if line.contains("slow down")),
        "{events:?}"
    );
    assert_eq!(
        events[1..],
        [text("a"), Ok(ModelEvent::Finish("stop".into()))]
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_begins_again() {
    let whole = streamed(&[chunk("a"), chunk("b"), stop(), done()]);
    let server = Server::start(vec![streamed(&[chunk("a")]), whole]).await;
    let events = ask(&server).await;
    assert_eq!(events[0], text("a"));
    assert!(
        matches!(events[1], Ok(ModelEvent::Retrying(_))),
        "{events:?}"
    );
    assert!(matches!(events[2], Ok(ModelEvent::Reset(_))), "{events:?}");
    assert_eq!(events[3..5], [text("a"), text("b")]);
}

#[tokio::test]
async fn an_error_inside_the_stream_is_told() {
    let error =
        "data: {\"error\":{\"message\":\"the request exceeds the available context size\"}}\n\n"
            .to_owned();
    let server = Server::start(vec![streamed(&[error])]).await;
    assert_eq!(reason(&ask(&server).await).code, Code::ContextTooLong);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let events = ask_with(&[("OPENAI_BASE_URL", &format!("http://{address}/v1"))]).await;
    let reason = reason(&events);
    assert_eq!(reason.code, Code::ModelUnreachable);
    assert!(reason.message.contains(&address.to_string()), "{reason}");
    assert!(
        events
            .iter()
            .filter(|event| matches!(event, Ok(ModelEvent::Retrying(_))))
            .count()
            > 0
    );
}
