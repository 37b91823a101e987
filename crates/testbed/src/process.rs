//! Servers as child processes: started, watched, and stopped by their id.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Result, TestbedError};

/// How often is looked whether a process ended or a server is ready.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// How long a server may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(30);

/// A process, told from a later one that happens to get the same id by the time it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (proc(5), field 22 of `/proc/PID/stat`).
    pub started: u64,
}

impl ProcessId {
    fn of(pid: u32) -> Option<Self> {
        let (state, started) = stat(pid)?;
        (state != 'Z').then_some(Self { pid, started })
    }

    /// Whether it still runs.
    pub fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Asks it to end, waits, and kills it if it does not end within 30 s. Does nothing if it ended already.
    pub async fn stop(self) -> Result<()> {
        for (signal, patience) in [("TERM", GRACE), ("KILL", Duration::from_secs(5))] {
            if !self.is_running() {
                return Ok(());
            }
            send(signal, &self.pid.to_string());
            let deadline = Instant::now() + patience;
            while self.is_running() && Instant::now() < deadline {
                tokio::time::sleep(POLL).await;
            }
        }
        if self.is_running() { Err(TestbedError::StillRunning { pid: self.pid }) } else { Ok(()) }
    }
}

/// State and start time of a process. The name before them may hold blanks and parentheses.
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Sends a signal to a process, or to a group of processes if the id has a minus sign, with the shell's built-in
/// `kill`, which is present wherever a shell is.
fn send(signal: &str, target: &str) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", signal, target])
        .stderr(Stdio::null())
        .status();
    // A process that ended meanwhile cannot be signalled: the caller looks whether it is gone.
    drop(sent);
}

/// A running server. Killed when dropped, unless [released](Process::release).
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Option<Child>,
    id: ProcessId,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in the file `log`, in a process group of its own so that an interrupt at the
    /// terminal reaches only us, and we stop it in order.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::create(log).map_err(TestbedError::file("write", log))?;
        let errors = output.try_clone().map_err(TestbedError::file("write", log))?;
        let mut child =
            command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0).spawn().map_err(
                |source| TestbedError::Start {
                    program: command.get_program().to_string_lossy().into_owned(),
                    source,
                },
            )?;
        let Some(id) = ProcessId::of(child.id()) else {
            let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(ended(name, &status, log));
        };
        Ok(Self { name: name.to_owned(), child: Some(child), id, log: log.to_owned() })
    }

    /// Its identity, for stopping it later from another program.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Where its output is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails if it ended, with the last lines of its output.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => Err(ended(&self.name, &status.to_string(), &self.log)),
            _ => Ok(()),
        }
    }

    /// Calls `ready` until it yields `Ok`, while the process runs and at most for `limit`. `ready` says in words what
    /// is still missing.
    pub async fn wait_until<F>(&mut self, limit: Duration, mut ready: F) -> Result<()>
    where
        F: AsyncFnMut() -> std::result::Result<(), String>,
    {
        let start = Instant::now();
        loop {
            self.ensure_running()?;
            let Err(last) = ready().await else { return Ok(()) };
            if start.elapsed() >= limit {
                return Err(TestbedError::NotReady {
                    what: self.name.clone(),
                    after: limit,
                    last,
                    tail: tail(&self.log),
                    log: self.log.clone(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until it ends by itself.
    pub async fn wait(mut self) -> Result<ExitStatus> {
        loop {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => {
                    self.child = None;
                    return Ok(status);
                }
                Some(Ok(None)) => tokio::time::sleep(POLL).await,
                Some(Err(source)) => {
                    return Err(TestbedError::Start { program: self.name.clone(), source });
                }
                None => return Err(ended(&self.name, "already waited for", &self.log)),
            }
        }
    }

    /// Asks it to end and waits until it did; kills it if it does not end within 30 s.
    pub async fn stop(mut self) -> Result<()> {
        let stopped = self.id.stop().await;
        if stopped.is_ok()
            && let Some(mut child) = self.child.take()
        {
            drop(child.wait());
        }
        stopped
    }

    /// Leaves it running when this program ends; the identity is what is left to stop it.
    pub fn release(mut self) -> ProcessId {
        self.child = None;
        self.id
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The whole group: a script may have started the program that does the work.
            send("KILL", &format!("-{}", child.id()));
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Runs a set-up command to its end; fails with the last lines of its output.
pub(crate) async fn run(name: &str, command: Command, log: &Path) -> Result<()> {
    let status = Process::spawn(name, command, log)?.wait().await?;
    if status.success() { Ok(()) } else { Err(ended(name, &status.to_string(), log)) }
}

fn ended(what: &str, status: &str, log: &Path) -> TestbedError {
    TestbedError::Ended {
        what: what.to_owned(),
        status: status.to_owned(),
        tail: tail(log),
        log: log.to_owned(),
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_process_that_ends_early_is_told_with_its_last_lines() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        let error =
            run("the server", shell("echo one; echo two >&2; exit 3"), &log).await.unwrap_err().to_string();
        for part in ["the server ended early", "exit status: 3", "one\ntwo", "log"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[tokio::test]
    async fn stop_ends_it_and_a_second_stop_is_no_error() {
        let temp = tempfile::tempdir().unwrap();
        let process = Process::spawn("x", shell("exec sleep 600"), &temp.path().join("log")).unwrap();
        let id = process.id();
        assert!(id.is_running());
        process.stop().await.unwrap();
        assert!(!id.is_running());
        id.stop().await.unwrap();
    }

    #[tokio::test]
    async fn drop_kills_what_was_started_and_release_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        let dropped = Process::spawn("x", shell("exec sleep 600"), &log).unwrap();
        let id = dropped.id();
        drop(dropped);
        assert!(!id.is_running());

        let id = Process::spawn("x", shell("exec sleep 600"), &log).unwrap().release();
        assert!(id.is_running());
        id.stop().await.unwrap();
        assert!(!id.is_running());
    }

    #[tokio::test]
    async fn drop_kills_what_a_script_started_too() {
        let temp = tempfile::tempdir().unwrap();
        let log = temp.path().join("log");
        let mut script = Process::spawn("x", shell("sleep 600 & echo $!; wait"), &log).unwrap();
        let printed = async || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            text.trim().parse::<u32>().map(drop).map_err(|error| error.to_string())
        };
        script.wait_until(GRACE, printed).await.unwrap();
        let inner = fs::read_to_string(&log).unwrap().trim().parse().unwrap();
        let inner = ProcessId::of(inner).unwrap();
        drop(script);
        let deadline = Instant::now() + GRACE;
        while inner.is_running() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        assert!(!inner.is_running());
    }

    #[test]
    fn another_process_with_the_same_id_is_not_ours() {
        let own = ProcessId::of(std::process::id()).unwrap();
        assert!(own.is_running());
        assert!(!ProcessId { started: own.started + 1, ..own }.is_running());
    }

    #[tokio::test]
    async fn what_is_missing_is_told_when_it_takes_too_long() {
        let temp = tempfile::tempdir().unwrap();
        let mut process = Process::spawn("x", shell("exec sleep 600"), &temp.path().join("log")).unwrap();
        let error = process.wait_until(Duration::ZERO, async || Err("no door".to_owned())).await.unwrap_err();
        assert!(error.to_string().contains("no door"), "{error}");
    }
}
