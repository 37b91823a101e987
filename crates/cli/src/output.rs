//! Printing: for people or as JSON, and how times are told.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::Output;
use crate::error::{Error, Result};

/// Where a command prints. What people read goes to standard output; with `--output json` that holds one JSON value
/// and nothing else, and the rest goes to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    output: Output,
}

impl Ui {
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }

    pub(crate) fn is_json(self) -> bool {
        matches!(self.output, Output::Json)
    }

    /// A line about what is going on.
    pub(crate) fn say(self, line: &str) -> Result<()> {
        if self.is_json() { written(writeln!(anstream::stderr(), "{line}")) } else { print(line) }
    }

    /// The result: `value` for programs, the lines of `text` for people.
    pub(crate) fn result(self, value: &impl Serialize, text: &str) -> Result<()> {
        if self.is_json() {
            let json = serde_json::to_string_pretty(value)
                .map_err(|error| Error::outside(format!("the result cannot be written as JSON: {error}")))?;
            print(&json)
        } else {
            print(text)
        }
    }
}

/// A line about something that did not go well but does not end the command.
pub(crate) fn warn(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(anstream::stderr(), "⚠️  {line}");
}

/// Shows that something is waited for, until dropped. Only on a terminal.
pub(crate) fn waiting(what: String) -> Waiting {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    Waiting(bar)
}

/// A sign of life on the terminal; gone when dropped.
#[derive(Debug)]
pub(crate) struct Waiting(ProgressBar);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Asks a question on the terminal. `None` when there is nobody to ask.
pub(crate) fn confirm(question: &str) -> Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut stderr = anstream::stderr();
    written(write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()))?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::outside(format!("the answer cannot be read: {error}")))?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout();
    written(writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush()))
}

fn written(result: io::Result<()>) -> Result<()> {
    match result {
        // `opensearch-auth … | head` is nothing to complain about.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Error::outside(format!("the output cannot be written: {error}"))),
    }
}

/// A duration in its largest unit, as in `8h`.
pub(crate) fn rough(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    if seconds < 60 {
        return format!("{seconds}s");
    }
    // Rounded to the minute first: what lasts eight hours is not told as seven a moment later.
    let minutes = (seconds + 30) / 60;
    match minutes {
        0..60 => format!("{minutes}m"),
        60..2880 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1440),
    }
}

/// A time in RFC 3339, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Scopes as people see them: without those that only ask OpenID Connect for an ID token and its claims.
pub(crate) fn shown_scopes(scopes: &[String]) -> String {
    const OPENID: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];
    let shown: Vec<String> = scopes
        .iter()
        .filter(|scope| !OPENID.contains(&scope.as_str()))
        .map(|scope| crate::error::printable(scope))
        .collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_their_largest_unit() {
        let table = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (299, "5m"),
            (3599, "1h"),
            (28_799, "8h"),
            (28_800, "8h"),
            (22_000, "6h"),
            (86_400, "24h"),
            (86_400 * 2, "2d"),
            (86_400 * 30, "30d"),
        ];
        for (seconds, expected) in table {
            assert_eq!(rough(SignedDuration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn scopes_of_openid_connect_are_not_shown() {
        let scopes = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            shown_scopes(&scopes("openid read:logs-* email read:metrics-*")),
            "read:logs-*, read:metrics-*"
        );
        assert_eq!(shown_scopes(&scopes("openid")), "none");
    }

    #[test]
    fn moments_to_the_second() {
        let at: Timestamp = "2024-01-16T10:00:00.123456Z".parse().unwrap();
        assert_eq!(moment(at), "2024-01-16T10:00:00Z");
    }
}
