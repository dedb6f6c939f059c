//! Text of strangers in a terminal: made harmless, measured, cut and wrapped.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The text without what a terminal would obey: control characters are shown as `␛` and its like,
/// tabs become spaces, carriage returns go.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            '\r' => {}
            '\u{7f}' => out.push('␡'),
            c if c < ' ' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('�')),
            // C1 controls, and characters that change the direction of what follows.
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('�');
            }
            c => out.push(c),
        }
    }
    out
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most `columns` of the text, with `…` where something was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The last `most` lines of the text, wrapped at spaces to `columns`.
pub(crate) fn last_lines(text: &str, columns: usize, most: usize) -> Vec<String> {
    if columns == 0 || most == 0 {
        return Vec::new();
    }
    // What can't be among the last lines need not be wrapped.
    let enough = columns.saturating_mul(most).saturating_mul(4);
    let mut from = text.len().saturating_sub(enough);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut lines: Vec<String> = harmless(&text[from..])
        .trim_end()
        .split('\n')
        .flat_map(|line| wrap(line, columns))
        .collect();
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

fn wrap(line: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut now = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let bare = width(word.trim_end_matches(' '));
        if used > 0 && used + bare > columns {
            lines.push(std::mem::take(&mut now));
            used = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns {
                if c == ' ' {
                    continue;
                }
                lines.push(std::mem::take(&mut now));
                used = 0;
            }
            now.push(c);
            used += wide;
        }
    }
    lines.push(now);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{9b}1m\r\n\tc"), "a␛[2Jb�1m\n    c");
    }

    #[test]
    fn lines_are_wrapped_at_spaces_and_the_last_ones_stay() {
        let lines = last_lines("one two three four", 9, 2);
        assert_eq!(lines, ["three ", "four"]);
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(cut("日本語テキスト", 7), "日本語…");
        assert_eq!(cut("short", 7), "short");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_screen(text in "\\PC{0,200}( \\PC{0,30}){0,8}", columns in 2usize..60) {
            for line in last_lines(&text, columns, 10) {
                prop_assert!(width(&line) <= columns, "{:?}", line);
            }
        }

        #[test]
        fn nothing_harmful_is_left(text in any::<String>()) {
            prop_assert!(!harmless(&text).chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
