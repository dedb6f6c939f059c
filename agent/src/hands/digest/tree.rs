//! The list of a repository's files, as deep as its share of the budget allows.

use std::collections::BTreeMap;

/// Folders deeper than this are always summed up.
const DEEPEST: usize = 12;

/// Paths, one a line, in at most about `budget` bytes: deep folders are summed up as
/// `folder/ (n files)` until the list fits, and what still does not is cut.
pub(super) fn tree(paths: &[&str], budget: usize) -> String {
    let list = (1..=DEEPEST)
        .rev()
        .map(|depth| list(paths, depth))
        .find(|list| list.len() <= budget);
    list.unwrap_or_else(|| cut(&self::list(paths, 1), budget))
}

fn list(paths: &[&str], depth: usize) -> String {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let mut parts: Vec<&str> = path.split('/').collect();
        let line = if parts.len() > depth {
            parts.truncate(depth);
            format!("{}/", parts.join("/"))
        } else {
            (*path).to_owned()
        };
        *lines.entry(line).or_default() += 1;
    }
    let mut text = String::new();
    for (line, count) in lines {
        text.push_str(&line);
        if line.ends_with('/') {
            text.push_str(&format!(" ({count} files)"));
        }
        text.push('\n');
    }
    text
}

fn cut(list: &str, budget: usize) -> String {
    let (mut text, mut left) = (String::new(), 0);
    for line in list.lines() {
        if text.len() + line.len() < budget {
            text.push_str(line);
            text.push('\n');
        } else {
            left += 1;
        }
    }
    text.push_str(&format!("[… {left} more]\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 4] = ["README.md", "src/a/x.rs", "src/a/y.rs", "src/main.rs"];

    #[test]
    fn what_fits_is_listed_whole() {
        assert_eq!(
            tree(&PATHS, 100),
            "README.md\nsrc/a/x.rs\nsrc/a/y.rs\nsrc/main.rs\n"
        );
    }

    #[test]
    fn deep_folders_are_summed_up_first() {
        assert_eq!(
            tree(&PATHS, 41),
            "README.md\nsrc/a/ (2 files)\nsrc/main.rs\n"
        );
        assert_eq!(tree(&PATHS, 30), "README.md\nsrc/ (3 files)\n");
    }

    #[test]
    fn what_never_fits_is_cut_and_says_so() {
        assert_eq!(tree(&PATHS, 12), "README.md\n[… 1 more]\n");
    }
}
