//! Needs by what their names stand for.

use access::{Denial, Permit, Rights, Watch};
use catalogue::{Catalogue, Entry};
use rest::{Action, Inquiry, Need, Origin, Pattern, Resource, Target};
use smallvec::SmallVec;

use super::{Fresh, Names};

/// Why a request is not allowed.
#[derive(Debug)]
pub enum Refused {
    /// No scope allows it.
    Denied(Box<Denial>),
    /// Aliases are to be judged by what is behind them, and that is not known at this moment.
    NamesUnknown,
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

/// Needs that stand in for one that no scope allows. Each is allowed.
pub type Inside = SmallVec<[Need; 2]>;

/// Targets kept for the audit record: an alias can stand for thousands of indices.
const TARGETS: usize = 64;

/// A request is allowed.
#[derive(Debug)]
pub struct Allowed {
    /// By what, as of [`Rights::decide_inquiry`].
    pub permit: Permit,
    /// What must be watched for while the body is read.
    pub watch: Option<Watch>,
    /// What the request is for, where its line does not say all of that: it names an alias, or what stands for something else.
    pub targets: Option<Box<[String]>>,
}

/// As [`Rights::decide_inquiry`], and by what names stand for where that is known. A need that no scope allows by its name is
/// replaced by those on what it stands for, if every one of them is allowed; an alias that is allowed by its name is denied
/// for what is behind it, if the cluster wants that.
///
/// With `reads`, a body that can name anything is read whatever the token holds.
pub fn decide(
    rights: &Rights,
    inquiry: &mut Inquiry,
    names: Option<&Names>,
    reads: bool,
) -> Result<Allowed, Refused> {
    let Some(names) = names else {
        let (permit, watch) = rights.decide_reading(inquiry, reads)?;
        return Ok(Allowed { permit, watch, targets: None });
    };
    let fresh = names.fresh();
    let judging = judging(names, fresh.as_ref());
    let mut needs = SmallVec::with_capacity(inquiry.needs.len());
    let (mut stood_for, mut behind) = (Vec::new(), Vec::new());
    for need in inquiry.needs.drain(..) {
        match (rights.admits(&need), &fresh) {
            (Ok(()), _) => {
                judging.aliases(rights, &need)?;
                if let Some(fresh) = &fresh {
                    behind.extend(
                        indices_of(fresh.names(), &need).iter().map(ToString::to_string).take(TARGETS),
                    );
                }
                needs.push(need);
            }
            (Err(_), Some(fresh)) => match inside(fresh.names(), rights, &need) {
                Some(inside) => {
                    stood_for.push(need);
                    needs.extend(inside);
                }
                None => needs.push(need),
            },
            (Err(_), None) => needs.push(need),
        }
    }
    inquiry.needs = needs;
    let (permit, watch) = rights.decide_reading(inquiry, reads)?;
    if watch.is_none()
        && let Some(plan) = &inquiry.body
    {
        // The body is not read, so it can name whatever there is.
        for need in plan.everything() {
            judging.aliases(rights, &need)?;
        }
    }
    let targets = (!stood_for.is_empty() || !behind.is_empty()).then(|| {
        let asked = stood_for.iter().chain(&inquiry.needs).map(|need| need.on.to_string());
        let mut targets: Vec<String> = Vec::new();
        for target in asked.chain(behind).take(TARGETS) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets.into()
    });
    Ok(Allowed { permit, watch, targets })
}

/// Judges a need that was found in a body, likewise. What it stands for, where that is what allows it, is returned.
pub fn found(
    watch: &mut Watch,
    rights: &Rights,
    need: &Need,
    names: Option<&Names>,
) -> Result<Option<Inside>, Refused> {
    let denial = match (watch.judge(rights, need), names) {
        (judged, None) => return Ok(judged.map(|()| None)?),
        (Ok(()), Some(names)) => {
            judging(names, names.fresh().as_ref()).aliases(rights, need)?;
            return Ok(None);
        }
        (Err(denial), Some(_)) => denial,
    };
    let fresh = names.and_then(Names::fresh);
    let Some(inside) = fresh.and_then(|fresh| inside(fresh.names(), rights, need)) else {
        return Err(denial.into());
    };
    for need in &inside {
        watch.judge(rights, need)?;
    }
    Ok(Some(inside))
}

/// What `need` stands for, if all of that is allowed.
///
/// - An alias stands for its indices. One whose name begins with `.` does not: a role of the engine's over `*` reaches such
///   names, so the engine would not notice if the alias had come to mean something else.
/// - A backing index stands for its data stream, as it does for the engine's roles. A data stream does not stand for its
///   backing indices, there or here.
///
/// Only for looking: what is written through an alias goes to one index of it, and which one changes.
fn inside(names: &Catalogue, rights: &Rights, need: &Need) -> Option<Inside> {
    if !matches!(need.action, Action::Read | Action::Monitor) {
        return None;
    }
    let name = local(need).filter(|pattern| !pattern.is_wildcard())?;
    match names.get(name.as_str())? {
        Entry::Alias { indices } if !name.as_str().starts_with('.') && !indices.is_empty() => {
            indices.iter().map(|index| allowed(names, rights, need, index).ok()).collect()
        }
        Entry::Index { data_stream: Some(stream), .. } => {
            let need = on(need, stream)?;
            rights.admits(&need).is_ok().then(|| SmallVec::from_iter([need]))
        }
        Entry::Alias { .. } | Entry::Index { .. } | Entry::DataStream { .. } => None,
    }
}

/// The need on this index, or on its data stream, whichever is allowed.
fn allowed(
    names: &Catalogue,
    rights: &Rights,
    need: &Need,
    index: &str,
) -> Result<Need, Option<Box<Denial>>> {
    let by_name = on(need, index).ok_or(None)?;
    let Err(denial) = rights.admits(&by_name) else { return Ok(by_name) };
    if let Some(Entry::Index { data_stream: Some(stream), .. }) = names.get(index)
        && let Some(by_stream) = on(need, stream)
        && rights.admits(&by_stream).is_ok()
    {
        return Ok(by_stream);
    }
    Err(Some(Box::new(denial)))
}

/// The indices of the alias that the need names, if it names one.
fn indices_of<'c>(names: &'c Catalogue, need: &Need) -> &'c [Box<str>] {
    match local(need).and_then(|pattern| names.get(pattern.as_str())) {
        Some(Entry::Alias { indices }) => indices,
        _ => &[],
    }
}

