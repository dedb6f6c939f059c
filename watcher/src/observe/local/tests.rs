use aideator_contract::Timestamp;
use tempfile::TempDir;

use super::*;

struct Place {
    _dir: TempDir,
    local: Local,
    name: AttemptName,
    folder: PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let name: AttemptName = "run.1.2".parse().unwrap();
    let folder = dir.path().join(ATTEMPTS).join("run.1.2");
    Place {
        local: Local::new(dir.path()),
        _dir: dir,
        name,
        folder,
    }
}

impl Place {
    fn begin(&self) -> File {
        fs::create_dir_all(self.folder.join(WORKSPACE).join("deep")).unwrap();
        fs::write(self.folder.join(CREDENTIALS), "secret").unwrap();
        let lock = File::create(self.folder.join(LOCK)).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        lock
    }

    fn status(&self) -> ExitStatus {
        let status = ExitStatus {
            code: Some(3),
            signal: None,
            at: Timestamp::from_millis(5),
        };
        fs::write(
            self.folder.join(STATUS),
            serde_json::to_vec(&status).unwrap(),
        )
        .unwrap();
        status
    }

    async fn look(&self) -> Observation {
        self.local.look(vec![self.name.clone()]).await.remove(0)
    }

    /// As if so much time had passed since it was first seen free.
    fn age(&self, age: Duration) {
        for since in self.local.0.vanishing.lock().unwrap().values_mut() {
            *since = since.checked_sub(age).unwrap();
        }
    }
}

#[tokio::test]
async fn an_attempt_without_a_lock_file_has_not_started() {
    let place = place();
    assert_eq!(place.look().await, Observation::NotStarted);
    fs::create_dir_all(&place.folder).unwrap();
    assert_eq!(place.look().await, Observation::NotStarted);
}

#[tokio::test]
async fn a_held_lock_is_a_running_attempt_and_looking_does_not_take_it() {
    let place = place();
    let _lock = place.begin();
    assert_eq!(place.look().await, Observation::Running);
    assert_eq!(place.look().await, Observation::Running);
}

#[tokio::test]
async fn a_status_tells_how_it_ended_also_while_the_supervisor_tidies_up() {
    let place = place();
    let lock = place.begin();
    let status = place.status();
    assert_eq!(place.look().await, Observation::Exited(status));
    drop(lock);
    assert_eq!(place.look().await, Observation::Exited(status));
}

#[tokio::test]
async fn a_free_lock_without_a_status_is_vanished_only_after_a_moment() {
    let place = place();
    drop(place.begin());
    assert_eq!(place.look().await, Observation::Unknown);
    place.age(VANISHING);
    assert_eq!(place.look().await, Observation::Vanished);
}

#[tokio::test]
async fn a_lock_that_is_taken_after_all_begins_the_moment_again() {
    let place = place();
    drop(place.begin());
    assert_eq!(place.look().await, Observation::Unknown);
    let lock = place.begin();
    place.age(VANISHING);
    assert_eq!(place.look().await, Observation::Running);
    drop(lock);
    assert_eq!(place.look().await, Observation::Unknown);
}

#[tokio::test]
async fn nothing_is_cleared_under_a_living_process() {
    let place = place();
    let lock = place.begin();
    assert!(!place.local.clear(place.name.clone()).await);
    assert!(place.folder.join(CREDENTIALS).exists());
    assert_eq!(
        place.local.leftovers().await,
        std::slice::from_ref(&place.name)
    );
    place.status();
    drop(lock);
    assert!(place.local.clear(place.name.clone()).await);
    assert!(!place.folder.join(CREDENTIALS).exists());
    assert!(!place.folder.join(WORKSPACE).exists());
    assert!(place.folder.join(STATUS).exists());
    assert!(place.local.leftovers().await.is_empty());
    assert!(place.local.clear(place.name.clone()).await);
}

#[tokio::test]
async fn clearing_follows_no_link_out_of_the_folder() {
    let place = place();
    drop(place.begin());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "keep").unwrap();
    std::os::unix::fs::symlink(outside.path(), place.folder.join(WORKSPACE).join("link")).unwrap();
    assert!(place.local.clear(place.name.clone()).await);
    assert!(outside.path().join("precious").exists());
    fs::remove_dir_all(&place.folder).unwrap();
    fs::create_dir_all(&place.folder).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.folder.join(WORKSPACE)).unwrap();
    place.local.clear(place.name.clone()).await;
    assert!(outside.path().join("precious").exists());
}

#[tokio::test]
async fn what_can_t_be_removed_keeps_nothing_else() {
    let place = place();
    drop(place.begin());
    fs::remove_file(place.folder.join(CREDENTIALS)).unwrap();
    fs::create_dir(place.folder.join(CREDENTIALS)).unwrap();
    assert!(!place.local.clear(place.name.clone()).await);
    assert!(!place.folder.join(WORKSPACE).exists());
}

#[test]
fn folders_are_made_writable_and_links_are_not_followed() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (top, deep) = (dir.path().join("top"), dir.path().join("top/deep"));
    fs::create_dir_all(&deep).unwrap();
    std::os::unix::fs::symlink(outside.path(), deep.join("link")).unwrap();
    for folder in [&deep, &top, outside.path()] {
        fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    }
    make_writable(&top).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&top), mode(&deep)), (0o700, 0o700));
    assert_eq!(mode(outside.path()), 0o555);
    remove_tree(&top).unwrap();
    assert!(!top.exists());
}

#[tokio::test]
async fn other_folders_are_none_of_our_business() {
    let place = place();
    let strange = place.folder.with_file_name("Not A Run");
    fs::create_dir_all(strange.join(WORKSPACE)).unwrap();
    assert!(place.local.leftovers().await.is_empty());
}
