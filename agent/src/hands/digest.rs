//! A digest of a repository that fits a budget: what is where, the README, manifests, and the files
//! that the prompt's words point to.
//!
//! Everything is read from git's objects of the one commit, never from the file system, so that a
//! symbolic link leads nowhere. What is chosen is decided by pure functions ([`choose`], [`tree`]).

mod choose;
mod tree;

use std::collections::HashMap;
use std::time::Duration;

use aideator_contract::Reason;

use self::choose::{choose, words};
use self::tree::tree;
use super::order::DigestOrder;
use super::repository::{LIST_BYTES, Workspace, list};

/// Time for looking the prompt's words up in all files; without it their names have to do.
const SEARCH: Duration = Duration::from_secs(10);

/// Files looked at beyond those that are shown, in case some are binary.
const MOST_FILES: usize = 200;

/// A file of the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    path: String,
    object: String,
    bytes: u64,
}

/// Carries out a [`DigestOrder`].
pub(super) async fn digest(order: &DigestOrder, workspace: &Workspace) -> Result<String, Reason> {
    let git = workspace.git();
    let files = files(&list(&git, &order.commit).await?);
    let words = words(&order.prompt);
    let hits = search(order, workspace, &words).await;
    let mut text = heading(&order.commit, &files);
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    text.push_str(&tree(
        &paths,
        order.budget_bytes.saturating_sub(text.len()) / 4,
    ));
    for choice in choose(&files, &words, &hits).into_iter().take(MOST_FILES) {
        let left = order.budget_bytes.saturating_sub(text.len());
        let share = choice.share_of(order.budget_bytes).min(left);
        if share < choose::LEAST_BYTES {
            break;
        }
        let file = &files[choice.index];
        let content = git
            .output(&["cat-file", "blob", &file.object], share)
            .await?;
        if let Some(section) = section(file, &content, share) {
            text.push_str(&section);
        }
    }
    Ok(text)
}

fn heading(commit: &str, files: &[File]) -> String {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let short = commit.get(..12).unwrap_or(commit);
    format!(
        "Repository at commit {short}: {} files, {} KiB.\n\n",
        files.len(),
        bytes.div_ceil(1024)
    )
}

/// Regular files in `git ls-tree -r -l -z`: no symbolic links, no submodules.
fn files(list: &[u8]) -> Vec<File> {
    list.split(|byte| *byte == 0)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter_map(|line| {
            let (head, path) = line.split_once('\t')?;
            let mut head = head.split_whitespace();
            let (mode, _kind, object, bytes) =
                (head.next()?, head.next()?, head.next()?, head.next()?);
            let bytes = bytes.parse().ok()?;
            mode.starts_with("100").then(|| File {
                path: path.to_owned(),
                object: object.to_owned(),
                bytes,
            })
        })
        .collect()
}

/// How many lines of each file hold one of the words.
async fn search(
    order: &DigestOrder,
    workspace: &Workspace,
    words: &[String],
) -> HashMap<String, u64> {
    if words.is_empty() {
        return HashMap::new();
    }
    let mut arguments = vec!["grep", "-I", "-i", "-F", "-c", "-z"];
    for word in words {
        arguments.extend(["-e", word]);
    }
    arguments.push(&order.commit);
    let git = workspace.git();
    match tokio::time::timeout(SEARCH, git.run(&arguments, LIST_BYTES)).await {
        Ok(Ok(finished)) => counts(&order.commit, &finished.stdout),
        Ok(Err(_)) | Err(_) => HashMap::new(),
    }
}

/// Reads `<commit>:<path> NUL <count> LF …`.
fn counts(commit: &str, stdout: &[u8]) -> HashMap<String, u64> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter_map(|line| {
            let (name, count) = line.split_once('\0')?;
            let path = name.strip_prefix(commit)?.strip_prefix(':')?;
            Some((path.to_owned(), count.parse().ok()?))
        })
        .collect()
}

