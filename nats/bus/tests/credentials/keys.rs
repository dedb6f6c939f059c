//! The folder of keys.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aideator_bus::credentials::{Credentials, CredentialsError, Keys, Minter, User};
use aideator_contract::{Attempt, Timestamp};

use crate::{run, variation};

/// Every file of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    fs::read_dir(folder).unwrap().map(read).collect()
}

#[test]
fn keys_are_made_once_and_kept_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let first = Keys::open(&path).unwrap();
    let made = files(&path);
    let names: Vec<_> = made.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "admin.creds",
            "agents.json",
            "client.creds",
            "edge.creds",
            "keys.json",
            "submitter.creds",
            "watcher.creds"
        ]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in names {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
    let edge = Credentials::load(&path.join("edge.creds")).unwrap();
    assert_eq!(edge, first.credentials(User::Edge).unwrap());
    assert_eq!(edge.inbox_prefix().unwrap(), "_INBOX_edge");
    Minter::load(&path.join("agents.json")).unwrap();

    let again = Keys::open(&path).unwrap();
    assert_eq!(first.trust().to_config(), again.trust().to_config());
    assert_eq!(first.trust().sentinel, again.trust().sentinel);
    assert_eq!(files(&path), made);
    Keys::rotate(&path).unwrap();
    let rotated = files(&path);
    Keys::open(&path).unwrap();
    assert_eq!(files(&path), rotated);
}

#[test]
fn who_begin_at_once_have_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let opened: Vec<_> = std::thread::scope(|scope| {
        let open = || Keys::open(&path).unwrap().trust().to_config();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(opened.iter().all(|config| *config == opened[0]));
}

#[test]
fn keys_that_others_can_read_are_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    Keys::open(folder.path()).unwrap();
    let file = folder.path().join("keys.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Keys::open(folder.path()).err().unwrap();
    assert!(
        matches!(error, CredentialsError::Exposed { mode: 0o644, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn damaged_keys_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    Keys::open(folder.path()).unwrap();
    let file = folder.path().join("keys.json");
    let damaged = fs::read_to_string(&file)
        .unwrap()
        .replace("\"operator\": \"S", "\"operator\": \"X");
    fs::write(&file, &damaged).unwrap();
    assert!(matches!(
        Keys::open(folder.path()),
        Err(CredentialsError::Malformed { .. })
    ));
    assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
}

#[test]
fn a_credential_shows_no_secret_when_it_is_logged() {
    let keys = Keys::generate().unwrap();
    let minter = keys.minter().unwrap();
    let agent = minter
        .agent(
            &run(),
            variation(2),
            Attempt::FIRST,
            Timestamp::from_millis(5001),
        )
        .unwrap();
    assert_eq!(
        format!("{agent:?}"),
        "Credentials { name: Some(\"agent r-1.2.1\"), .. }"
    );
    assert_eq!(agent.expires(), Some(6));
    assert_eq!(agent.inbox_prefix().unwrap(), "_INBOX_r-1_2");
    assert_eq!(agent.to_text().parse::<Credentials>().unwrap(), agent);
    assert!("no credential".parse::<Credentials>().is_err());
}
