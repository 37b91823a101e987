use thiserror::Error;

use crate::{ExpressionProblem, PathProblem, QueryProblem};

/// Why a request is not judged at all. `Display` says what is wrong and the cure.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// The path could be read in more than one way.
    #[error("the path is refused: {0}")]
    Path(#[from] PathProblem),
    /// The query could be read in more than one way.
    #[error("the query is refused: {0}")]
    Query(#[from] QueryProblem),
    /// A parameter is given twice; parsers disagree on which one counts.
    #[error("the query parameter {name:?} is given more than once: give it once")]
    DuplicateParameter {
        /// The decoded name, shortened.
        name: Box<str>,
    },
    /// An access token in the query (RFC 6750, section 2.3), where it would be logged.
    #[error("the query holds access_token: send the token in the Authorization header (Bearer)")]
    TokenInQuery,
    /// A body in the query.
    #[error("the query holds source or source_content_type: send the body as the body of the request")]
    SourceInQuery,
    /// A target in the query.
    #[error("the query parameter {name:?} names a target: name it in the path instead, as in /{{index}}/…")]
    TargetInQuery {
        /// The parameter.
        name: Box<str>,
    },
    /// A query parameter that shadows a variable of the path.
    #[error("the query parameter {name:?} has the name of a variable of the path {path}: remove it")]
    VariableInQuery {
        /// The parameter.
        name: &'static str,
        /// The template of the matched route.
        path: &'static str,
    },
    /// The index expression is not one.
    #[error("the index expression {element:?} is refused: {problem}")]
    Expression {
        /// What is wrong with it.
        problem: ExpressionProblem,
        /// The element of the list, decoded and shortened.
        element: Box<str>,
    },
    /// A parameter without which it is not known what is asked.
    #[error("the query parameter {name:?} is missing or empty: give it once")]
    ParameterMissing {
        /// The parameter.
        name: &'static str,
    },
    /// A tenant of Dashboards in the query, where the proxy's rule about tenants would not see it.
    #[error("the query parameter {name:?} chooses a tenant: choose it in the header securitytenant")]
    TenantInQuery {
        /// The parameter.
        name: Box<str>,
    },
    /// Dashboards would send the request to another cluster, with credentials of its own.
    #[error(
        "{name:?} sends the request to another cluster through a data source: this proxy serves none, remove it"
    )]
    DataSource {
        /// The parameter.
        name: Box<str>,
    },
    /// No row of the table.
    #[error(
        "no known operation of OpenSearch has this path: check the spelling; operations that this proxy does \
         not know are refused"
    )]
    UnknownOperation,
    /// The path has operations, but none with this method.
    #[error("this path has no operation with this method: use {allow}")]
    MethodNotAllowed {
        /// The methods of the path, as in an `Allow` header (RFC 9110, section 10.2.1).
        allow: Box<str>,
    },
}

impl Refusal {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownOperation | Self::DataSource { .. } => 403,
            Self::MethodNotAllowed { .. } => 405,
            _ => 400,
        }
    }

    /// A stable label for metrics, audit records and clients.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Path(_) => "path_not_canonical",
            Self::Query(_) => "query_not_canonical",
            Self::DuplicateParameter { .. } => "query_duplicate",
            Self::TokenInQuery => "token_in_query",
            Self::SourceInQuery => "source_in_query",
            Self::TargetInQuery { .. } => "target_in_query",
            Self::VariableInQuery { .. } => "variable_in_query",
            Self::Expression { .. } => "index_expression",
            Self::ParameterMissing { .. } => "parameter_missing",
            Self::TenantInQuery { .. } => "tenant_in_query",
            Self::DataSource { .. } => "data_source",
            Self::UnknownOperation => "unknown_operation",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
        }
    }

    /// The value of the `Allow` header that must go with status 405.
    pub fn allow(&self) -> Option<&str> {
        match self {
            Self::MethodNotAllowed { allow } => Some(allow),
            _ => None,
        }
    }
}
