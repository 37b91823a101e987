//! Tokens of SQL and of the piped processing language (PPL), as far as all parsers agree on them.
//!
//! The engine has several parsers for these languages and falls back from one to another. Where they could
//! disagree, a text is not understood: comments other than plain `/* */`, backslashes in SQL, characters beyond
//! ASCII outside of quotes, and words in which another parser could see a keyword.

/// A token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// A bare word, number or name, with the characters that names of indices may have.
    Word(String),
    /// A name in backticks.
    Name(String),
    /// A text in quotes.
    Text(String),
    Symbol(u8),
}

/// Which language's quotes hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Language {
    Sql,
    Ppl,
}

/// What begins a list of tables in SQL: hidden inside of another word, a parser could see it.
const LOUD: [&str; 2] = ["from", "join"];

impl Token {
    /// Whether it is this keyword, which is given in lower case.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    pub(crate) fn is_symbol(&self, symbol: u8) -> bool {
        *self == Self::Symbol(symbol)
    }

    /// The index expression, if this can stand for a table.
    ///
    /// The plugin looks at the parts of a name: `default.x`, `information_schema.x` and `@opensearch.x` are other
    /// names of `x`, so they are not understood.
    pub(crate) fn table(&self) -> Option<String> {
        let (Self::Word(name) | Self::Name(name)) = self else { return None };
        let first = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let other_name = first.starts_with('@') || matches!(&*first, "default" | "information_schema");
        let plain = !name.is_empty() && !name.ends_with(['.', ':']) && !other_name && !name.contains('`');
        plain.then(|| name.clone())
    }

    /// Whether it can be an alias: a simple name.
    pub(crate) fn is_alias(&self) -> bool {
        match self {
            Self::Name(_) => true,
            Self::Word(word) => {
                word.bytes().all(is_simple) && !word.starts_with(|c: char| c.is_ascii_digit())
            }
            Self::Text(_) | Self::Symbol(_) => false,
        }
    }
}

fn is_simple(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_word(byte: u8) -> bool {
    is_simple(byte) || matches!(byte, b'-' | b'.' | b'*' | b':' | b'@')
}

/// The tokens of a text; `None` when parsers could disagree on them.
pub(crate) fn tokens(text: &str, language: Language) -> Option<Vec<Token>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'/' if rest.starts_with(b"/*") => at += comment(rest)?,
            b'/' if rest.starts_with(b"//") => return None,
            b'\'' | b'"' | b'`' => {
                let (content, length) = quoted(&text[at..], language)?;
                tokens.push(if byte == b'`' { Token::Name(content) } else { Token::Text(content) });
                at += length;
            }
            _ if is_word(byte) => {
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                tokens.push(word(&text[at..at + length], language)?);
                at += length;
            }
            b'#' | b'\\' => return None,
            _ if byte.is_ascii_graphic() => {
                tokens.push(Token::Symbol(byte));
                at += 1;
            }
            _ => return None,
        }
    }
    Some(tokens)
}

/// The length of a comment that is one for every parser: no hint, nothing nested.
fn comment(rest: &[u8]) -> Option<usize> {
    let inside = &rest[2..];
    let end = inside.windows(2).position(|two| two == b"*/")?;
    let content = &inside[..end];
    let hint = matches!(content.first(), Some(b'!' | b'+'));
    let nested = content.windows(2).any(|two| two == b"/*");
    (!hint && !nested).then_some(end + 4)
}

/// What stands in quotes, and the length with them. A doubled quote is one quote.
fn quoted(text: &str, language: Language) -> Option<(String, usize)> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next()?;
    let mut content = String::new();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            if language == Language::Sql || quote == '`' {
                return None;
            }
            content.push(characters.next()?.1);
        } else if character != quote {
            content.push(character);
        } else if text[at + 1..].starts_with(quote) {
            content.push(quote);
            characters.next();
        } else {
            return Some((content, at + 1));
        }
    }
    None
}

/// A word in which no parser sees a keyword that others do not.
fn word(text: &str, language: Language) -> Option<Token> {
    let simple = text.bytes().all(is_simple) && !text.starts_with(|c: char| c.is_ascii_digit());
    let lower = text.to_ascii_lowercase();
    let loud = language == Language::Sql && !simple && LOUD.iter().any(|keyword| lower.contains(keyword));
    // `--` begins a comment for some.
    (!loud && !text.contains("--")).then(|| Token::Word(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Language, Token, tokens};

    #[test]
    fn what_parsers_could_disagree_on_is_not_understood() {
        for text in [
            "select 1 -- x",
            "select 1 # x",
            "a /*! x */",
            "a /*+ x */",
            "a /* /* */ */",
            "a // b",
            "'open",
            "`open",
            "a 'x\\' b'",
            "sel\u{e9}ct",
            "a\u{a0}b",
            "1from x",
            "a-from b",
            "a.join b",
            "x\0y",
            "/* open",
        ] {
            assert_eq!(tokens(text, Language::Sql), None, "{text}");
        }
    }

    #[test]
    fn quotes_hide_what_stands_in_them() {
        let found = tokens("'it''s from' `a b` /* from */ x-1", Language::Sql);
        let expected =
            vec![Token::Text("it's from".into()), Token::Name("a b".into()), Token::Word("x-1".into())];
        assert_eq!(found, Some(expected));
        assert_eq!(tokens("'a\\'b'", Language::Ppl), Some(vec![Token::Text("a'b".into())]));
    }
}
