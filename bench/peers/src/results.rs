//! A section of `bench/RESULTS.md` that is written here; the rest of that file stays as it is.

use std::path::Path;

/// Writes the section under `heading` into a file, or on the terminal.
pub fn write(heading: &str, section: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let Some(file) = out else {
        eprint!("{section}");
        return Ok(());
    };
    let before = std::fs::read_to_string(file).unwrap_or_else(|_| "# Results\n".to_owned());
    Ok(std::fs::write(file, put(&before, heading, section))?)
}

/// The text with this section in the place of an older one, or behind everything.
fn put(text: &str, heading: &str, section: &str) -> String {
    let (before, after) = text
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or((text, ""));
    let rest = after.find("\n## ").map_or("", |at| &after[at..]);
    format!("{}\n\n## {heading}\n\n{section}{rest}", before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_written_anew_and_the_rest_stays() {
        let put = |text, section| put(text, "Beside its peers", section);
        let whole = "# Results\n\na\n\n## Beside its peers\n\nold\n\n## On a cluster\n\nb\n";
        let new = "# Results\n\na\n\n## Beside its peers\n\nnew\n\n## On a cluster\n\nb\n";
        assert_eq!(put(whole, "new\n"), new);
        assert_eq!(put(new, "new\n"), new);
        assert_eq!(
            put("# Results\n\na\n", "new\n"),
            "# Results\n\na\n\n## Beside its peers\n\nnew\n"
        );
    }
}