/// Whether, and by what, aliases are judged that a scope allows by their names.
enum Judging<'n> {
    Off,
    By(&'n Catalogue),
    Unknown,
}

fn judging<'n>(names: &Names, fresh: Option<&'n Fresh>) -> Judging<'n> {
    match fresh {
        _ if !names.judges_aliases() => Judging::Off,
        Some(fresh) => Judging::By(fresh.names()),
        None => Judging::Unknown,
    }
}

impl Judging<'_> {
    /// Denies the need if it reaches an alias with something behind it that is not allowed.
    fn aliases(&self, rights: &Rights, need: &Need) -> Result<(), Refused> {
        let Some(pattern) = local(need) else { return Ok(()) };
        let names = match self {
            Self::Off => return Ok(()),
            Self::Unknown => return Err(Refused::NamesUnknown),
            Self::By(names) => names,
        };
        let asked = Target { remote: None, index: pattern.clone() };
        for (alias, indices) in names.aliases_in(pattern) {
            // A leading `*` does not reach names that begin with a dot.
            let reached =
                Pattern::parse(alias).is_ok_and(|index| asked.covers(&Target { remote: None, index }));
            if !reached {
                continue;
            }
            for index in indices {
                match allowed(names, rights, need, index) {
                    Ok(_) => {}
                    Err(Some(denial)) => return Err(Refused::Denied(denial)),
                    // A name that is none: nothing is known of what it would be.
                    Err(None) => return Err(Refused::NamesUnknown),
                }
            }
        }
        Ok(())
    }
}

/// The pattern of a need on indices of this cluster.
fn local(need: &Need) -> Option<&Pattern> {
    match &need.on {
        Resource::Index(Target { remote: None, index }) => Some(index),
        _ => None,
    }
}

/// The same action on something that is behind what it was asked for.
fn on(need: &Need, name: &str) -> Option<Need> {
    let index = Pattern::parse(name).ok().filter(|pattern| !pattern.is_wildcard())?;
    Some(Need {
        action: need.action,
        on: Resource::Index(Target { remote: None, index }),
        origin: Origin::Behind,
    })
}

