use aideator_contract::Code;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::repository::Repository;
use crate::resolve;
use crate::web::Web;

async fn ask(web: &Web, path: &str, reference: Option<&str>) -> Result<String, Code> {
    resolve(&web.url(path), std::slice::from_ref(&web.host), reference).await
}

#[tokio::test]
async fn names_become_commits_as_git_itself_has_them() {
    let repository = Repository::new();
    let web = Web::git(repository.advertisement()).await;
    let main = repository.commit("main");
    let first = repository.commit("dev");
    assert_ne!(main, first);
    for (reference, commit) in [
        (None, &main),
        (Some("main"), &main),
        (Some("dev"), &first),
        (Some("v1"), &first),
        (Some("refs/tags/v1"), &first),
        (Some("heads/both"), &first),
        (Some("both"), &main),
        (Some("HEAD"), &main),
        (Some(first.as_str()), &first),
    ] {
        let found = ask(&web, "/r.git", reference).await;
        assert_eq!(found.as_ref(), Ok(commit), "{reference:?}");
    }
    let asked = web.asked();
    assert_eq!(
        asked[0],
        "GET /r.git/info/refs?service=git-upload-pack HTTP/1.1"
    );
}

#[tokio::test]
async fn a_ref_that_is_not_there_and_a_repository_without_commits_are_told() {
    let web = Web::git(Repository::new().advertisement()).await;
    assert_eq!(ask(&web, "/r", Some("nope")).await, Err(Code::RefNotFound));
    let web = Web::git(Repository::empty().advertisement()).await;
    assert_eq!(ask(&web, "/r", None).await, Err(Code::RefNotFound));
}

#[tokio::test]
async fn what_is_no_repository_is_told() {
    for status in ["404 Not Found", "401 Unauthorized", "403 Forbidden"] {
        let web = Web::answering(status, &[], Vec::new()).await;
        assert_eq!(ask(&web, "/r", None).await, Err(Code::RepositoryNotFound));
    }
    let page = Web::answering("200 OK", &["Content-Type: text/html"], b"<html>".to_vec()).await;
    assert_eq!(ask(&page, "/r", None).await, Err(Code::RepositoryNotFound));
    let nonsense = Web::git(b"<html>".to_vec()).await;
    assert_eq!(
        ask(&nonsense, "/r", None).await,
        Err(Code::RepositoryNotFound)
    );
    let broken = Web::answering("500 Oh", &[], Vec::new()).await;
    assert_eq!(
        ask(&broken, "/r", None).await,
        Err(Code::RepositoryUnreachable)
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Web::git(Repository::new().advertisement()).await;
    let place = format!(
        "Location: {}",
        target.url("/r/info/refs?service=git-upload-pack")
    );
    let web = Web::answering("302 Found", &[&place], Vec::new()).await;
    assert_eq!(ask(&web, "/r", None).await, Err(Code::RepositoryNotFound));
    assert!(target.asked().is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let found = resolve(&format!("http://{host}/r"), &[host], None).await;
    assert_eq!(found, Err(Code::RepositoryUnreachable));
    let found = resolve("https://nowhere.invalid/r", &[], None).await;
    assert_eq!(found, Err(Code::RepositoryUnreachable));
}

#[tokio::test]
async fn a_host_that_does_not_speak_tls_is_told_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let plain = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    };
    let address = format!("https://{host}/r");
    let reason = tokio::select! {
        () = plain => unreachable!(),
        asked = crate::ask(&address, std::slice::from_ref(&host), None) => asked.unwrap_err(),
    };
    assert_eq!(reason.code, Code::RepositoryUnreachable);
    assert!(reason.message.contains("can't be reached"), "{reason}");
    assert!(reason.message.contains("InvalidContentType"), "{reason}");
}

#[tokio::test]
async fn a_redirect_names_the_address_to_give_instead() {
    let place = "Location: https://example.org/new.git/info/refs?service=git-upload-pack";
    let web = Web::answering("301 Moved", &[place], Vec::new()).await;
    let asked = crate::ask(&web.url("/r"), std::slice::from_ref(&web.host), None).await;
    let reason = asked.unwrap_err();
    assert!(
        reason.message.contains("https://example.org/new.git;"),
        "{reason}"
    );
}
