//! What libFuzzer says of a run.

use std::fmt;

/// How far a run came, from where.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Progress {
    inputs: Option<u64>,
    at_first: Reached,
    at_last: Reached,
}

/// What the inputs of a corpus reach.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Reached {
    /// Branches.
    branches: u64,
    /// Branches by how often they were taken, and values that were compared.
    features: u64,
    /// Inputs.
    corpus: u64,
}

impl Progress {
    /// Of a log with `-print_final_stats=1`.
    pub(super) fn of(log: &str) -> Self {
        let reached: Vec<Reached> = log.lines().filter_map(Reached::of).collect();
        let tried = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        Self {
            inputs: tried.and_then(|number| number.trim().parse().ok()),
            // Before that, the corpus is still being read.
            at_first: log
                .lines()
                .filter(|line| line.contains("INITED"))
                .find_map(Reached::of)
                .unwrap_or_default(),
            at_last: reached.last().copied().unwrap_or_default(),
        }
    }
}

impl Reached {
    /// Such as `#12 NEW    cov: 34 ft: 56 corp: 7/89b lim: 4 exec/s: 0 rss: 38Mb`.
    fn of(line: &str) -> Option<Self> {
        let line = line.strip_prefix('#')?;
        let number = |name: &str| -> Option<u64> {
            let value = line.split_once(name)?.1.trim_start();
            value.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
        };
        Some(Self { branches: number(" cov:")?, features: number(" ft:")?, corpus: number(" corp:")? })
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, at_first, at_last } = self;
        match inputs {
            Some(inputs) => write!(f, "{inputs} inputs; ")?,
            None => f.write_str("broken off; ")?,
        }
        write!(f, "branches {} -> {}, ", at_first.branches, at_last.branches)?;
        write!(f, "features {} -> {}, ", at_first.features, at_last.features)?;
        write!(f, "corpus {} -> {}", at_first.corpus, at_last.corpus)
    }
}

/// The file with the input that a target failed on.
pub(super) fn reproducer(log: &str) -> Option<&str> {
    log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
#1\tpulse  cov: 3 ft: 3 corp: 1/1b exec/s: 0 rss: 40Mb
#3\tINITED cov: 12 ft: 13 corp: 2/5b exec/s: 0 rss: 41Mb
#9\tNEW    cov: 15 ft: 20 corp: 3/9b lim: 4 exec/s: 0 rss: 41Mb L: 4/4 MS: 1 ChangeBit-
#80\tDONE   cov: 16 ft: 22 corp: 4/13b lim: 4 exec/s: 40 rss: 42Mb
stat::number_of_executed_units: 80
";

    #[test]
    fn progress_is_from_the_corpus_as_it_was_to_its_end() {
        let progress = Progress::of(LOG).to_string();
        assert_eq!(progress, "80 inputs; branches 12 -> 16, features 13 -> 22, corpus 2 -> 4");
        assert_eq!(Progress::of("thread panicked"), Progress::default());
        assert!(Progress::of("").to_string().starts_with("broken off; branches 0 -> 0"));
    }

    #[test]
    fn the_input_of_a_failure_is_named() {
        let log = format!("{LOG}artifact_prefix='a/'; Test unit written to fuzz/artifacts/form/crash-1\n");
        assert_eq!(reproducer(&log), Some("fuzz/artifacts/form/crash-1"));
        assert_eq!(reproducer(LOG), None);
    }
}
