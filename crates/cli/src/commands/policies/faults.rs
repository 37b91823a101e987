//! Faults in policies and cases, as they are told.

use policy::Fault;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::output::Ui;

/// Shows faults and ends the command with them.
pub(super) fn told(ui: Ui, faults: &[Fault]) -> Result<()> {
    let shown: Vec<String> = faults.iter().map(|fault| format!("❌ {}", fault.in_its_line())).collect();
    let values: Vec<Value> = faults.iter().map(value).collect();
    ui.result(&json!({ "faults": values }), &shown.join("\n"))?;
    match faults.len() {
        0 => Ok(()),
        1 => Err(Error::refused("1 fault was found")),
        several => Err(Error::refused(format!("{several} faults were found"))),
    }
}

/// What a fault does not have is left out.
fn value(fault: &Fault) -> Value {
    let mut value = json!({ "file": fault.source, "message": fault.message });
    if let Some(place) = &fault.place {
        value["line"] = json!(place.line);
        value["column"] = json!(place.column);
    }
    if let Some(help) = &fault.help {
        value["help"] = json!(help);
    }
    value
}
