use aideator_bus::Append;
use aideator_contract::attempt::AttemptEvent;
use aideator_contract::dead_letter::Refused;
use aideator_contract::subject::Command;
use aideator_contract::{Change, Code, RunId, State, Status, Subject};
use bytes::Bytes;

use crate::scene::{Scene, id};

#[tokio::test]
async fn a_request_is_accepted_and_its_variations_are_launched() {
    let scene = Scene::begin().await;
    let request = r#"{"run_id":"first","prompt":"p","variations":2}"#;
    scene.send(Command::Run, request).await;
    scene.states("first", &[State::Scheduling; 2]).await;
    assert_eq!(scene.launcher.launched(), ["first.0.1", "first.1.1"]);
    let spec = scene.launcher.spec("first.1.1").unwrap();
    assert_eq!(spec.prompt, "p");
    assert_eq!(spec.variation_spec.model, "scripted/lorem");
    let fence = scene.fence("first", 1).await.unwrap();
    assert!(matches!(fence.event, AttemptEvent::Opened { .. }));
    let open = scene.bus.open_runs().get(&id("first")).await;
    assert!(open.unwrap().is_some());
    scene.quiet().await;
    assert!(scene.dead().await.is_empty());
}

#[tokio::test]
async fn a_name_of_the_message_gives_the_run_its_id_for_ever() {
    let scene = Scene::begin().await;
    let run = RunId::from_key("my key").to_string();
    let request = r#"{"prompt":"p"}"#;
    scene.send_as(Command::Run, request, Some("my key")).await;
    scene.states(&run, &[State::Scheduling]).await;
    // The server forgets message ids after a second here, and takes the next as a new one.
    let first = scene.state(&run).await.unwrap().summary.applied;
    let again = loop {
        let sequence = scene.send_as(Command::Run, request, Some("my key")).await;
        if !first.contains(&sequence) {
            break sequence;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    scene.quiet().await;
    assert_eq!(scene.log(&run).await.len(), 2);
    assert!(scene.dead().await.is_empty());
    assert!(again > first[0]);
}

#[tokio::test]
async fn a_request_without_any_name_is_named_by_its_place() {
    let scene = Scene::begin().await;
    scene.send(Command::Run, r#"{"prompt":"p"}"#).await;
    scene.send(Command::Run, r#"{"prompt":"p"}"#).await;
    scene.quiet().await;
    let open = scene.bus.open_runs().entries().await.unwrap();
    assert_eq!(open.len(), 2);
    for (run, _) in open {
        scene.states(run.as_str(), &[State::Scheduling]).await;
    }
}

#[tokio::test]
async fn the_same_id_with_the_same_request_is_the_same_run() {
    let scene = Scene::begin().await;
    let written = r#"{"run_id":"same","prompt":"p","variations":1}"#;
    let otherwise = r#"{ "variations": 1, "prompt": "p", "run_id": "same" }"#;
    for request in [written, otherwise, written] {
        scene.send(Command::Run, request).await;
    }
    scene.quiet().await;
    scene.states("same", &[State::Scheduling]).await;
    assert_eq!(scene.log("same").await.len(), 2);
    assert!(scene.dead().await.is_empty());
    assert_eq!(scene.launcher.launched(), ["same.0.1"]);
}

#[tokio::test]
async fn the_same_id_with_another_request_is_refused_and_the_run_is_untouched() {
    let scene = Scene::begin().await;
    scene
        .send(Command::Run, r#"{"run_id":"taken","prompt":"p"}"#)
        .await;
    scene.states("taken", &[State::Scheduling]).await;
    let other = r#"{"run_id":"taken","prompt":"q"}"#;
    let sequence = scene.send(Command::Run, other).await;
    let letter = scene.letter(sequence).await;
    assert_eq!(letter.reason.code, Code::Conflict);
    assert_eq!(letter.run_id, Some(id("taken")));
    assert_eq!(letter.subject, "aideator.requests.run");
    assert_eq!(
        letter.request,
        Refused::Request(serde_json::from_str(other).unwrap())
    );
    scene.quiet().await;
    assert_eq!(scene.log("taken").await.len(), 2);
}

#[tokio::test]
async fn a_rejected_id_may_be_used_again() {
    let scene = Scene::begin().await;
    let sequence = scene
        .send(Command::Run, r#"{"run_id":"again","prompt":" "}"#)
        .await;
    scene.letter(sequence).await;
    scene.quiet().await;
    let told = scene.state("again").await.unwrap();
    assert_eq!(told.summary.status, Status::Rejected);
    assert_eq!(told.summary.applied, [sequence]);
    assert!(
        matches!(told.change, Change::Rejected { error } if error.message == "prompt is empty")
    );
    scene
        .send(Command::Run, r#"{"run_id":"again","prompt":"p"}"#)
        .await;
    scene.states("again", &[State::Scheduling]).await;
}

#[tokio::test]
async fn whatever_is_wrong_is_buried_with_its_reason_and_nothing_runs() {
    let scene = Scene::begin().await;
    let long = format!(r#"{{"run_id":"bad","prompt":"{}"}}"#, "x".repeat(33 * 1024));
    let huge = format!(
        r#"{{"run_id":"bad","prompt":"{}"}}"#,
        "x".repeat(140 * 1024)
    );
    let vast = format!(
        r#"{{"run_id":"bad","prompt":"{}"}}"#,
        "x".repeat(900 * 1024)
    );
    // As JSON, a letter that kept it whole would be larger than a server takes.
    let control = "\u{1}".repeat(200 * 1024);
    let repo = |repo: &str| format!(r#"{{"run_id":"bad","prompt":"p","repo":"{repo}"}}"#);
    let with = |rest: &str| format!(r#"{{"run_id":"bad","prompt":"p",{rest}}}"#);
    let cases = [
        ("nonsense".to_owned(), Code::BadJson, "not JSON"),
        ("\u{1}".to_owned(), Code::BadJson, "not JSON"),
        (with(r#""promt":1"#), Code::UnknownField, "promt"),
        (with(r#""v":2,"new":1"#), Code::NewerVersion, "version 2"),
        (
            r#"{"run_id":"bad","prompt":""}"#.to_owned(),
            Code::BadValue,
            "empty",
        ),
        (long, Code::TooLarge, "prompt"),
        (huge, Code::TooLarge, "request"),
        (vast, Code::TooLarge, "request"),
        (control, Code::TooLarge, "request"),
        (with(r#""variations":0"#), Code::BadValue, "1 to 5"),
        (with(r#""variations":6"#), Code::BadValue, "1 to 5"),
        (
            r#"{"run_id":"No Id","prompt":"p"}"#.to_owned(),
            Code::BadRunId,
            "run id",
        ),
        (with(r#""model":"gpt-9""#), Code::UnknownModel, "gpt-9"),
        (with(r#""mode":"exec""#), Code::ExecNotAllowed, "exec"),
        (repo("file:///etc"), Code::RepositoryAddress, "file://"),
        (
            repo("ssh://git@example.com/r"),
            Code::RepositoryAddress,
            "ssh://",
        ),
        (
            repo("https://u:p@example.com/r"),
            Code::RepositoryAddress,
            "password",
        ),
        (repo("https://10.0.0.1/r"), Code::PrivateAddress, "10.0.0.1"),
        (
            repo("https://169.254.169.254/r"),
            Code::PrivateAddress,
            "169.254",
        ),
        (
            repo("/no/such/folder"),
            Code::RepositoryNotFound,
            "/no/such/folder",
        ),
        (repo("/"), Code::RepositoryNotFound, "not a git repository"),
        (
            repo("https://nowhere.invalid/r"),
            Code::RepositoryUnreachable,
            "nowhere.invalid",
        ),
    ];
    let mut sent = Vec::new();
    for (request, code, word) in &cases {
        let sequence = scene.send(Command::Run, request).await;
        sent.push((sequence, code, word));
    }
    scene.quiet().await;
    let dead = scene.dead().await;
    assert_eq!(dead.len(), cases.len());
    for (sequence, code, word) in sent {
        let letter = dead.iter().find(|l| l.sequence == sequence).unwrap();
        assert_eq!(&letter.reason.code, code, "{}", letter.reason);
        assert!(
            letter.reason.message.contains(word),
            "{word}: {}",
            letter.reason
        );
    }
    let told = scene.state("bad").await.unwrap();
    assert_eq!(told.summary.status, Status::Rejected);
    assert!(scene.launcher.launched().is_empty());
    assert!(scene.bus.open_runs().entries().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_is_resolved_to_one_commit_for_all_variations() {
    let scene = Scene::begin().await;
    let folder = scene.server.folder().join("repository");
    std::fs::create_dir(&folder).unwrap();
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(&folder)
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org"]);
        let out = git.args(arguments).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let repo = folder.to_str().unwrap();
    let request =
        format!(r#"{{"run_id":"r","prompt":"p","repo":"{repo}","ref":"main","variations":2}}"#);
    scene.send(Command::Run, &request).await;
    scene.states("r", &[State::Scheduling; 2]).await;
    for name in ["r.0.1", "r.1.1"] {
        let source = scene.launcher.spec(name).unwrap().source.unwrap();
        assert_eq!(source.commit.as_deref(), Some(commit.as_str()));
        assert_eq!(source.reference.as_deref(), Some("main"));
    }
    let request = format!(r#"{{"run_id":"s","prompt":"p","repo":"{repo}","ref":"gone"}}"#);
    let sequence = scene.send(Command::Run, &request).await;
    assert_eq!(scene.letter(sequence).await.reason.code, Code::RefNotFound);
}

#[tokio::test]
async fn what_can_not_be_decided_is_kept_as_it_is_after_five_deliveries() {
    let scene = Scene::begin().await;
    let subject = Subject::state(&id("odd"));
    let nonsense = Bytes::from_static(b"nonsense");
    let stored = scene
        .bus
        .append(&subject, nonsense, Append::default())
        .await;
    stored.unwrap();
    let request = r#"{"run_id":"odd","prompt":"p"}"#;
    let sequence = scene.send(Command::Run, request).await;
    let letter = scene.letter(sequence).await;
    assert_eq!(letter.reason.code, Code::Internal);
    assert_eq!(letter.request, Refused::Text(request.to_owned()));
    scene.quiet().await;
}
