//! Rust source with comments and literals blanked, so that rules can look for code alone.

/// Replaces every byte of comments, strings and characters with a space; line ends stay, and so
/// does every offset.
pub(super) fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let skipped = literal_len(rest, previous);
        let len = if skipped == 0 {
            first.len_utf8()
        } else {
            skipped
        };
        let (token, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        if skipped == 0 && first.is_ascii() {
            code.push(first);
        } else {
            code.extend(
                token
                    .bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
        }
        previous = first;
        rest = after;
    }
    code
}

/// How many bytes the comment or literal at the start of `rest` takes; 0 when there is none.
fn literal_len(rest: &str, previous: char) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    let in_word = previous.is_alphanumeric() || previous == '_';
    match rest.strip_prefix(['r', 'b', 'c']) {
        // The `r` of `for "` is not the start of a raw string.
        Some(after) if !in_word => prefixed_len(rest, after),
        _ => quoted_len(rest),
    }
}

fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut pair = (' ', ' ');
    for (offset, next) in rest.char_indices() {
        pair = (pair.1, next);
        if pair == ('/', '*') {
            depth += 1;
        } else if pair == ('*', '/') {
            depth -= 1;
            if depth == 0 {
                return offset + 1;
            }
        } else {
            continue;
        }
        // The `*` of `/*` does not also begin a `*/`.
        pair = (' ', ' ');
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br#"…"#`, `c"…"`, `b'…'`.
fn prefixed_len(rest: &str, after: &str) -> usize {
    let raw = rest.starts_with('r') || after.starts_with('r');
    let after = after.strip_prefix('r').unwrap_or(after);
    let prefix = rest.len() - after.len();
    if !raw {
        return match quoted_len(after) {
            0 => 0,
            len => prefix + len,
        };
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let Some(body) = after.trim_start_matches('#').strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    match body.find(&end) {
        Some(offset) => prefix + hashes + 1 + offset + end.len(),
        None => rest.len(),
    }
}

/// `"…"` or `'…'` with escapes; a lifetime is no literal.
fn quoted_len(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    let quote = match chars.next() {
        Some((_, quote @ ('"' | '\''))) => quote,
        _ => return 0,
    };
    if quote == '\'' && !is_character(rest) {
        return 0;
    }
    let mut escaped = false;
    for (offset, next) in chars {
        if !escaped && next == quote {
            return offset + 1;
        }
        escaped = !escaped && next == '\\';
    }
    rest.len()
}

fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let code = blank(text);
        assert_eq!(code.len(), text.len(), "{text}");
        let words: Vec<_> = code.split_whitespace().collect();
        assert_eq!(words.join(" "), expect, "{text}");
    }

    #[test]
    fn comments_are_blanked() {
        check("a // b\nc", "a c");
        check("//! all of it", "");
        check("a /* b /* c */ d */ e", "a e");
        check("a /*/ b */ c", "a c");
    }

    #[test]
    fn strings_are_blanked() {
        check(r#"a("b \" c") d"#, "a( ) d");
        check(r##"a(r#"b " c"#) d"##, "a( ) d");
        check(r#"a(b"b", br"\", c"c") d"#, "a( , , ) d");
        check("a(\"// b\n// c\") d", "a( ) d");
    }

    #[test]
    fn characters_are_blanked_and_lifetimes_are_not() {
        check(r"a('b', '\'', b'\\', '\u{61}') d", "a( , , , ) d");
        check(
            "fn a<'a>(b: &'a str, c: &'_ str)",
            "fn a<'a>(b: &'a str, c: &'_ str)",
        );
        check("match 'é' { _ => x }", "match { _ => x }");
    }

    #[test]
    fn words_that_end_in_a_prefix_letter_are_no_strings() {
        check(r#"for"x" r#type b r"#, "for r#type b r");
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_text() {
        check("a \"b", "a");
        check("a /* b", "a");
        check("a r#\"b", "a");
    }
}
