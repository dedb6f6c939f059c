use aideator_contract::State;

use crate::client::{follow, text_of};
use crate::world::World;

#[tokio::test]
async fn a_viewer_who_joins_in_the_middle_sees_all_and_the_end() {
    let world = World::begin().await;
    let mut run = world.run("a", 2).await;
    run.go(0, State::Running).await;
    for word in ["one ", "two "] {
        run.say(0, word).await;
    }
    let mut viewer = follow(world.at(), "a", "").await;
    assert_eq!(viewer.status, 200);
    assert_eq!(viewer.headers["content-type"], "text/event-stream");
    assert_eq!(viewer.headers["cache-control"], "no-cache, no-transform");
    assert_eq!(viewer.headers["x-accel-buffering"], "no");
    let past = viewer.until("caught-up").await;
    assert_eq!(text_of(&past, 0), "one two ");
    run.say(0, "three").await;
    run.go(1, State::Cancelled).await;
    run.go(0, State::Succeeded).await;
    let rest = viewer.until("end").await;
    assert_eq!(text_of(&rest, 0), "three");
    assert_eq!(viewer.event().await, None);
    let end = rest.last().unwrap();
    assert_eq!(end.data, r#"{"run_id":"a","status":"finished"}"#);
    assert_eq!(follow(world.at(), "a", &end.id).await.status, 204);
}