/// One file as shown, within `share` bytes; `None` for a binary one.
fn section(file: &File, content: &[u8], share: usize) -> Option<String> {
    if content.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(content);
    let frame = format!("\n=== {} ===\n", file.path);
    let room = share.saturating_sub(frame.len() + 40);
    let shown = if text.len() > room {
        cut(&text, room)
    } else {
        &text
    };
    let mut section = frame;
    section.push_str(shown);
    if !shown.ends_with('\n') {
        section.push('\n');
    }
    if (shown.len() as u64) < file.bytes {
        section.push_str(&format!(
            "[… {} of {} bytes shown]\n",
            shown.len(),
            file.bytes
        ));
    }
    Some(section)
}

/// The beginning of `text` in at most `most` bytes, ending with a line where that loses little.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    let head = &text[..end];
    match head.rfind('\n') {
        Some(line) if line > end / 2 => &head[..=line],
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use aideator_contract::Source;

    use super::super::order::CloneOrder;
    use super::super::repository::{self, tests::origin};
    use super::*;

    async fn digest_of(files: &[(&str, &str)], prompt: &str, budget_bytes: usize) -> String {
        let (folder, commit) = origin(files);
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::make(root.path()).unwrap();
        let source = Source {
            repo: folder.path().to_str().unwrap().into(),
            reference: None,
            commit: Some(commit.clone()),
            trusted: false,
        };
        let order = CloneOrder {
            tip: false,
            source,
            checkout: false,
            limit_bytes: 1 << 30,
            limit_ms: 30_000,
        };
        repository::clone(&order, &workspace).await.unwrap();
        digest(
            &DigestOrder {
                commit,
                prompt: prompt.into(),
                budget_bytes,
            },
            &workspace,
        )
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn it_shows_the_tree_the_readme_the_manifest_and_what_the_prompt_asks_for() {
        let files = [
            ("README.md", "# Teapot\nIt makes tea.\n"),
            ("Cargo.toml", "[package]\nname = \"teapot\"\n"),
            ("src/main.rs", "fn main() {}\n"),
            ("src/kettle.rs", "// boils water\nfn boil() {}\n"),
            ("src/cup.rs", "fn pour() {}\n"),
        ];
        let digest = digest_of(&files, "How does the kettle boil?", 4000).await;
        for part in [
            "5 files",
            "It makes tea",
            "name = \"teapot\"",
            "=== src/kettle.rs ===",
            "src/cup.rs",
        ] {
            assert!(digest.contains(part), "{part} is missing in:\n{digest}");
        }
        let kettle = digest.find("=== src/kettle.rs").unwrap();
        assert!(digest.find("=== src/cup.rs").is_none_or(|cup| kettle < cup));
    }

    #[tokio::test]
    async fn it_keeps_its_budget_whatever_the_repository_holds() {
        let long = "word \u{e9}\n".repeat(20_000);
        let names: Vec<String> = (0..300)
            .map(|i| format!("dir{}/sub/file_{i}.rs", i % 7))
            .collect();
        let mut files: Vec<(&str, &str)> = names
            .iter()
            .map(|name| (name.as_str(), "fn f() {}\n"))
            .collect();
        files.extend([
            ("README.md", long.as_str()),
            ("package.json", long.as_str()),
            ("word.rs", long.as_str()),
        ]);
        for budget in [300, 2400, 30_000] {
            let digest = digest_of(&files, "word", budget).await;
            assert!(digest.len() <= budget + 100, "{} of {budget}", digest.len());
        }
    }

    #[tokio::test]
    async fn binary_files_are_named_and_not_shown() {
        let digest = digest_of(&[("tea.bin", "tea\0tea"), ("a.txt", "hi")], "tea", 2000).await;
        assert!(digest.contains("tea.bin"));
        assert!(!digest.contains("=== tea.bin"));
    }

    #[test]
    fn links_and_submodules_are_no_files() {
        let list =
            b"120000 blob aa 7\tlink\x00160000 commit bb -\tsub\x00100644 blob cc 3\ta\tb.txt\0";
        assert_eq!(
            files(list),
            [File {
                path: "a\tb.txt".into(),
                object: "cc".into(),
                bytes: 3
            }]
        );
    }
}
