//! Values with a form of their own: durations, sizes and secrets.

mod action;
mod byte_size;
mod claim_path;
mod duration;
mod read_file;
mod secret;

pub(crate) use self::{action::ActionForm, claim_path::ClaimPathForm, read_file::ReadFileForm};
pub use self::{
    byte_size::ByteSize,
    duration::Duration,
    secret::{MasterSecret, Secret},
};

/// What is wrong with a duration or a size.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// The text does not begin with digits.
    #[error("`{0}` does not begin with a whole number; write for example `{1}`")]
    NoNumber(String, &'static str),
    /// The unit is missing or unknown.
    #[error("`{text}` has no known unit; the units are {units}")]
    Unit {
        /// The text as it was written.
        text: String,
        /// The units that would do.
        units: &'static str,
    },
    /// The value does not fit.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Splits `text` into its leading digits, as a number, and the rest.
fn split<'a>(text: &'a str, example: &'static str) -> Result<(u64, &'a str), ValueError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    if digits.is_empty() {
        return Err(ValueError::NoNumber(text.to_owned(), example));
    }
    // All characters are digits, so the only way to fail is overflow.
    let number = digits.parse().map_err(|_| ValueError::TooLarge(text.to_owned()))?;
    Ok((number, unit))
}
