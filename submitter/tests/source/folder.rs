use aideator_contract::Code;

use crate::repository::Repository;
use crate::resolve;

#[tokio::test]
async fn names_become_commits() {
    let repository = Repository::new();
    let path = repository.path();
    let path = path.to_str().unwrap();
    let main = repository.commit("main");
    let first = repository.commit("dev");
    for (reference, commit) in [
        (None, &main),
        (Some("dev"), &first),
        (Some("v1"), &first),
        (Some("heads/both"), &first),
        (Some("both"), &main),
        (Some(&first[..12]), &first),
        (Some(first.as_str()), &first),
    ] {
        let found = resolve(path, &[], reference).await;
        assert_eq!(found.as_ref(), Ok(commit), "{reference:?}");
    }
    assert_eq!(
        resolve(path, &[], Some("nope")).await,
        Err(Code::RefNotFound)
    );
    let missing = "0123456789012345678901234567890123456789";
    assert_eq!(
        resolve(path, &[], Some(missing)).await,
        Err(Code::RefNotFound)
    );
}

#[tokio::test]
async fn what_is_no_repository_is_told() {
    let repository = Repository::empty();
    let path = repository.path();
    assert_eq!(
        resolve(path.to_str().unwrap(), &[], None).await,
        Err(Code::RefNotFound)
    );
    let inside = path.join("inside");
    std::fs::create_dir(&inside).unwrap();
    for none in [
        inside.as_path(),
        &path.join("missing"),
        path.parent().unwrap(),
    ] {
        let found = resolve(none.to_str().unwrap(), &[], None).await;
        assert_eq!(found, Err(Code::RepositoryNotFound), "{}", none.display());
    }
}

#[tokio::test]
async fn nothing_a_repository_brings_is_run() {
    let repository = Repository::new();
    let mark = repository.path().join("mark");
    let command = format!("touch {}", mark.display());
    repository.git(&["config", "core.fsmonitor", &command]);
    repository.git(&["config", "core.pager", &command]);
    repository.git(&["config", "alias.rev-parse", &format!("!{command}")]);
    let path = repository.path();
    assert!(resolve(path.to_str().unwrap(), &[], None).await.is_ok());
    assert!(!mark.exists());
}
