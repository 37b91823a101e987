//! Where handles stand; the table is `data/places.tsv`.

use crate::{Field, Kind};

include!(concat!(env!("OUT_DIR"), "/places.rs"));

/// Where handles stand in the requests and answers of one operation.
#[derive(Debug, Eq, PartialEq)]
pub struct Places {
    /// The operation's name, as in `rest::Operation`.
    pub operation: &'static str,
    /// Where a request names the handles that it uses. All of these places count at once.
    pub used: &'static [Used],
    /// Where the answer tells handles.
    pub told: &'static [Told],
}

/// Where a request names a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Used {
    /// In a variable of the path.
    Variable {
        /// The variable's name.
        name: &'static str,
        /// What stands there.
        kind: Kind,
        /// Whether several may stand there, with commas between.
        several: bool,
    },
    /// In a query parameter.
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What stands there.
        kind: Kind,
        /// Whether several may stand there, with commas between.
        several: bool,
    },
    /// In the JSON body.
    Body(Field),
}

/// Where an answer tells a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Told {
    /// Where.
    pub field: Field,
    /// On what condition.
    pub when: When,
}

/// When an answer tells a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// It can with every answer.
    Always,
    /// When the request used one of the kind. What is told stands for the same, so it is to be wrapped under the reach of
    /// the one that was used.
    Given,
    /// When the query has this parameter.
    Parameter {
        /// Its name.
        name: &'static str,
        /// The value that it must have; `None`: any.
        value: Option<&'static str>,
    },
}

impl When {
    /// Whether an answer can tell a handle, given the decoded value of each query parameter and whether the request used a
    /// handle of the kind.
    pub fn is_met<T: PartialEq<&'static str>>(
        self,
        parameter: impl FnOnce(&str) -> Option<T>,
        given: bool,
    ) -> bool {
        match self {
            Self::Always => true,
            Self::Given => given,
            Self::Parameter { name, value: None } => parameter(name).is_some(),
            Self::Parameter { name, value: Some(value) } => {
                parameter(name).is_some_and(|given| given == value)
            }
        }
    }
}

impl Places {
    /// The fields of the request's body.
    pub fn in_body(&self) -> impl Iterator<Item = Field> {
        self.used.iter().filter_map(|used| match used {
            Used::Body(field) => Some(*field),
            Used::Variable { .. } | Used::Parameter { .. } => None,
        })
    }
}

/// Where handles stand with this operation; `None` when nowhere.
///
/// A request of such an operation that names no handle at any of the places uses none that can be judged: it keeps what
/// `rest` says that it needs.
pub fn places(operation: &str) -> Option<&'static Places> {
    let at = PLACES.binary_search_by(|places| places.operation.cmp(operation)).ok()?;
    Some(&PLACES[at])
}
