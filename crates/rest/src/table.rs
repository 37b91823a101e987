//! The route table and the search in it.

use crate::operation::{Demand, Method, Operation, Place, Variable, VariableKind};
use crate::path::Segment;
use crate::{Action, Refusal};

/// One node of the trie of path templates.
#[derive(Debug)]
struct Node {
    /// Literal segments, sorted, with the node each leads to.
    literals: &'static [(&'static str, u16)],
    /// Where a variable leads.
    variable: Option<u16>,
    /// Operations whose template ends here, with their position in `OPERATIONS`.
    handlers: &'static [(Method, u16)],
}

include!(concat!(env!("OUT_DIR"), "/operations.rs"));

/// Every operation of the table.
pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

/// The engine's four passes over its routes, in its order. They differ in where a variable may match.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Pass {
    Literals,
    VariableFirst,
    VariableLast,
    VariableAnywhere,
}

const PASSES: [Pass; 4] = [Pass::Literals, Pass::VariableFirst, Pass::VariableLast, Pass::VariableAnywhere];

/// The operation that the engine will dispatch to.
pub(crate) fn find(method: &str, segments: &[Segment<'_>]) -> Result<&'static Operation, Refusal> {
    let method = Method::parse(method);
    let mut allowed = [false; Method::ALL.len()];
    let mut known = false;
    for pass in PASSES {
        let node = if segments.is_empty() { Some(&NODES[0]) } else { NODES[0].descend(segments, true, pass) };
        let Some(node) = node else { continue };
        if let Some(operation) = method.and_then(|method| node.handler(method)) {
            return Ok(operation);
        }
        known = true;
        for (allowed, method) in allowed.iter_mut().zip(Method::ALL) {
            *allowed |= node.handler(method).is_some();
        }
    }
    if !known {
        return Err(Refusal::UnknownOperation);
    }
    let methods = Method::ALL.iter().zip(allowed).filter(|(_, allowed)| *allowed);
    let allow: Vec<&str> = methods.map(|(method, _)| method.as_str()).collect();
    Err(Refusal::MethodNotAllowed { allow: allow.join(", ").into() })
}

impl Node {
    fn literal(&self, segment: &str) -> Option<&'static Self> {
        let at = self.literals.binary_search_by(|(literal, _)| (*literal).cmp(segment)).ok()?;
        Some(&NODES[usize::from(self.literals[at].1)])
    }

    fn variable(&self) -> Option<&'static Self> {
        self.variable.map(|at| &NODES[usize::from(at)])
    }

    /// HEAD is answered from the GET route where it has no route of its own.
    fn handler(&self, method: Method) -> Option<&'static Operation> {
        let exact = |method| self.handlers.iter().find(|(known, _)| *known == method);
        let found = exact(method).or_else(|| exact(Method::Get).filter(|_| method == Method::Head))?;
        Some(&OPERATIONS[usize::from(found.1)])
    }

    /// The node at which the template of `segments` ends, if one with operations does.
    ///
    /// Precedence is the engine's: a literal before a variable at each segment, a literal without operations
    /// gives way to a variable beside it where the pass allows variables at that point, and a dead end below a
    /// literal goes back to the variable. The engine stores a variable under the key `*`, so a segment `*`
    /// finds it as if it were a literal.
    fn descend(&self, segments: &[Segment<'_>], first: bool, pass: Pass) -> Option<&'static Self> {
        let (segment, rest) = segments.split_first()?;
        let last = rest.is_empty();
        let may_vary = match pass {
            Pass::Literals => false,
            Pass::VariableFirst => first,
            Pass::VariableLast => last,
            Pass::VariableAnywhere => true,
        };
        let starred = segment.raw == "*";
        let literal = if starred { self.variable() } else { self.literal(segment.raw) };
        let (node, by_variable) = match (literal, self.variable()) {
            (None, Some(variable)) if may_vary => (variable, true),
            (None, _) => return None,
            (Some(literal), Some(variable)) if literal.yields(first, last, pass) => (variable, true),
            (Some(literal), _) => (literal, starred),
        };
        if last {
            return (!node.handlers.is_empty()).then_some(node);
        }
        node.descend(rest, false, pass).or_else(|| {
            let again = !by_variable && pass != Pass::Literals;
            self.variable().filter(|_| again)?.descend(rest, false, pass)
        })
    }

    fn yields(&self, first: bool, last: bool, pass: Pass) -> bool {
        self.handlers.is_empty()
            && match pass {
                Pass::Literals => false,
                Pass::VariableFirst => first,
                Pass::VariableLast | Pass::VariableAnywhere => last,
            }
    }
}
