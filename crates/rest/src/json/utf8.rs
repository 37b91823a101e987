use super::JsonProblem;

/// Checks UTF-8 that comes in pieces: a character may be cut anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    /// The bytes of a character that is not whole yet.
    cut: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Checks the next bytes; an error carries where in `bytes` it is.
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
                return Err((at + error.valid_up_to(), JsonProblem::NotUtf8));
            }
            self.cut[..cut.len()].copy_from_slice(cut);
            self.length = cut.len();
        }
        Ok(())
    }
}
