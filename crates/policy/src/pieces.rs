//! The little of Cedar's grammar that tells where a policy begins and what is a comment.

/// A piece of a text of policies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Piece<'t> {
    /// From `//` to the end of the line.
    Comment(&'t str),
    /// What stands between quotes, with its escapes.
    Quoted(&'t str),
    /// Any other character that is no space.
    Mark(char),
}

/// Where the policies of a text begin: the offsets of their first characters, in the order by which Cedar numbers them. Each ends with a
/// semicolon, and there is none elsewhere outside of quotes and comments.
pub(crate) fn beginnings(text: &str) -> Vec<usize> {
    let mut beginnings = Vec::new();
    let mut ended = true;
    for (at, piece) in pieces(text) {
        if matches!(piece, Piece::Comment(_)) {
            continue;
        }
        if ended {
            beginnings.push(at);
        }
        ended = matches!(piece, Piece::Mark(';'));
    }
    beginnings
}

/// The comments of a text, in their order.
pub fn comments(text: &str) -> Vec<&str> {
    let comment = |(_, piece)| if let Piece::Comment(comment) = piece { Some(comment) } else { None };
    pieces(text).into_iter().filter_map(comment).collect()
}

fn pieces(text: &str) -> Vec<(usize, Piece<'_>)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(mark) = rest.chars().next()
    {
        let (piece, length) = if rest.starts_with("//") {
            let comment = rest.lines().next().unwrap_or_default();
            (Piece::Comment(comment.trim_end()), comment.len())
        } else if mark == '"' {
            let inner = quoted(rest);
            // The quotes; the second is missing where the text ends before it.
            (Piece::Quoted(inner), inner.len() + 2)
        } else {
            (Piece::Mark(mark), mark.len_utf8())
        };
        if !mark.is_whitespace() {
            pieces.push((at, piece));
        }
        at += length;
    }
    pieces
}

/// What is between the quote that `text` begins with and the next that no backslash escapes.
fn quoted(text: &str) -> &str {
    let mut escaped = false;
    let inner = text.get(1..).unwrap_or_default();
    for (at, mark) in inner.char_indices() {
        match mark {
            '"' if !escaped => return &inner[..at],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_where_they_begin() {
        let text = r#"// permit(principal, action, resource);
@id("a; b") // "not @id("c")
permit(principal, action, resource) when { context.cluster == "x\";//" };

@reason("because") @id ( "two" ) forbid(principal, action, resource);forbid(principal, action, resource);
// the end;"#;
        let begins: Vec<&str> = beginnings(text).into_iter().map(|at| &text[at..at + 5]).collect();
        assert_eq!(begins, ["@id(\"", "@reas", "forbi"]);
        assert_eq!(
            comments(text),
            ["// permit(principal, action, resource);", "// \"not @id(\"c\")", "// the end;"]
        );
    }

    #[test]
    fn texts_that_end_too_early() {
        for (text, expected) in [
            ("", vec![]),
            ("\"", vec![0]),
            (" \"\\", vec![1]),
            ("/", vec![0]),
            ("//", vec![]),
            ("@id(\"ä", vec![0]),
            ("permit; ", vec![0]),
            ("\u{feff}ü", vec![0]),
        ] {
            assert_eq!(beginnings(text), expected, "{text}");
        }
    }
}
