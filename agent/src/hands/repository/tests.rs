use std::process::Command;

use aideator_contract::Source;

use super::*;

/// A repository in a temporary folder with one commit of these files.
pub(in crate::hands) fn origin(files: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--template="]);
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let commit = commit(folder.path());
    (folder, commit)
}

fn commit(folder: &Path) -> String {
    git(folder, &["add", "--all"]);
    git(
        folder,
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "x",
        ],
    );
    git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn order(repo: impl Into<String>, commit: &str) -> CloneOrder {
    CloneOrder {
        tip: false,
        source: Source {
            repo: repo.into(),
            reference: None,
            commit: Some(commit.into()),
            trusted: false,
        },
        checkout: true,
        limit_bytes: 1024 * 1024,
        limit_ms: 30_000,
    }
}

struct Place {
    _root: tempfile::TempDir,
    workspace: Workspace,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let workspace = Workspace::make(root.path()).unwrap();
    Place {
        _root: root,
        workspace,
    }
}

#[tokio::test]
async fn exactly_the_pinned_commit_is_written_out_without_hooks() {
    let (folder, first) = origin(&[("a.txt", "one"), ("dir/b.txt", "two")]);
    std::fs::write(folder.path().join("a.txt"), "newer").unwrap();
    commit(folder.path());
    let place = place();
    let cloned = clone(
        &order(folder.path().to_str().unwrap(), &first),
        &place.workspace,
    )
    .await
    .unwrap();
    assert!(cloned.bytes > 0);
    assert_eq!(
        std::fs::read_to_string(place.workspace.repo.join("a.txt")).unwrap(),
        "one"
    );
    assert_eq!(
        std::fs::read_to_string(place.workspace.repo.join("dir/b.txt")).unwrap(),
        "two"
    );
    assert!(!place.workspace.repo.join(".git/hooks").exists());
}

#[tokio::test]
async fn without_a_checkout_nothing_is_written_out() {
    let (folder, first) = origin(&[("a.txt", "one")]);
    let place = place();
    let order = CloneOrder {
        checkout: false,
        ..order(folder.path().to_str().unwrap(), &first)
    };
    clone(&order, &place.workspace).await.unwrap();
    assert!(!place.workspace.repo.join("a.txt").exists());
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_told() {
    let (folder, _) = origin(&[("a.txt", "one")]);
    let order = order(folder.path().to_str().unwrap(), &"0".repeat(40));
    let reason = clone(&order, &place().workspace).await.unwrap_err();
    assert_eq!(reason.code, Code::RefNotFound, "{reason}");
}

#[tokio::test]
async fn a_folder_that_is_no_repository_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let order = order(folder.path().to_str().unwrap(), &"0".repeat(40));
    let reason = clone(&order, &place().workspace).await.unwrap_err();
    assert_eq!(reason.code, Code::RepositoryNotFound, "{reason}");
}

#[tokio::test]
async fn a_repository_above_the_limit_is_refused_packed_or_unpacked() {
    let zeros = "0".repeat(300_000);
    let (folder, first) = origin(&[("a.txt", zeros.as_str())]);
    let order = CloneOrder {
        limit_bytes: 200_000,
        ..order(folder.path().to_str().unwrap(), &first)
    };
    let reason = clone(&order, &place().workspace).await.unwrap_err();
    assert_eq!(reason.code, Code::RepositoryTooLarge, "{reason}");
}

#[tokio::test]
async fn a_clone_that_takes_too_long_is_ended() {
    // A server that accepts and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut order = order(
        format!("http://{}/r", listener.local_addr().unwrap()),
        &"0".repeat(40),
    );
    order.source.trusted = true;
    order.limit_ms = 300;
    let reason = clone(&order, &place().workspace).await.unwrap_err();
    assert_eq!(reason.code, Code::CloneFailed, "{reason}");
    assert!(reason.message.contains("longer than"), "{reason}");
}

#[tokio::test]
async fn other_protocols_and_private_hosts_are_refused_before_git_runs() {
    for (repo, code) in [
        ("file:///etc", Code::RepositoryAddress),
        ("ext::sh -c id", Code::RepositoryAddress),
        ("https://127.0.0.1/r", Code::PrivateAddress),
        ("https://localhost/r", Code::PrivateAddress),
    ] {
        let reason = clone(&order(repo, &"0".repeat(40)), &place().workspace)
            .await
            .unwrap_err();
        assert_eq!(reason.code, code, "{repo}: {reason}");
    }
}

#[test]
fn only_public_addresses_are_pinned_unless_the_host_is_trusted() {
    let found: Vec<SocketAddr> = ["10.0.0.1:443", "93.184.215.14:443", "[2606:2800::1]:443"]
        .iter()
        .map(|a| a.parse().unwrap())
        .collect();
    assert_eq!(usable(&found, false), ["93.184.215.14", "[2606:2800::1]"]);
    assert_eq!(usable(&found[..1], false), Vec::<String>::new());
    assert_eq!(usable(&found[..1], true), ["10.0.0.1"]);
}

#[test]
fn a_commit_is_hexadecimal_and_whole() {
    assert!(is_commit(&"a1".repeat(20)));
    assert!(!is_commit("--upload-pack=touch /tmp/x aaaaaaaaaaaaaaa"));
    assert!(!is_commit("a1"));
}

#[test]
fn a_workspace_named_relatively_is_the_same_from_everywhere() {
    let root = tempfile::tempdir_in(".").unwrap();
    let relative = Path::new(root.path().file_name().unwrap());
    let workspace = Workspace::make(relative).unwrap();
    assert!(workspace.home.is_absolute() && workspace.repo.is_absolute());
}

/// A repository of a few objects that names 16 to the power of 7 files.
fn shared_trees() -> (tempfile::TempDir, String) {
    let (folder, _) = origin(&[("a", "")]);
    let script = "t=$(git rev-parse HEAD^{tree})
        for level in 1 2 3 4 5 6 7; do
            t=$(for name in a b c d e f g h i j k l m n o p; do
                printf '040000 tree %s\\t%s\\n' $t $name
            done | git mktree)
        done
        c=$(git -c user.name=t -c user.email=t@example.com commit-tree -m x $t)
        git update-ref HEAD $c; echo $c";
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let commit = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    (folder, commit)
}

#[tokio::test]
async fn few_objects_that_name_very_many_files_are_too_large() {
    let (folder, commit) = shared_trees();
    let place = place();
    let order = order(folder.path().to_str().unwrap(), &commit);
    let refused = clone(&order, &place.workspace).await.unwrap_err();
    assert_eq!(refused.code, Code::RepositoryTooLarge, "{refused}");
    // The objects are there, as for an analysis.
    let refused = list(&place.workspace.git(), &commit).await.unwrap_err();
    assert_eq!(refused.code, Code::RepositoryTooLarge, "{refused}");
}
