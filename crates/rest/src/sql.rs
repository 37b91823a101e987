//! The tables that an SQL statement names.

use crate::query_text::{Language, Token, tokens};

/// Functions with a FROM of their own.
const WITH_FROM: [&str; 5] = ["extract", "trim", "substring", "substr", "overlay"];
/// What ends a list of tables.
const AFTER_TABLES: [&str; 9] =
    ["where", "group", "having", "order", "limit", "union", "minus", "except", "intersect"];
/// What may follow a table besides an alias.
const AFTER_TABLE: [&str; 10] =
    ["as", "join", "inner", "left", "right", "full", "cross", "outer", "on", "using"];
/// Words that are no table where a table stands.
const NO_TABLE: [&str; 8] = ["lateral", "table", "unnest", "values", "select", "where", "on", "as"];

/// What may stand before SELECT besides a parenthesis.
const BEFORE_SELECT: [&str; 6] = ["union", "all", "distinct", "minus", "except", "intersect"];

/// One level of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Whether a comma separates tables.
    in_tables: bool,
    /// Whether it holds the arguments of a function that has a FROM of its own.
    own_from: bool,
}

/// The index expressions that the statement reads; `None` when it is not understood.
///
/// Only SELECT, SHOW TABLES LIKE and DESCRIBE TABLES LIKE are understood: the rest of the language changes
/// things, or is not the engine's.
pub(crate) fn tables(text: &str) -> Option<Vec<String>> {
    let mut tokens = tokens(text, Language::Sql)?;
    if tokens.last().is_some_and(|last| last.is_symbol(b';')) {
        tokens.pop();
    }
    let first = tokens.first()?;
    if first.is_any(&["show", "describe", "desc"]) {
        return catalog(&tokens);
    }
    let begins = tokens.iter().find(|token| !token.is_symbol(b'('))?;
    if begins.is("select") { select(&tokens) } else { None }
}

/// `SHOW TABLES LIKE x`, `DESCRIBE TABLES LIKE x [COLUMNS LIKE y]`.
fn catalog(tokens: &[Token]) -> Option<Vec<String>> {
    let (head, rest) = tokens.split_at_checked(4)?;
    let [_, tables, like, pattern] = head else { return None };
    if !tables.is("tables") || !like.is("like") {
        return None;
    }
    let columns = matches!(rest, [columns, like, Token::Text(_)] if columns.is("columns") && like.is("like"));
    if !rest.is_empty() && !columns {
        return None;
    }
    let pattern = match pattern {
        Token::Text(text) | Token::Word(text) => text,
        Token::Name(_) | Token::Symbol(_) => return None,
    };
    // `%` is any run of characters and `_` is one; an escape could make either a plain character.
    Some(vec![pattern.replace(['%', '_'], "*")])
}

fn select(tokens: &[Token]) -> Option<Vec<String>> {
    let mut tables = Vec::new();
    let mut levels = vec![Level::default()];
    let mut expected = false;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        let level = levels.last_mut()?;
        match token {
            Token::Symbol(b'(') => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                let own_from = before.is_some_and(|before| before.is_any(&WITH_FROM));
                levels.push(Level { in_tables: expected, own_from });
            }
            Token::Symbol(b')') => {
                levels.pop().filter(|_| !expected)?;
            }
            Token::Symbol(b',') => expected |= level.in_tables,
            Token::Symbol(b';') => return None,
            token if token.is("select") => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                before
                    .is_none_or(|before| before.is_symbol(b'(') || before.is_any(&BEFORE_SELECT))
                    .then_some(())?;
                expected = false;
                *level = Level::default();
            }
            token if expected => {
                if token.is_any(&NO_TABLE) || !ends_table(next) {
                    return None;
                }
                tables.push(token.table()?);
                expected = false;
            }
            token if token.is("from") && !level.own_from => {
                level.in_tables = true;
                expected = true;
            }
            token if token.is("join") => {
                level.in_tables = true;
                expected = true;
            }
            token if token.is_any(&AFTER_TABLES) => level.in_tables = false,
            _ => {}
        }
    }
    (!expected && levels.len() == 1).then_some(tables)
}

fn ends_table(next: Option<&Token>) -> bool {
    match next {
        None | Some(Token::Symbol(b',' | b')')) => true,
        Some(token) => token.is_any(&AFTER_TABLE) || token.is_any(&AFTER_TABLES) || token.is_alias(),
    }
}
