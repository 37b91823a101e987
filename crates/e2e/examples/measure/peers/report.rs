//! The figures and the page that tells them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use super::{
    peer::{Mode, Peer},
    scenario::Scenario,
};

/// Between these lines the command writes.
const BEGIN: &str = "<!-- written by `cargo xtask bench peers`: begin -->";
const END: &str = "<!-- written by `cargo xtask bench peers`: end -->";
/// The chart's file, beside the page.
const CHART: &str = "performance-peers.svg";
/// Absent from a table.
const NONE: &str = "–";

/// One measurement.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// CPU time of the peer in µs for a request; none of the direct connection.
    pub(super) cpu: Option<f64>,
    /// Requests a second.
    pub(super) rate: f64,
    /// Resident memory in KiB while all connections are open.
    pub(super) resident: Option<u64>,
    /// Delays in µs that half, 99 % and 99.9 % of the requests stayed under.
    pub(super) delays: [Option<f64>; 3],
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Figures {
    samples: BTreeMap<(Scenario, Peer), BTreeMap<usize, Sample>>,
    idle: BTreeMap<(Mode, usize), BTreeMap<Peer, u64>>,
    notes: BTreeSet<(Peer, String, String)>,
}

/// How it was measured.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub(super) rate: Option<f64>,
    pub(super) seconds: f64,
    pub(super) rounds: usize,
    pub(super) signature: Option<f64>,
}

/// A figure over the rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self { min: *values.first()?, median: *values.get(values.len() / 2)?, max: *values.last()? })
    }

    fn text(self, digits: usize) -> String {
        let Self { min, median, max } = self;
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

impl Figures {
    pub(super) fn add(&mut self, scenario: Scenario, peer: Peer, round: usize, sample: Sample) {
        self.samples.entry((scenario, peer)).or_default().insert(round, sample);
    }

    pub(super) fn idle(&mut self, peer: Peer, which: (Mode, usize), kib: u64) {
        self.idle.entry(which).or_default().insert(peer, kib);
    }

    /// Something could not be measured.
    pub(super) fn note(&mut self, peer: Peer, what: &str, why: &str) {
        let first = why.lines().next().unwrap_or_default();
        eprintln!("{peer}, {what}: {why}");
        self.notes.insert((peer, what.to_owned(), first.to_owned()));
    }

    fn spread(
        &self,
        scenario: Scenario,
        peer: Peer,
        figure: impl Fn(usize, &Sample) -> Option<f64>,
    ) -> Option<Spread> {
        let samples = self.samples.get(&(scenario, peer))?;
        Spread::of(samples.iter().filter_map(|(round, sample)| figure(*round, sample)))
    }

    /// CPU time in µs for a request.
    pub(super) fn cpu(&self, scenario: Scenario, peer: Peer) -> Option<Spread> {
        self.spread(scenario, peer, |_, sample| sample.cpu)
    }

    /// CPU time as a multiple of `base`'s in the same round.
    fn ratio(&self, scenario: Scenario, peer: Peer, base: Peer) -> Option<Spread> {
        let bases = self.samples.get(&(scenario, base))?;
        self.spread(scenario, peer, |round, sample| Some(sample.cpu? / bases.get(&round)?.cpu?))
    }

    /// Delay in µs beyond that of the direct connection in the same round.
    fn added(&self, peer: Peer, at: usize) -> Option<Spread> {
        let direct = self.samples.get(&(Scenario::Delay, Peer::Direct))?;
        self.spread(Scenario::Delay, peer, |round, sample| {
            Some(sample.delays[at]? - direct.get(&round)?.delays[at]?)
        })
    }
}

/// The tables, as Markdown.
pub(super) fn text(figures: &Figures, how: &Circumstances) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", machine(how));
    let _ = writeln!(text, "![CPU time for a request]({CHART})\n");
    let busy: Vec<Scenario> = Scenario::ALL.into_iter().filter(|it| *it != Scenario::Delay).collect();
    let mut by_scenario = |title: &str, peers: &[Peer], cell: &dyn Fn(Scenario, Peer) -> Option<String>| {
        let names: Vec<&str> = busy.iter().map(|scenario| scenario.name()).collect();
        let _ =
            writeln!(text, "{title}\n\n| | {} |\n|{}", names.join(" | "), " --- |".repeat(names.len() + 1));
        for peer in peers {
            let cells: Vec<String> =
                busy.iter().map(|it| cell(*it, *peer).unwrap_or_else(|| NONE.into())).collect();
            let _ = writeln!(text, "| {peer} | {} |", cells.join(" | "));
        }
        text.push('\n');
    };
    by_scenario(
        "CPU time for a request in µs, median (min–max) of the rounds:",
        &Peer::ALL[1..],
        &|it, peer| Some(figures.cpu(it, peer)?.text(0)),
    );
    by_scenario(
        "The same as a multiple of nginx's, which looks at no token:",
        &Peer::ALL[1..],
        &|it, peer| Some(figures.ratio(it, peer, Peer::Nginx)?.text(2)),
    );
    by_scenario("The same as a multiple of HAProxy's:", &Peer::ALL[1..], &|it, peer| {
        Some(figures.ratio(it, peer, Peer::Haproxy)?.text(2))
    });
    by_scenario(
        "Requests a second, median, with client and engine on the same cores:",
        &Peer::ALL,
        &|it, peer| Some(format!("{:.0}", figures.spread(it, peer, |_, sample| Some(sample.rate))?.median)),
    );
    delays(&mut text, figures, how);
    memory(&mut text, figures);
    if !figures.notes.is_empty() {
        text.push_str("Not measured:\n\n");
        for (peer, what, why) in &figures.notes {
            let _ = writeln!(text, "- {peer}, {what}: {why}");
        }
        text.push('\n');
    }
    text
}

