use std::time::Duration;

use aideator_bus::{Away, Bus, Endpoint, Error, Question, Refusal, Service, ServiceSpec};
use bytes::Bytes;

use crate::{begin, connect, soon};

async fn start(bus: &Bus) -> Service {
    let spec = ServiceSpec {
        name: "aideator-test",
        version: "0.1.0",
        description: "Says things again",
        endpoints: vec![
            Endpoint {
                name: "echo",
                subject: "test.echo",
                schema: Some("{}".to_owned()),
            },
            Endpoint {
                name: "refuse",
                subject: "test.refuse",
                schema: None,
            },
        ],
    };
    let answer = |question: Question| async move {
        match question.subject.as_str() {
            "test.echo" => Ok(question.payload),
            _ => Err(Refusal {
                code: 404,
                text: "there is no such thing".to_owned(),
            }),
        }
    };
    Service::start(bus, spec, answer).await.unwrap()
}

async fn ask(bus: &Bus, subject: &str) -> Result<Bytes, Error> {
    bus.request(
        subject,
        Bytes::from_static(b"hello"),
        Duration::from_secs(5),
    )
    .await
}

#[tokio::test]
async fn a_service_answers_refuses_and_is_listed() {
    let (server, bus) = begin().await;
    let service = start(&bus).await;
    let client = connect(&server).await;
    assert_eq!(ask(&client, "test.echo").await.unwrap(), "hello");
    let refused = ask(&client, "test.refuse").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Service { code: 404, text } if text == "there is no such thing")
    );
    let info = ask(&client, "$SRV.INFO.aideator-test").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    let endpoints = info["endpoints"].as_array().unwrap();
    let echo = endpoints
        .iter()
        .find(|endpoint| endpoint["subject"] == "test.echo")
        .unwrap();
    assert_eq!(
        (&echo["name"], &echo["metadata"]["schema"]),
        (&"echo".into(), &"{}".into())
    );
    soon(service.stop()).await;
    // The server hears of it a moment later.
    let gone = |error: &Error| {
        matches!(
            error,
            Error::Unreachable {
                away: Away::NoResponders,
                ..
            }
        )
    };
    soon(async {
        let moment = Duration::from_millis(100);
        while !client
            .request("test.echo", Bytes::new(), moment)
            .await
            .is_err_and(|e| gone(&e))
        {}
    })
    .await;
}

#[tokio::test]
async fn a_service_answers_after_the_server_was_killed() {
    let (mut server, bus) = begin().await;
    let _service = start(&bus).await;
    server.restart().await;
    soon(async {
        loop {
            match ask(&bus, "test.echo").await {
                Ok(answer) => return assert_eq!(answer, "hello"),
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    })
    .await;
}
