//! `engine-setup`

use super::{Complaint, Failure};
use crate::cli::EngineSetup;

pub(super) fn run(_arguments: &EngineSetup) -> Result<(), Failure> {
    Err(Complaint("not there yet".to_owned()).into())
}
