//! What a process and its children use, read from /proc (Linux only).

use std::collections::HashMap;

/// The unit of CPU times in /proc; the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process with all that it started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    root: u32,
}

/// What is needed of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    ticks: u64,
}

impl Tree {
    /// The tree below the process `root`.
    pub(crate) fn of(root: u32) -> Self {
        Self { root }
    }

    /// User and system time so far, in seconds, that of children that have ended included.
    #[expect(clippy::cast_precision_loss, reason = "a few million ticks")]
    pub(crate) fn cpu(self) -> f64 {
        let ticks: u64 = self.members().iter().filter_map(|pid| Some(stat(*pid)?.ticks)).sum();
        ticks as f64 / TICKS_PER_SECOND
    }

    /// Resident memory in KiB: what each process has for itself, and the shared pages of that which shares the most. So
    /// it does not matter what else runs of the same program.
    pub(crate) fn resident(self) -> u64 {
        let (mut private, mut shared) = (0, 0);
        for pid in self.members() {
            let rollup = format!("/proc/{pid}/smaps_rollup");
            let of = |key| field(&rollup, key).unwrap_or_default();
            let own = of("Private_Clean:") + of("Private_Dirty:");
            private += own;
            shared = of("Rss:").saturating_sub(own).max(shared);
        }
        private + shared
    }

    /// The most that the first process has had resident, in KiB.
    pub(crate) fn peak(self) -> u64 {
        field(&format!("/proc/{}/status", self.root), "VmHWM:").unwrap_or_default()
    }

    fn members(self) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parents: HashMap<u32, u32> = pids.filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
        let mut members = vec![self.root];
        let mut next = 0;
        while let Some(parent) = members.get(next).copied() {
            members.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        members
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; what follows begins with the third field (proc_pid_stat(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // utime, stime, cutime, cstime.
    let ticks = (11..=14).filter_map(number).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

/// A line of a file of /proc, in KiB.
fn field(path: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
