use std::path::Path;
use std::time::Duration;

use aideator_bus::Error;
use aideator_bus::archive::Archiver;
use aideator_contract::subject::{ARCHIVE_BUCKET, rpc};
use aideator_contract::view::{GetRequest, ListRequest, RunView, RunsPage};
use aideator_contract::{Outcome, RunId, State, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::stage::{Stage, done, run, soon, spec};

async fn ask<T: DeserializeOwned>(
    stage: &Stage,
    subject: &str,
    question: &impl Serialize,
) -> Result<T, Error> {
    let question = serde_json::to_vec(question).unwrap();
    let limit = Duration::from_secs(20);
    let answer = stage.bus.request(subject, question.into(), limit).await?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// Waits for the service, which says of nobody that it is there yet.
async fn list(stage: &Stage, wanted: &ListRequest) -> RunsPage {
    soon(async {
        loop {
            match ask(stage, rpc::RUNS_LIST, wanted).await {
                Ok(page) => return page,
                Err(Error::Unreachable { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
}

async fn until_listed(stage: &Stage, wanted: &ListRequest, ids: &[&str]) -> RunsPage {
    let mut last = RunsPage::default();
    let listed = async {
        loop {
            last = list(stage, wanted).await;
            if names(&last) == ids {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(20);
    let timely = tokio::time::timeout(limit, listed).await.is_ok();
    assert!(timely, "wanted {ids:?}, got {:?}", names(&last));
    last
}

fn names(page: &RunsPage) -> Vec<&str> {
    page.runs.iter().map(|row| row.run_id.as_str()).collect()
}

/// Accepts a run a little later than the one before, so that their order is certain.
async fn accept(stage: &Stage, name: &str, model: &str, variations: usize) -> RunId {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let run = run(name);
    stage.accept(&run, &spec(model, variations)).await;
    run
}

#[tokio::test]
async fn a_list_knows_what_was_stored_before_it_was_asked_for() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    until_listed(&stage, &ListRequest::default(), &[]).await;
    let mut wanted = Vec::new();
    for n in 0..30 {
        wanted.insert(
            0,
            accept(&stage, &format!("r{n}"), "m", 1).await.to_string(),
        );
        assert_eq!(names(&list(&stage, &ListRequest::default()).await), wanted);
    }
    watching.stop().await;
}

#[tokio::test]
async fn runs_are_listed_newest_first_filtered_and_in_pages() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    for (name, model) in [
        ("a", "one"),
        ("b", "two"),
        ("c", "one"),
        ("d", "two"),
        ("e", "one"),
    ] {
        accept(&stage, name, model, 1).await;
    }
    let all = ListRequest::default();
    until_listed(&stage, &all, &["e", "d", "c", "b", "a"]).await;
    let one = ListRequest {
        model: Some("one".to_owned()),
        ..all.clone()
    };
    assert_eq!(names(&list(&stage, &one).await), ["e", "c", "a"]);
    let mut page = ListRequest {
        limit: Some(2),
        ..all.clone()
    };
    let mut seen: Vec<String> = Vec::new();
    loop {
        let found = list(&stage, &page).await;
        assert!(found.runs.len() <= 2);
        seen.extend(names(&found).into_iter().map(str::to_owned));
        page.before = found.next;
        if page.before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"]);
    stage.move_to(&run("d"), 0, State::Cancelled).await;
    let finished = ListRequest {
        status: Some(Status::Finished),
        ..all.clone()
    };
    let page = until_listed(&stage, &finished, &["d"]).await;
    assert_eq!(page.runs[0].variations[0].state, State::Cancelled);
    assert!(page.runs[0].finished.is_some());
    assert_eq!(page.runs[0].prompt, "What does two do?");
    let queued = ListRequest {
        state: Some(State::Queued),
        ..all.clone()
    };
    assert_eq!(names(&list(&stage, &queued).await), ["e", "c", "b", "a"]);
    let picked = ListRequest {
        picked: Some(true),
        ..all
    };
    assert!(list(&stage, &picked).await.runs.is_empty());
    watching.stop().await;
}

#[tokio::test]
async fn a_run_is_told_with_its_places_in_the_queue() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    let first = accept(&stage, "first", "m", 2).await;
    let second = accept(&stage, "second", "m", 1).await;
    until_listed(&stage, &ListRequest::default(), &["second", "first"]).await;
    let get = GetRequest {
        run_id: second.clone(),
    };
    let view: RunView = ask(&stage, rpc::RUNS_GET, &get).await.unwrap();
    assert_eq!(view.spec.unwrap().prompt, "What does m do?");
    // All were queued by the same request here, so variations go first by their numbers.
    assert_eq!(view.queue.len(), 1);
    assert_eq!(view.queue[0].position, 2);
    let get = GetRequest { run_id: first };
    let view: RunView = ask(&stage, rpc::RUNS_GET, &get).await.unwrap();
    assert_eq!(
        view.queue.iter().map(|p| p.position).collect::<Vec<_>>(),
        [1, 3]
    );
    let get = GetRequest {
        run_id: run("nobody"),
    };
    let unknown = ask::<RunView>(&stage, rpc::RUNS_GET, &get)
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, Error::Service { code: 404, .. }),
        "{unknown}"
    );
    let bad = serde_json::json!({ "limit": 0 });
    let refused = ask::<RunsPage>(&stage, rpc::RUNS_LIST, &bad)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::Service { code: 400, .. }),
        "{refused}"
    );
    let bad = serde_json::json!({ "sort": "up" });
    let refused = ask::<RunsPage>(&stage, rpc::RUNS_LIST, &bad)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("sort"), "{refused}");
    watching.stop().await;
}

/// Overwrites every file below `folder` with nonsense of the same length.
fn tear(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tear(&path);
        } else {
            let length = std::fs::metadata(&path).unwrap().len();
            let nonsense: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ 0x5a).collect();
            std::fs::write(&path, nonsense).unwrap();
        }
    }
}

#[tokio::test]
async fn a_rebuilt_database_equals_the_one_that_grew() {
    let stage = Stage::set().await;
    let watching = stage.watch().await;
    for (name, model) in [("a", "one"), ("b", "two"), ("c", "three")] {
        accept(&stage, name, model, 2).await;
    }
    let a = run("a");
    let _supervisor = stage.launch(&a, 0, &spec("one", 2)).await;
    stage.report(&a, 0, done(Outcome::Succeeded)).await;
    stage
        .until(&a, |s| s.variations[0].state == State::Succeeded)
        .await;
    stage.move_to(&a, 1, State::Cancelled).await;
    let finished = ListRequest {
        status: Some(Status::Finished),
        ..ListRequest::default()
    };
    until_listed(&stage, &finished, &["a"]).await;
    let all = ListRequest::default();
    let grown = list(&stage, &all).await;
    let rebuilt: serde_json::Value = ask(&stage, rpc::REBUILD, &serde_json::json!({}))
        .await
        .unwrap();
    assert_eq!(rebuilt["runs"], 3);
    assert_eq!(list(&stage, &all).await, grown);

    watching.stop().await;

    // Without its database, with one that is no database, and with one that is torn.
    let folder = stage.data_dir().join("projection");
    for broken in ["gone", "no folder", "torn"] {
        if broken == "torn" {
            tear(&folder);
        } else {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        if broken == "no folder" {
            std::fs::write(&folder, "this is no database").unwrap();
        }
        let watching = stage.watch().await;
        assert_eq!(list(&stage, &all).await, grown, "{broken}");
        watching.stop().await;
    }

    // What has left the stream is in the archive: the beginning of a run, or all of it. What nobody can
    // read there is in nobody's way.
    let watching = stage.watch().await;
    let (finished, _) = stage.state(&a).await;
    let picked = stage.pick(&a, 9).await;
    stage.until_archived(&a, picked).await;
    let grown = list(&stage, &all).await;
    assert!(grown.runs.iter().any(|row| row.pick.is_some()));
    watching.stop().await;
    let archives = stage.bus.objects(ARCHIVE_BUCKET);
    let metadata = Archiver::new(1).finish().metadata();
    archives.put("damaged", metadata, "?".into()).await.unwrap();
    for left in [finished, picked] {
        assert!(stage.bus.purge_run(&a, left).await.unwrap() > 0);
        std::fs::remove_dir_all(&folder).unwrap();
        let watching = stage.watch().await;
        assert_eq!(list(&stage, &all).await, grown, "archived up to {left}");
        watching.stop().await;
    }

    // What happens while nobody follows is caught up with.
    accept(&stage, "later", "one", 1).await;
    let watching = stage.watch().await;
    until_listed(&stage, &all, &["later", "c", "b", "a"]).await;
    watching.stop().await;
}
