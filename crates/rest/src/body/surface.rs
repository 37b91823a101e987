//! Bodies of other surfaces than the engine's, for a [`super::BodyPlan`] and a [`super::BodyReader`] to stand for.

use std::fmt::Debug;

use smallvec::SmallVec;

use super::{BodyLimits, BodyRefusal};
use crate::Need;

/// What a body of another surface must be read for.
pub trait SurfaceBody: Debug + Send + Sync {
    /// See [`super::BodyPlan::everything`]. Not empty.
    fn everything(&self) -> SmallVec<[Need; 2]>;
    /// A reader for one body.
    fn reader(&self, limits: BodyLimits) -> Box<dyn SurfaceReader>;
}

/// Reads one body of another surface. The contract is that of [`super::BodyReader`], which keeps a refusal once there
/// is one.
pub trait SurfaceReader: Debug + Send + Sync {
    /// Reads the next bytes and adds what they were found to need.
    fn feed(&mut self, bytes: &[u8], found: &mut Vec<Need>) -> Result<(), BodyRefusal>;
    /// The body has ended.
    fn finish(self: Box<Self>, found: &mut Vec<Need>) -> Result<(), BodyRefusal>;
    /// See [`super::BodyReader::not_understood`].
    fn not_understood(&self) -> Option<&str> {
        None
    }
}
