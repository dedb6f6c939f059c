//! A real repository to ask about.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    /// Two commits on `main`, the first also on `dev` and under the annotated tag `v1`; a branch
    /// `both` at the first and a tag `both` at the second.
    pub(crate) fn new() -> Self {
        let new = Self::empty();
        for commit in [
            &["commit", "-q", "--allow-empty", "-m", "one"][..],
            &["branch", "dev"],
            &["branch", "both"],
            &["tag", "-a", "-m", "first", "v1"],
            &["commit", "-q", "--allow-empty", "-m", "two"],
            &["tag", "both"],
        ] {
            new.git(commit);
        }
        new
    }

    pub(crate) fn empty() -> Self {
        let new = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(new.path()).unwrap();
        new.git(&["init", "-q", "-b", "main"]);
        new
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn commit(&self, name: &str) -> String {
        let out = self.git(&["rev-parse", &format!("{name}^{{commit}}")]);
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    /// What `git http-backend` would answer.
    pub(crate) fn advertisement(&self) -> Vec<u8> {
        let mut whole = b"001e# service=git-upload-pack\n0000".to_vec();
        let path = self.path();
        let arguments = [
            "upload-pack",
            "--stateless-rpc",
            "--advertise-refs",
            path.to_str().unwrap(),
        ];
        whole.extend(git(&path, &arguments));
        whole
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        git(&self.path(), arguments)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let out = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "{arguments:?}: {out:?}");
    out.stdout
}
