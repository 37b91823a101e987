//! Secrets and files that the document refers to.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    report::Findings,
    source::Source,
    structure::{
        SCHEMA,
        view::{self, View},
    },
    surroundings::{Found, Surroundings},
    tree::{At, Kind, Node, Step},
};

/// What the document refers to.
#[derive(Default)]
pub(crate) struct References {
    /// Files that were read or will be.
    pub(crate) files: Vec<PathBuf>,
    secrets: Vec<(At, Zeroizing<String>)>,
}

impl References {
    /// Puts the values of the secrets where the references to them stand. What takes the document apart from here on
    /// moves these strings, it does not copy them.
    pub(crate) fn fill_in(self, document: &mut Value) {
        for (at, secret) in self.secrets {
            let place = at.steps().iter().try_fold(&mut *document, |value, step| match step {
                Step::Key(key) => value.get_mut(key),
                Step::Index(index) => value.get_mut(index),
            });
            if let Some(Value::String(text)) = place {
                text.zeroize();
                *text = String::from(secret.as_str());
            }
        }
    }
}

/// Makes paths absolute, counting from `folder`; looks for every file; reads every secret.
pub(crate) fn follow(
    document: &mut Value,
    folder: &Path,
    surroundings: &dyn Surroundings,
    findings: &mut Findings<'_>,
) -> References {
    let mut follower = Follower { folder, surroundings, findings, references: References::default() };
    view::walk(View::root(&SCHEMA), document, &At::default(), &mut |schema, value, at| {
        if let Value::String(text) = value
            && !follower.findings.is_broken(at)
        {
            follower.string(schema.target(), text, at);
        }
    });
    follower.references
}

struct Follower<'a, 'f> {
    folder: &'a Path,
    surroundings: &'a dyn Surroundings,
    findings: &'a mut Findings<'f>,
    references: References,
}

impl Follower<'_, '_> {
    fn string(&mut self, schema: View<'_>, text: &mut String, at: &At) {
        if schema.is_secret() {
            if let Some(secret) = self.secret(text, at).filter(|secret| self.is_long(schema, secret, at)) {
                self.references.secrets.push((at.clone(), secret));
            }
            return;
        }
        if text.contains("${") {
            return self.findings.error(
                at,
                "references are resolved only where a secret is expected, not here",
                "write the value itself",
            );
        }
        if let Some(purpose) = schema.text("x-file") {
            let path = self.folder.join(&*text);
            if text.is_empty() {
                self.findings.error(at, "is empty", "give the path of a file");
            } else if purpose == "write" {
                self.output(&path, at);
            } else if purpose == "folder" {
                self.listed(&path, at);
            } else {
                self.input(&path, at, purpose == "private");
            }
            // The document came from text, so that its paths are text.
            *text = path.to_string_lossy().into_owned();
        }
    }

    fn secret(&mut self, text: &str, at: &At) -> Option<Zeroizing<String>> {
        let reference = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let secret = match reference.and_then(|reference| reference.split_once(':')) {
            Some(("env", name)) => {
                let Some(value) = self.surroundings.variable(name) else {
                    self.findings.error(
                        at,
                        format!("the environment variable `{name}` is not set"),
                        format!("set `{name}` for the process that reads this file"),
                    );
                    return None;
                };
                Zeroizing::new(value)
            }
            Some(("file", path)) => self.secret_file(&self.folder.join(path), at)?,
            _ => {
                self.findings.warning(
                    at,
                    "a secret stands in this file",
                    "unless it is one for trying out, write `${env:NAME}` or `${file:path}` here",
                );
                Zeroizing::new(text.strip_prefix("literal:")?.to_owned())
            }
        };
        if secret.is_empty() {
            self.findings.error(at, "the secret is empty", "give it a value where this refers to");
            return None;
        }
        Some(secret)
    }

    /// Whether a secret is as long as one must be from which keys are derived.
    fn is_long(&mut self, schema: View<'_>, secret: &str, at: &At) -> bool {
        let (least, length) = (schema.get("x-min-bytes").and_then(Value::as_u64), secret.len() as u64);
        let Some(least) = least.filter(|least| length < *least) else { return true };
        self.findings.error(
            at,
            format!("the secret has {length} bytes, fewer than {least}"),
            "make one with `openssl rand -base64 48`",
        );
        false
    }

    fn secret_file(&mut self, path: &Path, at: &At) -> Option<Zeroizing<String>> {
        self.references.files.push(path.to_owned());
        match self.surroundings.secret_file(path) {
            Ok(text) => {
                if let Ok(Found::File { mode: Some(mode) }) = self.surroundings.inspect(path)
                    && mode & OTHERS != 0
                {
                    self.findings.warning(
                        at,
                        format!("every user of this machine can get at {}", path.display()),
                        format!("take that right away: chmod o-rwx {}", path.display()),
                    );
                }
                let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                Some(Zeroizing::new(line.unwrap_or(&text).to_owned()))
            }
            Err(error) => {
                self.unreadable(path, at, &error);
                None
            }
        }
    }

    fn input(&mut self, path: &Path, at: &At, private: bool) {
        self.references.files.push(path.to_owned());
        match self.surroundings.inspect(path) {
            Ok(Found::File { mode: Some(mode) }) if private && mode & (OTHERS | GROUP_WRITE) != 0 => {
                self.findings.error(
                    at,
                    format!("others than its owner can get at the private key {}", path.display()),
                    format!("take that right away: chmod g-w,o-rwx {}", path.display()),
                );
            }
            Ok(Found::File { .. }) => {}
            Ok(Found::Directory) => {
                self.findings.error(
                    at,
                    format!("{} is a directory", path.display()),
                    "give the path of a file",
                );
            }
            Err(error) => self.unreadable(path, at, &error),
        }
    }

