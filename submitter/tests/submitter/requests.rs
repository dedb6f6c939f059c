use aideator_contract::State;
use aideator_contract::attempt::AttemptEvent;
use aideator_contract::subject::Command;

use crate::scene::{Scene, id};

#[tokio::test]
async fn a_request_is_accepted_and_its_variations_are_launched() {
    let scene = Scene::begin().await;
    scene
        .send(
            Command::Run,
            r#"{"run_id":"first","prompt":"p","variations":2}"#,
        )
        .await;
    scene.states("first", &[State::Scheduling; 2]).await;
    assert_eq!(scene.launcher.launched(), ["first.0.1", "first.1.1"]);
    let spec = scene.launcher.spec("first.1.1").unwrap();
    assert_eq!(spec.prompt, "p");
    assert_eq!(spec.variation_spec.model, "scripted/lorem");
    let fence = scene.fence("first", 1).await.unwrap();
    assert!(matches!(fence.event, AttemptEvent::Opened { .. }));
    assert!(
        scene
            .bus
            .open_runs()
            .get(&id("first"))
            .await
            .unwrap()
            .is_some()
    );
    scene.quiet().await;
    assert!(scene.dead().await.is_empty());
}
