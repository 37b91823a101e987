//! What `classify` found, for people and for programs.

use std::fmt::Write as _;

use access::{Denial, Rights};
use rest::{Action, BodyRefusal, Need, Operation, Origin, Refusal, Resource};
use serde::Serialize;

/// Distinct needs that are listed, of the allowed and of the others each. A bulk of a million lines can name as many.
const LISTED: usize = 64;

const NOT_GIVEN: &str =
    "not given: judged as without read_bodies; give one to judge by what it names, /dev/null for none";

/// All that is known of a request.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether scopes allow it; `null` when none were given.
    allowed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Route>,
    needs: Vec<Finding>,
    /// Needs that were found when the list was full.
    unlisted: u64,
    pub(super) body: Body,
    /// Why the request is not judged, or not to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refused>,
}

/// The row of the table.
#[derive(Debug, Serialize)]
struct Route {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    action: Action,
}

/// What became of the body.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Body {
    /// None was given, though it could name indices: judged as on a cluster without `read_bodies`.
    NotGiven,
    /// The operation's bodies are not read, with `read_bodies` or without.
    NotNeeded,
    /// The scopes cover whatever it could name.
    Covered,
    /// It was read.
    Read {
        /// How much of it.
        bytes: u64,
        /// The first key in it that is not understood.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_understood: Option<String>,
    },
}

/// One need, and what the scopes say to it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    action: Action,
    resource: String,
    origin: Origin,
    reason: &'static str,
    #[serde(skip)]
    need: Need,
    /// `None` when no scopes were given.
    #[serde(flatten)]
    verdict: Option<Verdict>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// The narrowest scope that allows it.
    AllowedBy(String),
    /// The narrowest scope that would.
    WouldAllow(String),
}

impl Finding {
    pub(super) fn new(need: &Need, rights: Option<&Rights>) -> Self {
        let verdict = rights.and_then(|rights| match (rights.allows(need), rights.admits(need)) {
            (Ok(scope), _) => Some(Verdict::AllowedBy(scope.to_string())),
            (Err(denial), Err(_)) => Some(Verdict::WouldAllow(denial.would_allow.to_string())),
            // Scopes have no say in it.
            (Err(_), Ok(())) => None,
        });
        Self {
            action: need.action,
            resource: need.on.to_string(),
            origin: need.origin,
            reason: need.origin.reason(),
            need: need.clone(),
            verdict,
        }
    }

    pub(super) fn denied(denial: &Denial) -> Self {
        let verdict = Some(Verdict::WouldAllow(denial.would_allow.to_string()));
        Self { verdict, ..Self::new(&denial.need, None) }
    }

    fn is_denied(&self) -> bool {
        matches!(self.verdict, Some(Verdict::WouldAllow(_)))
    }

    fn line(&self) -> String {
        let mark = match self.verdict {
            None => "-",
            Some(Verdict::AllowedBy(_)) => "+",
            Some(Verdict::WouldAllow(_)) => "!",
        };
        let mut line = format!("  {mark} {}", self.need);
        // Writing to a string cannot fail.
        if self.need.on != Resource::Greeting {
            let _ = write!(line, ", because {}", self.reason);
        }
        let _ = match &self.verdict {
            None => Ok(()),
            Some(Verdict::AllowedBy(scope)) => write!(line, "; allowed by {scope}"),
            Some(Verdict::WouldAllow(scope)) => write!(line, "; outside, {scope} would allow it"),
        };
        line
    }
}

/// A refusal, as clients get it.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    status: u16,
    reason: &'static str,
    detail: String,
}

impl Refused {
    pub(super) fn request(refusal: &Refusal) -> Self {
        Self { status: refusal.status(), reason: refusal.reason(), detail: refusal.to_string() }
    }

    pub(super) fn body(refusal: &BodyRefusal) -> Self {
        Self { status: refusal.status(), reason: refusal.reason(), detail: refusal.to_string() }
    }
}

impl Report {
    /// Nothing was found yet.
    pub(super) fn of(operation: &'static Operation, judged: bool) -> Self {
        let Operation { name, method, path, action, .. } = *operation;
        let route = Route { name, method: method.as_str(), path, action };
        Self {
            allowed: judged.then_some(true),
            operation: Some(route),
            needs: Vec::new(),
            unlisted: 0,
            body: Body::NotNeeded,
            refusal: None,
        }
    }

    /// The request line is refused.
    pub(super) fn refused(refusal: Refused, judged: bool) -> Self {
        Self {
            allowed: judged.then_some(false),
            operation: None,
            needs: Vec::new(),
            unlisted: 0,
            body: Body::NotNeeded,
            refusal: Some(refusal),
        }
    }

    /// The body is refused.
    pub(super) fn refuse(&mut self, refusal: Refused) {
        self.allowed = self.allowed.map(|_| false);
        self.refusal = Some(refusal);
    }

    /// Adds a need, unless it is there.
    pub(super) fn note(&mut self, finding: Finding) {
        let denied = finding.is_denied();
        if denied {
            self.allowed = Some(false);
        }
        if self.needs.contains(&finding) {
            return;
        }
        if self.needs.iter().filter(|known| known.is_denied() == denied).count() < LISTED {
            self.needs.push(finding);
        } else {
            self.unlisted += 1;
        }
    }

    /// Whether the request was understood, and allowed where that was asked.
    pub(super) fn is_good(&self) -> bool {
        self.refusal.is_none() && self.allowed != Some(false)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        if let Some(Route { name, method, path, action }) = &self.operation {
            let _ = writeln!(text, "operation  {name} ({method} {path})");
            let _ = writeln!(text, "action     {action}");
        }
        if !self.needs.is_empty() {
            let _ = writeln!(text, "needs");
        }
        for finding in &self.needs {
            let _ = writeln!(text, "{}", finding.line());
        }
        if self.unlisted > 0 {
            let _ = writeln!(text, "  … and more, found {} times", self.unlisted);
        }
        if self.operation.is_some() {
            let _ = writeln!(text, "body       {}", self.body.told());
        }
        let _ = write!(text, "{}", self.verdict());
        text
    }

    fn verdict(&self) -> String {
        let red = anstyle::AnsiColor::Red.on_default();
        let green = anstyle::AnsiColor::Green.on_default();
        match (&self.refusal, self.allowed) {
            (Some(Refused { status, reason, detail }), _) => {
                format!("{red}refused{red:#}    {reason} (status {status}): {detail}")
            }
            (None, Some(true)) => format!("{green}allowed{green:#}"),
            (None, Some(false)) => format!("{red}denied{red:#}"),
            (None, None) => String::new(),
        }
    }
}

impl Body {
    fn told(&self) -> String {
        match self {
            Self::NotGiven => NOT_GIVEN.to_owned(),
            Self::NotNeeded => "not read: nothing in it changes what this operation needs".to_owned(),
            Self::Covered => "not read: the scopes cover whatever it could name".to_owned(),
            Self::Read { bytes, not_understood: None } => format!("read, {bytes} bytes"),
            Self::Read { bytes, not_understood: Some(key) } => {
                format!("read, {bytes} bytes; not understood: {key:?}")
            }
        }
    }
}
