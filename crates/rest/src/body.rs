//! Reading targets out of request bodies: streaming, in constant memory.

mod actions;
mod found;
mod inner;
mod known;
mod lines;
mod plan;
mod reader;
mod refusal;
mod shapes;
mod surface;
mod walk;

pub use actions::ActionSet;
pub use plan::{BodyLimits, BodyPlan};
pub use reader::BodyReader;
pub use refusal::{BodyRefusal, LineProblem, MultipartProblem};
pub use surface::{SurfaceBody, SurfaceReader};

pub(crate) use plan::{EnginePlan, Media, Unnamed};
pub(crate) use shapes::body as row;
