//! Compiles `data/operations.tsv` into static tables: a wrong row is an error of the build, and nothing is
//! parsed at start.

#[path = "build/rows.rs"]
mod rows;
#[path = "build/trie.rs"]
mod trie;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const DATA: &str = "data/operations.tsv";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DATA}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let rows = rows::parse(&fs::read_to_string(DATA)?)?;
    let trie = trie::build(&rows)?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?;
    let source = format!("{}\n{}", rows::render(&rows), trie::render(&trie));
    fs::write(Path::new(&out).join("operations.rs"), source)?;
    Ok(())
}