fn delays(text: &mut String, figures: &Figures, how: &Circumstances) {
    let rate = how.rate.unwrap_or_default();
    let _ = writeln!(
        text,
        "Delay in µs beyond a direct connection's at {rate:.0} requests a second on 16 connections, which is half of what \
         this proxy reaches on 64:\n\n| | half stay under | 99 % | 99.9 % | requests a second |\n|{}",
        " --- |".repeat(5)
    );
    for peer in &Peer::ALL[1..] {
        let reached = figures.spread(Scenario::Delay, *peer, |_, sample| Some(sample.rate));
        let Some(reached) = reached else { continue };
        let cell = |at| figures.added(*peer, at).map_or_else(|| NONE.into(), |spread| spread.text(0));
        let _ =
            writeln!(text, "| {peer} | {} | {} | {} | {:.0} |", cell(0), cell(1), cell(2), reached.median);
    }
    text.push('\n');
}

fn memory(text: &mut String, figures: &Figures) {
    let _ = write!(
        text,
        "Memory: resident with 64 connections under load, and for one idle connection:\n\n| | 64"
    );
    for (mode, count) in figures.idle.keys() {
        let _ = write!(text, " | {count} idle{}", if *mode == Mode::Tls { ", TLS" } else { "" });
    }
    let _ = writeln!(text, " |\n|{}", " --- |".repeat(figures.idle.len() + 2));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    for peer in &Peer::ALL[1..] {
        let resident =
            figures.spread(Scenario::Many, *peer, |_, sample| Some(sample.resident? as f64 / 1024.0));
        let Some(resident) = resident else { continue };
        let _ = write!(text, "| {peer} | {} MiB", resident.text(1));
        for ((_, count), peers) in &figures.idle {
            match peers.get(peer) {
                Some(kib) => drop(write!(text, " | {:.1} KiB", *kib as f64 / *count as f64)),
                None => drop(write!(text, " | {NONE}")),
            }
        }
        text.push_str(" |\n");
    }
    text.push('\n');
}

/// Where and how it was measured.
fn machine(how: &Circumstances) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(", ");
    let signature = how.signature.map_or_else(String::new, |cost| {
        format!(" Checking the signature of such a token takes {cost:.0} µs here by itself.")
    });
    format!(
        "Measured on {} in {} rounds of {} s on {cores} virtual cores \"{}\"; load at the end: {load}. Tokens are RS256 of \
         2048 bits.{signature}",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        how.rounds,
        how.seconds,
        model.map_or("unknown", |(_, model)| model),
    )
}

/// Puts text and chart into the page.
pub(super) fn write(page: &Path, text: &str, chart: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", page.display());
    let old = std::fs::read_to_string(page).map_err(failed)?;
    let place = old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = place.ok_or_else(|| format!("{} has no place for the figures", page.display()))?;
    std::fs::write(page, format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim())).map_err(failed)?;
    std::fs::write(page.with_file_name(CHART), chart).map_err(failed)
}
