//! What operations do to saved objects, in the words of the engine's operations on documents.

/// Operations with what they do. Where something is made, what is there can be overwritten.
const DEEDS: [(&str, &[&str]); 21] = [
    ("dashboards.objects.find", &["search"]),
    ("dashboards.objects.bulk_get", &["get"]),
    ("dashboards.objects.bulk_create", &["create", "update"]),
    ("dashboards.objects.bulk_update", &["update"]),
    ("dashboards.objects.export", &["search", "get"]),
    ("dashboards.objects.import", &["create", "update"]),
    ("dashboards.objects.resolve_import_errors", &["create", "update"]),
    ("dashboards.objects.get", &["get"]),
    ("dashboards.objects.create", &["create", "update"]),
    ("dashboards.objects.update", &["update"]),
    ("dashboards.objects.delete", &["delete"]),
    ("dashboards.management.find", &["search"]),
    ("dashboards.management.relationships", &["search", "get"]),
    ("dashboards.management.counts", &["search"]),
    ("dashboards.management.export", &["search", "get"]),
    ("dashboards.management.get", &["get"]),
    ("dashboards.legacy.export", &["search", "get"]),
    ("dashboards.legacy.import", &["create", "update"]),
    ("dashboards.workspaces.associate", &["update"]),
    ("dashboards.workspaces.dissociate", &["update"]),
    ("dashboards.workspaces.duplicate", &["create", "get"]),
];

/// What an operation does to the saved objects that it is for, as names of the engine's operations: `create`, `update`, `delete`, `get`,
/// `search`. Empty for one that is not for saved objects.
pub fn deeds(operation: &str) -> &'static [&'static str] {
    DEEDS.iter().find(|(name, _)| *name == operation).map_or(&[], |(_, deeds)| deeds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::table::{Kind, routes};

    #[test]
    fn operations_on_objects_are_those_that_do_something_to_them() {
        let of_objects = |kind| {
            matches!(
                kind,
                Kind::Objects
                    | Kind::Typed
                    | Kind::Create
                    | Kind::Find
                    | Kind::ById
                    | Kind::Listed
                    | Kind::Import
                    | Kind::Export
                    | Kind::Legacy
            )
        };
        let routes: BTreeSet<&str> = routes()
            .iter()
            .filter(|route| of_objects(route.kind))
            .map(|route| route.operation.name)
            .collect();
        assert_eq!(routes, DEEDS.iter().map(|(name, _)| *name).collect());
        for deed in DEEDS.iter().flat_map(|(_, deeds)| *deeds) {
            assert!(rest::operations().iter().any(|known| known.name == *deed), "{deed}");
        }
    }
}
