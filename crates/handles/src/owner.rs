use aws_lc_rs::hmac::Context;

/// Who made a handle.
///
/// The subject alone is unique within its provider only, and one user may act through several clients, of which one
/// must not use the handles of another. So all four parts belong to it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Owner {
    provider: Box<[u8]>,
    subject: Box<[u8]>,
    client_id: Option<Box<[u8]>>,
    user_id: Option<Box<[u8]>>,
}

impl Owner {
    /// The configured name of the provider, the subject, the client that the token was issued to, and the user on whose
    /// behalf it acts. An absent part differs from an empty one.
    pub fn new(provider: &[u8], subject: &[u8], client_id: Option<&[u8]>, user_id: Option<&[u8]>) -> Self {
        Self {
            provider: provider.into(),
            subject: subject.into(),
            client_id: client_id.map(Into::into),
            user_id: user_id.map(Into::into),
        }
    }

    pub(crate) fn sign(&self, context: &mut Context) {
        part(context, &self.provider);
        part(context, &self.subject);
        for optional in [&self.client_id, &self.user_id] {
            match optional {
                None => context.update(&[0]),
                Some(bytes) => {
                    context.update(&[1]);
                    part(context, bytes);
                }
            }
        }
    }
}

/// Signs one part with its length before it, so that no two sequences of parts sign alike.
pub(crate) fn part(context: &mut Context, bytes: &[u8]) {
    context.update(&(bytes.len() as u64).to_be_bytes());
    context.update(bytes);
}
