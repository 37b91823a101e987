//! What is going on, for the person who waits.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Several things that go on at once: moving lines on a terminal, plain lines elsewhere. Goes to standard error.
#[derive(Debug, Default)]
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Moving lines if standard error is a terminal.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Plain lines, wherever standard error goes.
    pub fn plain() -> Self {
        Self { bars: None }
    }

    /// Begins a line for the thing `name`.
    pub fn task(&self, name: &str) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let style =
                ProgressStyle::with_template("  {spinner:.cyan} {prefix:<11} {wide_msg} {elapsed:>4.dim}");
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Task { name: name.to_owned(), bar, start: Instant::now() }
    }

    /// Shows a line that stays.
    pub fn note(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| anstream::eprintln!("  {text}")),
            None => anstream::eprintln!("  {text}"),
        }
    }
}

/// One line of [`Progress`].
#[derive(Debug)]
pub struct Task {
    name: String,
    bar: Option<ProgressBar>,
    start: Instant,
}

impl Task {
    /// What is done now.
    pub fn say(&self, doing: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(doing.to_owned()),
            None => anstream::eprintln!("  {:<11} {doing}", self.name),
        }
    }

    /// A detail of what is done now, too small for a line of its own where lines stay.
    pub fn detail(&self, doing: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(doing.to_owned());
        }
    }

    /// It is done; the line stays with the time it took.
    pub fn done(&self, outcome: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        let line = format!("{outcome} after {seconds:.1} s");
        match &self.bar {
            Some(bar) => bar.finish_with_message(line),
            None => anstream::eprintln!("  {:<11} {line}", self.name),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar
            && !bar.is_finished()
        {
            bar.abandon();
        }
    }
}