    /// A folder whose files are read.
    fn listed(&mut self, path: &Path, at: &At) {
        self.references.files.push(path.to_owned());
        match self.surroundings.inspect(path) {
            Ok(Found::Directory) => {}
            Ok(Found::File { .. }) => {
                let cure = "give the path of a folder, or write the file under `files`";
                self.findings.error(at, format!("{} is a file", path.display()), cure);
            }
            Err(error) => self.unreadable(path, at, &error),
        }
    }

    fn output(&mut self, path: &Path, at: &At) {
        let folder = path.parent().unwrap_or(path);
        match (self.surroundings.inspect(folder), self.surroundings.inspect(path)) {
            (_, Ok(Found::Directory)) => {
                self.findings.error(
                    at,
                    format!("{} is a directory", path.display()),
                    "give the path of a file",
                );
            }
            (Ok(Found::Directory), _) => {}
            (Ok(Found::File { .. }), _) => {
                self.findings.error(
                    at,
                    format!("{} is not a directory", folder.display()),
                    "give a path in a folder that exists",
                );
            }
            (Err(error), _) => {
                self.findings.error(
                    at,
                    format!("the folder {} cannot be used: {}", folder.display(), reason(&error)),
                    format!("make it, or give another path: mkdir -p {}", folder.display()),
                );
            }
        }
    }

    fn unreadable(&mut self, path: &Path, at: &At, error: &io::Error) {
        let cure = match error.kind() {
            io::ErrorKind::NotFound => {
                "give the path of a file that exists; relative paths count from this file's folder"
            }
            io::ErrorKind::PermissionDenied => "let the user of this process read it",
            _ => "give the path of a readable file",
        };
        self.findings.error(at, format!("{} cannot be read: {}", path.display(), reason(error)), cure);
    }
}

/// Permission bits by which users outside of owner and group get at a file.
const OTHERS: u32 = 0o007;
const GROUP_WRITE: u32 = 0o020;

/// The kind of an error without the system's error number, which differs between systems.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is nothing of this name".to_owned(),
        io::ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    }
}

/// Blots secrets out of the text that is shown to people: values of secret keys that are no references, and passwords
/// within URLs. Without a tree, since the text is no YAML, what looks like a secret by its key.
pub(crate) fn blot(source: &mut Source, tree: Option<&Node>) {
    let mut ranges = Vec::new();
    match tree {
        Some(tree) => secret_places(View::root(&SCHEMA), tree, &mut ranges),
        None => suspects(source.text(), &mut ranges),
    }
    url_passwords(source.text(), &mut ranges);
    source.blot(ranges);
}

fn secret_places(schema: View<'_>, node: &Node, ranges: &mut Vec<Range<usize>>) {
    if schema.target().is_secret() {
        return all_places(node, ranges);
    }
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => {
            for item in items {
                if let Some(inner) = schema.step(&Step::Index(0)) {
                    secret_places(inner, item, ranges);
                }
            }
        }
        Kind::Map(entries) => {
            let beside_secret =
                schema.target().properties().iter().any(|(_, property)| property.target().is_secret());
            for entry in entries {
                match schema.step(&Step::Key(entry.key.clone())) {
                    Some(inner) => secret_places(inner, &entry.value, ranges),
                    // A misspelt key may well hold a secret.
                    None if beside_secret || looks_secret(&entry.key) => all_places(&entry.value, ranges),
                    None => {}
                }
            }
        }
    }
}

/// Every scalar that is no reference.
fn all_places(node: &Node, ranges: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Scalar(Value::String(text)) if text.starts_with("${") => {}
        Kind::Scalar(_) => ranges.push(node.place.bytes.clone()),
        Kind::List(items) => items.iter().for_each(|item| all_places(item, ranges)),
        Kind::Map(entries) => entries.iter().for_each(|entry| all_places(&entry.value, ranges)),
    }
}

/// In a text that is no YAML: what follows a word that sounds secret, on its line and on deeper lines after it.
fn suspects(text: &str, ranges: &mut Vec<Range<usize>>) {
    let mut secret: Option<usize> = None;
    let mut start = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if secret.is_some_and(|above| indent <= above && !content.is_empty()) {
            secret = None;
        }
        let folded = line.to_ascii_lowercase();
        let word = SECRET_WORDS.iter().filter_map(|word| Some(folded.find(word)? + word.len())).min();
        match (secret, word) {
            (Some(_), _) => ranges.push(start..start + line.len()),
            (None, Some(end)) => {
                ranges.push(start + end..start + line.len());
                secret = Some(indent);
            }
            (None, None) => {}
        }
        start += line.len();
    }
}

const SECRET_WORDS: &[&str] = &["secret", "password", "passwd", "users", "literal:"];

fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// `https://name:password@host`: what is between `://` and `@`.
fn url_passwords(text: &str, ranges: &mut Vec<Range<usize>>) {
    for (start, separator) in text.match_indices("://") {
        let start = start + separator.len();
        let end =
            text[start..].find(|c: char| c.is_whitespace() || c == '/').map_or(text.len(), |end| start + end);
        if let Some(at) = text[start..end].rfind('@') {
            ranges.push(start..start + at);
        }
    }
}
