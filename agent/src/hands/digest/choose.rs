//! Which files a digest shows, and in which order.

use std::collections::{BTreeSet, HashMap};

use super::File;

/// Less room than this shows nothing useful.
pub(super) const LEAST_BYTES: usize = 160;

/// Files above this are data, not something to read.
const LARGEST: u64 = 512 * 1024;

/// Words of a prompt that are looked for.
const MOST_WORDS: usize = 12;

/// Words that say nothing about a repository.
const STOP_WORDS: &[&str] = &[
    "about",
    "all",
    "and",
    "any",
    "are",
    "can",
    "code",
    "does",
    "explain",
    "find",
    "for",
    "from",
    "give",
    "have",
    "how",
    "into",
    "its",
    "list",
    "make",
    "not",
    "project",
    "repo",
    "repository",
    "should",
    "show",
    "tell",
    "that",
    "the",
    "there",
    "they",
    "this",
    "use",
    "used",
    "uses",
    "was",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "will",
    "with",
    "work",
    "works",
    "would",
    "you",
    "your",
];

const MANIFESTS: &[&str] = &[
    "cargo.toml",
    "package.json",
    "pyproject.toml",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gemfile",
    "composer.json",
    "mix.exs",
    "cmakelists.txt",
    "makefile",
    "dockerfile",
    "setup.py",
    "requirements.txt",
    "deno.json",
    "chart.yaml",
];

/// Endings of files that are made, not written, or not text.
const UNREADABLE: &[&str] = &[
    ".lock",
    "-lock.json",
    "-lock.yaml",
    ".sum",
    ".min.js",
    ".min.css",
    ".map",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".ico",
    ".svg",
    ".pdf",
    ".zip",
    ".gz",
    ".woff",
    ".woff2",
    ".ttf",
    ".bin",
    ".so",
    ".wasm",
    ".snap",
];

const ENTRANCES: &[&str] = &[
    "main", "lib", "index", "app", "mod", "__init__", "cli", "server",
];

/// A file to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) index: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Readme,
    Manifest,
    Ranked,
}

impl Choice {
    /// Bytes of a budget it may take.
    pub(super) fn share_of(&self, budget: usize) -> usize {
        match self.kind {
            Kind::Readme => budget * 3 / 10,
            Kind::Manifest => budget / 10,
            Kind::Ranked => budget / 4,
        }
    }
}

/// The words of a prompt that may point to files: lower case, each once, in order.
pub(super) fn words(prompt: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    prompt
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .map(str::to_lowercase)
        .filter(|word| (3..=40).contains(&word.len()) && !STOP_WORDS.contains(&word.as_str()))
        .filter(|word| seen.insert(word.clone()))
        .take(MOST_WORDS)
        .collect()
}

/// All files worth showing, best first: README, up to three manifests nearest the root, then by rank.
/// `hits` says how many lines of a file hold one of the words.
pub(super) fn choose(files: &[File], words: &[String], hits: &HashMap<String, u64>) -> Vec<Choice> {
    let readable = |index: &usize| {
        let file = &files[*index];
        let path = file.path.to_lowercase();
        file.bytes > 0 && file.bytes <= LARGEST && !UNREADABLE.iter().any(|end| path.ends_with(end))
    };
    let mut left: Vec<usize> = (0..files.len()).filter(readable).collect();
    let mut choices = Vec::new();
    for (kind, most, fits) in [
        (
            Kind::Readme,
            1,
            (|name: &str| name.starts_with("readme")) as fn(&str) -> bool,
        ),
        (Kind::Manifest, 3, |name: &str| MANIFESTS.contains(&name)),
    ] {
        let mut found: Vec<usize> = left
            .iter()
            .copied()
            .filter(|&index| fits(&name(&files[index].path)))
            .collect();
        found.sort_by_key(|&index| (depth(&files[index].path), files[index].path.clone()));
        found.truncate(most);
        left.retain(|index| !found.contains(index));
        choices.extend(found.into_iter().map(|index| Choice { index, kind }));
    }
    left.sort_by_cached_key(|&index| {
        let file = &files[index];
        let lines = hits.get(&file.path).copied().unwrap_or(0);
        (
            std::cmp::Reverse(rank(&file.path, lines, words)),
            depth(&file.path),
            file.path.clone(),
        )
    });
    choices.extend(left.into_iter().map(|index| Choice {
        index,
        kind: Kind::Ranked,
    }));
    choices
}

/// How much a file has to do with the prompt.
fn rank(path: &str, lines: u64, words: &[String]) -> i64 {
    let path = path.to_lowercase();
    let name = name(&path);
    let stem = name.split('.').next().unwrap_or_default();
    let by_name: i64 = words
        .iter()
        .map(|word| match () {
            () if stem == word => 12,
            () if name.contains(word.as_str()) => 8,
            () if path.contains(word.as_str()) => 4,
            () => 0,
        })
        .sum();
    // Each doubling of the lines with a word counts as much as the one before.
    let by_content = 2 * i64::from(u64::BITS - lines.leading_zeros());
    let entrance = if ENTRANCES.contains(&stem) { 3 } else { 0 };
    let document = if name.ends_with(".md") { 1 } else { 0 };
    let test = if path.contains("test") && !words.iter().any(|word| word.contains("test")) {
        -6
    } else {
        0
    };
    let deep = i64::try_from(depth(&path)).unwrap_or(0);
    by_name + by_content + entrance + document + test - deep.min(6)
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_lowercase()
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<File> {
        paths
            .iter()
            .map(|path| File {
                path: (*path).to_owned(),
                object: String::new(),
                bytes: 10,
            })
            .collect()
    }

    fn order(paths: &[&str], prompt: &str, hits: &[(&str, u64)]) -> Vec<String> {
        let files = files(paths);
        let hits = hits
            .iter()
            .map(|(path, count)| ((*path).to_owned(), *count))
            .collect();
        choose(&files, &words(prompt), &hits)
            .into_iter()
            .map(|choice| files[choice.index].path.clone())
            .collect()
    }

    #[test]
    fn the_words_that_count_are_kept() {
        assert_eq!(
            words("How does the Kettle boil, and what is kettle_size?"),
            ["kettle", "boil", "kettle_size"]
        );
    }

    #[test]
    fn readme_and_manifests_come_first_and_the_nearest_wins() {
        let order = order(
            &[
                "docs/README.md",
                "src/main.rs",
                "a/Cargo.toml",
                "Cargo.toml",
                "README.md",
            ],
            "",
            &[],
        );
        assert_eq!(order[..3], ["README.md", "Cargo.toml", "a/Cargo.toml"]);
        assert_eq!(order[3], "src/main.rs");
    }

    #[test]
    fn names_and_contents_that_hold_the_words_come_before_others() {
        let paths = [
            "src/cup.rs",
            "src/kettle.rs",
            "src/water.rs",
            "tests/kettle_test.rs",
        ];
        let order = order(
            &paths,
            "kettle",
            &[("src/water.rs", 40), ("src/kettle.rs", 5)],
        );
        assert_eq!(
            order,
            [
                "src/kettle.rs",
                "src/water.rs",
                "tests/kettle_test.rs",
                "src/cup.rs"
            ]
        );
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        assert_eq!(
            order(&["Cargo.lock", "logo.png", "a.rs"], "", &[]),
            ["a.rs"]
        );
    }
}
