use std::time::Duration;

use aideator_bus::Error;
use aideator_contract::subject::{Command, rpc};
use aideator_contract::view::{Info, RunStored};
use aideator_contract::{Code, Reason, State};

use crate::scene::{Scene, until};

async fn ask(scene: &Scene, subject: &str, what: &str) -> Result<Vec<u8>, (u16, Reason)> {
    let limit = Duration::from_secs(5);
    until(async || {
        let what = bytes::Bytes::copy_from_slice(what.as_bytes());
        match scene.bus.request(subject, what, limit).await {
            Ok(answer) => Some(Ok(answer.to_vec())),
            Err(Error::Service { code, text }) => {
                Some(Err((code, serde_json::from_str(&text).unwrap())))
            }
            // The service is about to start.
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                None
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_run_is_started_and_its_id_told() {
    let scene = Scene::begin().await;
    let answer = ask(&scene, rpc::RUN, r#"{"prompt":"p"}"#).await.unwrap();
    let stored: RunStored = serde_json::from_slice(&answer).unwrap();
    scene
        .states(stored.run_id.as_str(), &[State::Scheduling])
        .await;
    let given = r#"{"run_id":"mine","prompt":"p"}"#;
    for _ in 0..2 {
        let answer = ask(&scene, rpc::RUN, given).await.unwrap();
        let stored: RunStored = serde_json::from_slice(&answer).unwrap();
        assert_eq!(stored.run_id.as_str(), "mine");
        scene.states("mine", &[State::Scheduling]).await;
    }
    assert_eq!(scene.log("mine").await.len(), 2);
}

#[tokio::test]
async fn what_can_not_be_used_is_refused_at_once_and_stored_nowhere() {
    let scene = Scene::begin().await;
    let (code, reason) = ask(&scene, rpc::RUN, r#"{"promt":"p"}"#).await.unwrap_err();
    assert_eq!((code, reason.code), (400, Code::UnknownField));
    let (code, reason) = ask(&scene, rpc::RUN, r#"{"prompt":"p","v":3}"#)
        .await
        .unwrap_err();
    assert_eq!((code, reason.code), (400, Code::NewerVersion));
    scene
        .send(Command::Run, r#"{"run_id":"a","prompt":"p"}"#)
        .await;
    scene.states("a", &[State::Scheduling]).await;
    let other = r#"{"run_id":"a","prompt":"q"}"#;
    let (code, reason) = ask(&scene, rpc::RUN, other).await.unwrap_err();
    assert_eq!((code, reason.code), (409, Code::Conflict));
    scene.quiet().await;
    assert!(scene.dead().await.is_empty());
}

#[tokio::test]
async fn it_says_what_is_offered() {
    let scene = Scene::begin().await;
    let answer = ask(&scene, rpc::INFO, "").await.unwrap();
    let info: Info = serde_json::from_slice(&answer).unwrap();
    assert_eq!(info.default_model, "scripted/lorem");
    assert!(info.local && !info.allow_exec);
    assert_eq!(info.max_variations, 5);
}
