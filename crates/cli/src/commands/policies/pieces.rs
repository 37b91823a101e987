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

/// Where a policy is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Written {
    /// Its id, by which the proxy knows it too.
    pub(super) id: String,
    /// The offset of its first character in the text.
    pub(super) at: usize,
}

/// The policies of a file of that name. Each ends with a semicolon, and there is none elsewhere outside of quotes and comments.
pub(super) fn policies(name: &str, text: &str) -> Vec<Written> {
    let mut policies = Vec::new();
    let mut start = None;
    let mut id = None;
    let mut annotation: Option<String> = None;
    for (at, piece) in pieces(text) {
        if !matches!(piece, Piece::Comment(_)) {
            start.get_or_insert(at);
        }
        match piece {
            Piece::Quoted(value) => {
                if annotation.take().is_some_and(|annotation| annotation == "id") {
                    id = Some(value.to_owned());
                }
            }
            Piece::Mark(';') => {
                let number = policies.len() + 1;
                let id = id.take().unwrap_or_else(|| format!("{name}#{number}"));
                policies.push(Written { id, at: start.take().unwrap_or(at) });
                annotation = None;
            }
            Piece::Mark('@') => annotation = Some(String::new()),
            Piece::Comment(_) | Piece::Mark('(') => {}
            Piece::Mark(mark) => {
                if let Some(annotation) = &mut annotation {
                    annotation.push(mark);
                }
            }
        }
    }
    policies
}

/// The comments of a text, in their order.
pub(super) fn comments(text: &str) -> Vec<&str> {
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
        let found = policies("x.cedar", text);
        let ids: Vec<&str> = found.iter().map(|policy| policy.id.as_str()).collect();
        assert_eq!(ids, ["a; b", "two", "x.cedar#3"]);
        let begins: Vec<&str> = found.iter().map(|policy| &text[policy.at..policy.at + 5]).collect();
        assert_eq!(begins, ["@id(\"", "@reas", "forbi"]);
        assert_eq!(
            comments(text),
            ["// permit(principal, action, resource);", "// \"not @id(\"c\")", "// the end;"]
        );
    }

    #[test]
    fn texts_that_end_too_early() {
        for text in ["", "\"", "\"\\", "/", "//", "@id(\"ä", "permit", "\u{feff}ü"] {
            assert!(policies("x", text).is_empty(), "{text}");
        }
    }
}