#[cfg(test)]
mod tests {
    use access::{ClusterRules, Mapper, ScopesOnly};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rights(scopes: Vec<String>) -> Rights {
        let rules = ClusterRules { name: "main".into(), audience: None, only_cluster: true };
        Mapper::new(Vec::new(), rules, true).unwrap().rights(&ScopesOnly(scopes))
    }

    /// Indices `a0` to `a3`, `.b0` and `.b1`, of which the last is the data stream `c0`'s, and aliases of some of them.
    fn catalogue(aliases: &[(String, Vec<&'static str>)]) -> Catalogue {
        let mut indices: Vec<_> =
            ["a0", "a1", "a2", "a3", ".b0"].iter().map(|name| json!({ "name": name })).collect();
        indices.push(json!({ "name": ".b1", "data_stream": "c0" }));
        let aliases: Vec<_> =
            aliases.iter().map(|(name, behind)| json!({ "name": name, "indices": behind })).collect();
        let listing = json!({
            "indices": indices,
            "aliases": aliases,
            "data_streams": [{ "name": "c0", "backing_indices": [".b1"] }],
        });
        Catalogue::from_resolve_index(listing.to_string().as_bytes()).unwrap()
    }

    fn need(action: Action, name: &str) -> Need {
        let on = Resource::Index(Target { remote: None, index: Pattern::parse(name).unwrap() });
        Need { action, on, origin: Origin::Path }
    }

    fn held(rights: &Rights, action: Action, name: &str) -> bool {
        rights.allows(&need(action, name)).is_ok()
            || (name == ".b1" && rights.allows(&need(action, "c0")).is_ok())
    }

    fn actions() -> impl Strategy<Value = Action> {
        prop::sample::select(&Action::ALL[..])
    }

    fn aliases() -> impl Strategy<Value = Vec<(String, Vec<&'static str>)>> {
        let behind = prop::sample::subsequence(vec!["a0", "a1", "a2", "a3", ".b0", ".b1"], 0..4);
        prop::collection::vec(("[.]?[xa][xy]", behind), 0..5)
    }

    fn scopes() -> impl Strategy<Value = Vec<String>> {
        let scope = (actions(), "[.]?[abcx][0-3xy*]?[*]?")
            .prop_map(|(action, pattern)| format!("{action}:{pattern}"));
        prop::collection::vec(scope, 1..6)
    }

    proptest! {
        #[test]
        fn a_name_stands_for_what_is_wholly_held_and_for_looking_only(
            aliases in aliases(),
            scopes in scopes(),
            action in actions(),
            name in "[.]?[abcx][0-3xy]",
        ) {
            let (names, rights) = (catalogue(&aliases), rights(scopes));
            let asked = need(action, &name);
            let inside = inside(&names, &rights, &asked);
            let looks = matches!(action, Action::Read | Action::Monitor);
            let expected = looks && match names.get(&name) {
                Some(Entry::Alias { indices }) => {
                    !name.starts_with('.')
                        && !indices.is_empty()
                        && indices.iter().all(|index| held(&rights, action, index))
                }
                Some(Entry::Index { data_stream: Some(_), .. }) => rights.allows(&need(action, "c0")).is_ok(),
                _ => false,
            };
            prop_assert_eq!(inside.is_some(), expected);
            for need in inside.into_iter().flatten() {
                prop_assert!(rights.allows(&need).is_ok() && need.action == action);
            }
        }

        #[test]
        fn no_alias_that_a_need_reaches_has_anything_behind_it_that_is_not_held(
            aliases in aliases(),
            scopes in scopes(),
            action in actions(),
            pattern in "[.]?[abcx*][0-3xy*]?[*]?",
        ) {
            let (names, rights) = (catalogue(&aliases), rights(scopes));
            let asked = need(action, &pattern);
            let reaches = |name: &str| match (&asked.on, &need(action, name).on) {
                (Resource::Index(asked), Resource::Index(name)) => asked.covers(name),
                _ => false,
            };
            let expected = names.iter().all(|(name, entry)| match entry {
                Entry::Alias { indices } if reaches(name) => {
                    indices.iter().all(|index| held(&rights, action, index))
                }
                _ => true,
            });
            prop_assert_eq!(Judging::By(&names).aliases(&rights, &asked).is_ok(), expected);
            prop_assert!(Judging::Off.aliases(&rights, &asked).is_ok());
            prop_assert!(matches!(
                Judging::Unknown.aliases(&rights, &asked),
                Err(Refused::NamesUnknown)
            ));
        }
    }
}
