//! The indices that a query in the piped processing language names.

use crate::query_text::{Language, Token, tokens};

/// Commands that name an index at most in a subsearch in brackets.
const QUIET: [&str; 46] = [
    "ad",
    "addcoltotals",
    "addtotals",
    "append",
    "appendcol",
    "appendpipe",
    "bin",
    "chart",
    "convert",
    "dedup",
    "eval",
    "eventstats",
    "expand",
    "fieldformat",
    "fields",
    "fieldsummary",
    "fillnull",
    "flatten",
    "grok",
    "head",
    "kmeans",
    "ml",
    "multisearch",
    "mvcombine",
    "mvexpand",
    "nomv",
    "parse",
    "patterns",
    "rare",
    "regex",
    "rename",
    "replace",
    "reverse",
    "rex",
    "sort",
    "spath",
    "stats",
    "streamstats",
    "table",
    "timechart",
    "tail",
    "top",
    "transpose",
    "trendline",
    "where",
    "xyseries",
];
/// What can stand before JOIN.
const JOINS: [&str; 9] = ["join", "inner", "left", "right", "full", "cross", "semi", "anti", "outer"];
/// Subsearches in subsearches.
const DEPTH: usize = 16;

/// The index expressions that the query reads; `None` when it is not understood.
pub(crate) fn tables(text: &str) -> Option<Vec<String>> {
    let tokens = tokens(text, Language::Ppl)?;
    let mut tokens = &tokens[..];
    if tokens.first()?.is("explain") {
        tokens = &tokens[1..];
        if tokens.first()?.is_any(&["simple", "standard", "cost", "extended"]) {
            tokens = &tokens[1..];
        }
    }
    let mut tables = Vec::new();
    pipeline(tokens, true, 0, &mut tables)?;
    Some(tables)
}

/// Commands between bars. The outermost one must begin with a source.
fn pipeline(tokens: &[Token], outermost: bool, depth: usize, tables: &mut Vec<String>) -> Option<()> {
    if depth > DEPTH {
        return None;
    }
    let mut rest = tokens;
    let mut first = outermost;
    loop {
        let (end, flat) = command(rest, depth, tables)?;
        let before = tables.len();
        names(&flat, tables)?;
        if first && tables.len() == before {
            return None;
        }
        first = false;
        if end == rest.len() {
            return Some(());
        }
        rest = &rest[end + 1..];
    }
}

/// A subsearch stands in for itself as this in the tokens of a command.
const SUBSEARCH: Token = Token::Symbol(b']');

/// Where the command that begins here ends, and its tokens without those of subsearches, which are followed.
fn command(tokens: &[Token], depth: usize, tables: &mut Vec<String>) -> Option<(usize, Vec<Token>)> {
    let mut flat = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Symbol(b'|') => break,
            Token::Symbol(b'[') => {
                let length = closing(&tokens[at..])?;
                pipeline(&tokens[at + 1..at + length], false, depth + 1, tables)?;
                flat.push(SUBSEARCH);
                at += length;
            }
            Token::Symbol(b']') => return None,
            token => flat.push(token.clone()),
        }
        at += 1;
    }
    Some((at, flat))
}

/// The position of the bracket that closes the one at the start.
fn closing(tokens: &[Token]) -> Option<usize> {
    let mut open = 0_usize;
    tokens.iter().position(|token| {
        open += usize::from(token.is_symbol(b'['));
        open -= usize::from(token.is_symbol(b']'));
        open == 0
    })
}

/// What one command names.
fn names(command: &[Token], tables: &mut Vec<String>) -> Option<()> {
    let first = command.first()?;
    if first.is_any(&["search", "source", "index"]) {
        sources(command, tables)
    } else if first.is_any(&["describe", "desc", "lookup"]) {
        let table = command.get(1)?;
        let ends = command.get(2).is_none_or(|next| next.is_alias() || next.is_symbol(b','));
        tables.push(table.table().filter(|_| ends)?);
        Some(())
    } else if first.is_any(&JOINS) {
        joined(command, tables)
    } else {
        first.is_any(&QUIET).then_some(())
    }
}

/// Every `source = a, b` or `index = a, b`.
fn sources(command: &[Token], tables: &mut Vec<String>) -> Option<()> {
    for (at, pair) in command.windows(2).enumerate() {
        if !pair[1].is_symbol(b'=') || !sounds_like_source(&pair[0]) {
            continue;
        }
        if !pair[0].is_any(&["source", "index"]) {
            return None;
        }
        let mut rest = &command[at + 2..];
        loop {
            let (table, after) = rest.split_first()?;
            tables.push(table.table()?);
            match after.first() {
                Some(next) if next.is_symbol(b',') => rest = &after[1..],
                Some(Token::Symbol(b'(')) => return None,
                Some(Token::Word(word)) if word.starts_with(['.', ':']) => return None,
                _ => break,
            }
        }
    }
    Some(())
}

/// Whether some parser could see the keyword in this word.
fn sounds_like_source(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    let lower = word.to_ascii_lowercase();
    ["source", "index"].iter().any(|keyword| lower.ends_with(keyword))
}

/// The right side of a join stands at the end: a list of indices or a subsearch, perhaps with an alias.
fn joined(command: &[Token], tables: &mut Vec<String>) -> Option<()> {
    if !command.iter().any(|token| token.is("join")) {
        return None;
    }
    let end = match command {
        [rest @ .., word, alias] if word.is("as") && alias.is_alias() => rest,
        all => all,
    };
    let (last, mut rest) = end.split_last()?;
    if *last == SUBSEARCH {
        return Some(());
    }
    tables.push(last.table()?);
    while let [before @ .., name, comma] = rest {
        if !comma.is_symbol(b',') {
            break;
        }
        tables.push(name.table()?);
        rest = before;
    }
    // Something must stand before the list: the condition, the fields, or JOIN itself.
    rest.last().filter(|token| !token.is_symbol(b'=') && !token.is_symbol(b','))?;
    Some(())
}
