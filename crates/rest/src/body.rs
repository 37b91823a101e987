//! Reading targets out of request bodies: streaming, in constant memory.

mod actions;
mod found;
mod inner;
mod lines;
mod plan;
mod reader;
mod refusal;
mod shapes;
mod walk;

pub use actions::ActionSet;
pub use plan::{BodyLimits, BodyPlan};
pub use reader::BodyReader;
pub use refusal::{BodyRefusal, LineProblem};

pub(crate) use plan::{Media, Unnamed};
pub(crate) use shapes::body as row;
