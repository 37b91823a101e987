//! The grammar of the crate's documentation.

/// What ends a plain name, or makes it suspect.
pub(crate) const MUST_BE_QUOTED: [char; 3] = ['.', '/', '"'];

/// Why a text is no claim path. The message is a clause to follow one that names the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimPathError {
    /// The text, or a part between two dots, is empty.
    #[error("a name in it is empty")]
    EmptyName,
    /// A double quote is open to the end, or stands beside a name instead of around it.
    #[error("a double quote is not closed, or does not enclose a whole name")]
    Quote,
    /// A slash outside of quotes: most often a name that is a URL, which its dots would take apart, or a JSON Pointer.
    #[error("a name that holds a slash must stand in double quotes")]
    Slash,
}

/// The names that a path is made of, outermost first; at least one.
pub(crate) fn names(text: &str) -> Result<Vec<Box<str>>, ClaimPathError> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => plain_name(rest)?,
        };
        if name.is_empty() {
            return Err(ClaimPathError::EmptyName);
        }
        names.push(name);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(names),
            None => return Err(ClaimPathError::Quote),
        }
    }
}

/// What precedes the next dot, and what follows from it on.
fn plain_name(text: &str) -> Result<(Box<str>, &str), ClaimPathError> {
    let (name, after) = text.split_at(text.find('.').unwrap_or(text.len()));
    if name.contains('"') {
        return Err(ClaimPathError::Quote);
    }
    if name.contains('/') {
        return Err(ClaimPathError::Slash);
    }
    Ok((name.into(), after))
}

/// What precedes the closing quote, and what follows it; `text` begins after the opening one.
fn quoted_name(text: &str) -> Result<(Box<str>, &str), ClaimPathError> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or(ClaimPathError::Quote)?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Ok((name.into(), after)),
        }
    }
}
