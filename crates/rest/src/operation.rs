use std::fmt;

use crate::Action;

/// One operation of the engine: a method on a path, and what it demands.
///
/// The engine's operations come from the table; other surfaces may declare their own as `static`s.
#[derive(Debug, Eq, PartialEq)]
pub struct Operation {
    /// The operation's name in the OpenSearch API specification, e.g. `search` or `indices.create`.
    pub name: &'static str,
    /// The method of this route.
    pub method: Method,
    /// The path template, e.g. `/{index}/_search`.
    pub path: &'static str,
    /// What the operation mainly does.
    pub action: Action,
    /// Where its main target is named.
    pub place: Place,
    /// All that it demands; the first belongs to `action` and `place`.
    pub demands: &'static [Demand],
    /// The variables of the path, left to right.
    pub variables: &'static [Variable],
    /// Notes of the table: `dsl` (the body is query DSL that can look up other indices), or a reason.
    pub remark: &'static str,
}

impl Operation {
    /// Whether the body is query DSL, which can look up other indices (terms lookup and the like).
    pub fn takes_dsl(&self) -> bool {
        self.remark.split_whitespace().next().is_some_and(|word| word == "dsl" || word == "dsl;")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// An action, and where the thing it is done to is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Demand {
    /// What is done.
    pub action: Action,
    /// To what.
    pub on: Place,
}

/// Where a request names what it touches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// An index expression in this segment of the path (counted from 0).
    Path {
        /// Position of the segment.
        segment: usize,
    },
    /// No index can be named or none is: all of them.
    All,
    /// The body can name any index.
    Body,
    /// A handle stands for indices that were named earlier.
    Handle,
    /// The text of a query language names them.
    QueryLanguage,
    /// The cluster itself.
    Cluster,
    /// OpenSearch Dashboards.
    Dashboards,
    /// The named plugin's own objects.
    Plugin(&'static str),
    /// Nothing in particular.
    Greeting,
}

/// A variable of a path template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Variable {
    /// Name in the template.
    pub name: &'static str,
    /// Position of the segment, from 0.
    pub segment: usize,
    /// What may stand there.
    pub kind: VariableKind,
}

/// What may stand in a variable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VariableKind {
    /// An index expression.
    Index,
    /// A document's id: any text.
    Id,
    /// The name of another object.
    Name,
}

/// The methods that the engine registers routes for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// Every method, in the order of an `Allow` header.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The method as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Methods are case-sensitive (RFC 9110, section 9.1).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
