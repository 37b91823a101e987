//! How the story looks. Colours go where they can be shown and are left out elsewhere.

use anstyle::{AnsiColor, Style};

const TITLE: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const FAINT: Style = Style::new().dimmed();

/// Begins a step.
pub(super) fn title(number: usize, text: &str) {
    anstream::println!("\n{TITLE}{number}. {text}{TITLE:#}");
}

/// A heading outside the steps.
pub(super) fn heading(text: &str) {
    anstream::println!("\n{TITLE}{text}{TITLE:#}");
}

/// A command that does the same.
pub(super) fn command(text: &str) {
    anstream::println!("   {COMMAND}$ {text}{COMMAND:#}");
}

/// What came of it.
pub(super) fn outcome(text: &str) {
    anstream::println!("   {GOOD}✓{GOOD:#} {text}");
}

/// A detail, faint.
pub(super) fn detail(text: &str) {
    anstream::println!("     {FAINT}{text}{FAINT:#}");
}
