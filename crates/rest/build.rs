//! Compiles the tables of `data` into static ones: a wrong row is an error of the build, and nothing is parsed
//! at start.

#[path = "build/rows.rs"]
mod rows;
#[path = "build/shapes.rs"]
mod shapes;
#[path = "build/trie.rs"]
mod trie;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?;
    let out = Path::new(&out);

    let rows = rows::parse(&fs::read_to_string("data/operations.tsv")?)?;
    let trie = trie::build(&rows)?;
    fs::write(out.join("operations.rs"), format!("{}\n{}", rows::render(&rows), trie::render(&trie)))?;

    let operations: BTreeSet<&str> = rows.iter().map(|row| &*row.name).collect();
    let shapes = shapes::parse(&fs::read_to_string("data/shapes.tsv")?)?;
    let bodies = fs::read_to_string("data/bodies.tsv")?;
    let named_in_body = rows.iter().filter(|row| row.named_in_body()).map(|row| &*row.name).collect();
    shapes::check_unread(&fs::read_to_string("data/unread.tsv")?, &bodies, &named_in_body)?;
    let surfaces = fs::read_to_string("data/surfaces.tsv")?;
    let bodies = shapes.render_bodies(&bodies, &surfaces, &operations)?;
    fs::write(out.join("shapes.rs"), format!("{}\n{bodies}", shapes.render()))?;
    Ok(())
}
