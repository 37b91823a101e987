//! The schema in `schema/` is the one that policies are held against.

use std::path::Path;

#[test]
fn the_published_schema_is_the_one_in_force() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/policies.cedarschema");
    let schema = policy::schema::text();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema,
        "run again with UPDATE_EXPECTED=1, and look at what changed in {}",
        path.display()
    );
}
