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
    /// What the request is for, where that is not what its line says alone: names that stand for something else, and that.
    pub targets: Option<Box<[String]>>,
}

/// As [`Rights::decide_inquiry`], and by what names stand for where that is known. A need that no scope allows by its name is
/// replaced by those on what it stands for, if every one of them is allowed; an alias that is allowed by its name is denied
/// for what is behind it, if the cluster wants that.
pub fn decide(rights: &Rights, inquiry: &mut Inquiry, names: Option<&Names>) -> Result<Allowed, Refused> {
    let Some(names) = names else {
        let (permit, watch) = rights.decide_inquiry(inquiry)?;
        return Ok(Allowed { permit, watch, targets: None });
    };
    let fresh = names.fresh();
    let judging = judging(names, fresh.as_ref());
    let mut needs = SmallVec::with_capacity(inquiry.needs.len());
    let mut stood_for = Vec::new();
    for need in inquiry.needs.drain(..) {
        match (rights.allows(&need), &fresh) {
            (Ok(_), _) => {
                judging.aliases(rights, &need)?;
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
    let (permit, watch) = rights.decide_inquiry(inquiry)?;
    if watch.is_none()
        && let Some(plan) = &inquiry.body
    {
        // The body is not read, so it can name whatever there is.
        for need in plan.everything() {
            judging.aliases(rights, &need)?;
        }
    }
    let targets = (!stood_for.is_empty()).then(|| {
        let mut targets: Vec<String> = Vec::new();
        for need in stood_for.iter().chain(&inquiry.needs).take(TARGETS) {
            let target = need.on.to_string();
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
            rights.allows(&need).is_ok().then(|| SmallVec::from_iter([need]))
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
    let Err(denial) = rights.allows(&by_name) else { return Ok(by_name) };
    if let Some(Entry::Index { data_stream: Some(stream), .. }) = names.get(index)
        && let Some(by_stream) = on(need, stream)
        && rights.allows(&by_stream).is_ok()
    {
        return Ok(by_stream);
    }
    Err(Some(Box::new(denial)))
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
