//! The files beside this one: what is asked, by whom, and what is excused.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use crate::random::Sequence;

/// How many expressions of an index each template is tried with, for each set of scopes: anything, and then as many that are
/// about what the scopes name, for most of anything is refused by both sides.
const DRAWS: usize = 3;

/// Names that exist, for `$other`.
const OTHERS: [&str; 5] = ["diff-logs-1", "diff-logs-2", "diff-app-1", "diff-pii", "diff-logs-in"];

/// One request.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Asked {
    /// The method and target of the line that it comes from.
    pub(crate) template: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: String,
    /// What stands for `$index`.
    index: String,
}

impl Asked {
    pub(crate) fn method(&self) -> Method {
        self.method.parse().unwrap()
    }

    /// With a missing name in a list the engine's security plugin takes an exclusion `-x` for the name of an index, which no
    /// pattern covers, and so refuses lists that stay inside of the pattern.
    pub(crate) fn is_misread_by_the_engine(&self) -> bool {
        let expression = format!("{},{}", self.index, self.target);
        expression.contains(",-") && (expression.contains("-absent") || expression.contains('<'))
    }

    /// Where one name is wanted, in a path or as an item of an array, a list is to the engine the name of an index that cannot exist,
    /// and that no pattern of a role covers. The proxy judges what it would be as a list.
    pub(crate) fn is_a_list_for_one_name(&self, status: StatusCode) -> bool {
        self.index.contains(',') && (status == StatusCode::NOT_FOUND || self.body.contains("\"index\":["))
    }

    /// As in the files.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {}", self.method, self.target, self.body.trim_end().replace('\n', " \\n "))
            .trim_end()
            .to_owned()
    }
}

/// What is known to be let through although the role refuses.
#[derive(Clone, Debug)]
pub(crate) struct Excuse {
    scopes: &'static str,
    template: &'static str,
    status: &'static str,
    /// A known defect, which may be gone already.
    pub(crate) is_open: bool,
}

impl Excuse {
    pub(crate) fn covers(&self, scopes: &str, template: &str, status: StatusCode) -> bool {
        (self.scopes == "*" || self.scopes == scopes)
            && self.template == template
            && self.status == status.as_str()
    }
}

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Sets of scopes.
pub(crate) fn scope_sets() -> Vec<&'static str> {
    lines(include_str!("scopes.txt")).collect()
}

/// The templates, as [`Asked::template`] has them.
pub(crate) fn templates() -> BTreeSet<String> {
    lines(include_str!("templates.txt")).map(|line| read(line, "", "").template).collect()
}

/// The excuses, each with a reason.
pub(crate) fn excuses() -> Vec<Excuse> {
    lines(include_str!("excused.txt"))
        .map(|line| {
            let parts: Vec<_> = line.split(" | ").collect();
            let [scopes, template, status, reason] = parts[..] else {
                panic!("SCOPES | METHOD target | status | reason: {line}")
            };
            Excuse { scopes, template, status, is_open: reason.starts_with("open:") }
        })
        .collect()
}

/// What is asked with the `number`th set of scopes: the same in every run.
pub(crate) fn requests(number: u64, scopes: &str) -> Vec<Asked> {
    let targets: Vec<_> = lines(include_str!("targets.txt")).collect();
    let near = about(scopes, &targets);
    let near_others = about(scopes, &OTHERS);
    let mut asked = BTreeSet::new();
    for template in lines(include_str!("templates.txt")) {
        // Of its own, so that a new template does not change what the others are tried with.
        let mut random = Sequence::new(number, template);
        for _ in 0..DRAWS {
            let mut index = random.pick(&targets).to_owned();
            if random.below(4) == 0 {
                index = format!("{},{index}", random.pick(&targets));
            }
            asked.insert(read(template, &index, random.pick(&OTHERS)));
        }
        for _ in 0..DRAWS {
            let mut index = random.pick(&near).to_owned();
            if random.below(4) == 0 {
                index = format!("{},{index}", random.pick(&near));
            }
            asked.insert(read(template, &index, random.pick(&near_others)));
        }
    }
    asked.extend(lines(include_str!("by-hand.txt")).map(|line| read(line, "", "")));
    asked.into_iter().collect()
}

/// Those of `names` that begin like the pattern of a scope; all, for scopes that name none of them.
fn about<'n>(scopes: &str, names: &[&'n str]) -> Vec<&'n str> {
    let patterns: Vec<_> = scopes.split(' ').filter_map(|scope| scope.split_once(':')).collect();
    let begins = |name: &str| {
        patterns.iter().any(|(_, pattern)| name.starts_with(pattern.split('*').next().unwrap_or_default()))
    };
    let near: Vec<_> = names.iter().copied().filter(|name| begins(name)).collect();
    if near.is_empty() { names.to_vec() } else { near }
}

fn read(line: &str, index: &str, other: &str) -> Asked {
    let (method, rest) = line.split_once(' ').unwrap();
    let (target, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut lines: Vec<_> = body.split(" \\n ").map(str::to_owned).collect();
    if lines.len() > 1 || target.contains("_bulk") && !target.contains("_by_query") {
        lines.push(String::new());
    }
    let body = lines.join("\n").replace("$index", index).replace("$other", other);
    Asked {
        template: format!("{method} {target}"),
        method: method.to_owned(),
        target: target.replace("$index", &in_path(index)).replace("$other", other),
        body,
        index: index.to_owned(),
    }
}

/// Percent-encodes what cannot stand in a path (RFC 3986 section 3.3).
fn in_path(index: &str) -> String {
    index
        .chars()
        .map(|c| match c {
            '<' | '>' | '{' | '}' | '/' => format!("%{:02X}", u32::from(c)),
            _ => c.to_string(),
        })
        .collect()
}
