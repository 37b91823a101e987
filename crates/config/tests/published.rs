//! Files of this repository that are made from the model must equal what the model gives.
//!
//! Run with `UPDATE_PUBLISHED=1` to write them anew.

use std::{env, fs, path::Path};

fn same(path: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if env::var_os("UPDATE_PUBLISHED").is_some() {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&path, generated).expect("the file can be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == generated,
        "{} is out of date: run `UPDATE_PUBLISHED=1 cargo test -p config --test published` and commit it",
        path.display(),
    );
}

#[test]
fn schema_is_published() {
    let mut text = serde_json::to_string_pretty(&config::schema()).expect("a schema is JSON");
    text.push('\n');
    same("schema/config.schema.json", &text);
}
