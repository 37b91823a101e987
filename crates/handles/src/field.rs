use crate::Kind;

/// A place in a JSON object where handles stand: the keys that lead to it from the top.
///
/// Arrays on the way do not count: `pits.pit_id` is in each object of the array `pits`, and `scroll_id` is a text or an
/// array of texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    /// The keys, outermost first.
    pub path: &'static [&'static str],
    /// What stands there.
    pub kind: Kind,
}

/// What is known of the fields at one point of a document.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Here {
    /// A text here is a handle of this kind.
    pub(crate) handle: Option<Kind>,
    /// An object here can hold one further in.
    pub(crate) deeper: bool,
}

impl Here {
    pub(crate) fn at(fields: &[Field], trail: &[&str]) -> Self {
        let mut here = Self::default();
        for field in fields {
            if field.path == trail {
                here.handle = Some(field.kind);
            } else if field.path.starts_with(trail) {
                here.deeper = true;
            }
        }
        here
    }
}
