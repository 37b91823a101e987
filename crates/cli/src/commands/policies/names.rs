//! What a misspelt name may have been meant to be.

use rest::Action;

/// As many are told.
const MOST: usize = 5;

/// Operations that are like `name`: by their last word, else by their letters. Actions too, if they count.
pub(super) fn like(name: &str, with_actions: bool) -> Option<String> {
    let mut known: Vec<&str> = rest::operations().iter().map(|operation| operation.name).collect();
    if with_actions {
        known.extend(Action::ALL.map(Action::as_str));
    }
    known.sort_unstable();
    known.dedup();
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let mut like: Vec<&str> = known.iter().copied().filter(|known| last(known) == last(name)).collect();
    // Many operations end in `get` and the like, which says nothing.
    if like.is_empty() || like.len() > MOST {
        like.clear();
        let far = |known: &&str| strsim::osa_distance(known, name);
        let nearest = known.iter().copied().min_by_key(far)?;
        // More than a third of the letters is no slip.
        if far(&nearest) * 3 <= name.chars().count() {
            like.push(nearest);
        }
    }
    let like: Vec<String> = like.iter().map(|name| format!("`{name}`")).collect();
    if like.is_empty() { None } else { Some(like.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_inventions_are_not() {
        let table = [
            ("serach", Some("`search`")),
            ("indices.delte", Some("`indices.delete`")),
            ("indices.health", Some("`cat.health`, `cluster.health`, `security.health`")),
            ("indices.git", Some("`indices.get`")),
            ("search_everything.get", None),
            ("reed", Some("`read`")),
            ("everything", None),
            ("x", None),
            ("", None),
        ];
        for (name, expected) in table {
            assert_eq!(like(name, true).as_deref(), expected, "{name}");
        }
        assert_eq!(like("reed", false), None);
    }
}
