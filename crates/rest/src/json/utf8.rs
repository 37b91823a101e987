use super::JsonProblem;

/// Checks UTF-8 that comes in pieces: a character may be cut anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    /// The bytes of a character that is not whole yet.
    cut: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Checks the next bytes; an error carries where in `bytes` it is. What stands before that may still be read.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), (usize, JsonProblem)> {
        let mut at = 0;
        while self.length > 0 && at < bytes.len() {
            self.cut[self.length] = bytes[at];
            self.length += 1;
            at += 1;
            match std::str::from_utf8(&self.cut[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() && self.length < self.cut.len() => {}
                Err(_) => return Err((at - 1, JsonProblem::NotUtf8)),
            }
        }
        let rest = &bytes[at..];
        if let Err(error) = std::str::from_utf8(rest) {
            let cut = &rest[error.valid_up_to()..];
            if error.error_len().is_some() {
                let wrong = at + error.valid_up_to() + first_wrong(cut);
                return Err((wrong, JsonProblem::NotUtf8));
            }
            self.cut[..cut.len()].copy_from_slice(cut);
            self.length = cut.len();
        }
        Ok(())
    }
}

/// The first byte with which these are no beginning of a character any more.
fn first_wrong(bytes: &[u8]) -> usize {
    let wrong = |length: &usize| {
        std::str::from_utf8(&bytes[..*length]).is_err_and(|error| error.error_len().is_some())
    };
    (1..=bytes.len()).find(wrong).unwrap_or(1) - 1
}
