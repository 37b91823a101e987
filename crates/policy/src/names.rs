//! What a misspelt name may have been meant to be.

use rest::Action;

/// As many are told.
const MOST: usize = 5;

/// Operations that are like `name`, as a list of quoted names: by their last word, else by their letters.
pub fn operations_like(name: &str) -> Option<String> {
    like(name, rest::operations().iter().map(|operation| operation.name).collect())
}

/// Operations and groups of them that are like `name`.
pub(crate) fn actions_like(name: &str) -> Option<String> {
    let groups = Action::ALL.map(Action::as_str);
    like(name, rest::operations().iter().map(|operation| operation.name).chain(groups).collect())
}

fn like(name: &str, mut known: Vec<&str>) -> Option<String> {
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
            assert_eq!(actions_like(name).as_deref(), expected, "{name}");
        }
        assert_eq!(operations_like("reed"), None);
    }
}
