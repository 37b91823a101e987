//! The load by h2load. Bounded in time, on loopback only.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

/// How much longer than planned a tool may take before it is ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request over and over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Open connections.
    pub(super) connections: usize,
    /// Requests at once on each; more than one is HTTP/2.
    pub(super) streams: usize,
    /// Over TLS.
    pub(super) tls: bool,
    /// Path of the request.
    pub(super) path: &'a str,
    /// The bearer token.
    pub(super) token: &'a str,
    /// A file to be sent, as a bulk.
    pub(super) body: Option<&'a Path>,
    /// Requests a second over all connections; as many as go if `None`.
    pub(super) rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Requests that were answered as expected.
    pub(super) answered: u64,
    /// Requests a second.
    pub(super) rate: f64,
    /// From request to the end of the answer in µs, sorted; only at a fixed rate.
    pub(super) delays: Vec<u64>,
}

impl Outcome {
    /// The delay in µs that this share of the requests stayed under.
    pub(super) fn delay(&self, share: f64) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index of a list that fits into memory"
        )]
        let at = (self.delays.len() as f64 * share) as usize;
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a request")]
        self.delays.get(at).map(|delay| *delay as f64)
    }
}

/// Sends for `seconds`. Fails if anything was answered otherwise than with 2xx.
pub(super) async fn h2load(
    load: Load<'_>,
    to: SocketAddr,
    seconds: f64,
    folder: &Path,
) -> Result<Outcome, String> {
    let log = folder.join("h2load.log");
    // A leftover would be appended to.
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new("h2load");
    let scheme = if load.tls { "https" } else { "http" };
    command
        .args(["--threads", "1", "--clients", &load.connections.to_string()])
        .args(["--max-concurrent-streams", &load.streams.to_string()])
        .args(["--duration", &format!("{:.0}ms", seconds * 1e3)])
        .args(["--header", &format!("authorization: Bearer {}", load.token)]);
    if load.streams == 1 {
        command.arg("--h1");
    }
    if let Some(body) = load.body {
        command.arg("--data").arg(body).args(["--header", "content-type: application/x-ndjson"]);
    }
    if let Some(rate) = load.rate {
        #[expect(clippy::cast_precision_loss, reason = "some tens of connections")]
        let each = rate / load.connections as f64;
        command.args(["--rps", &format!("{each:.2}")]).arg("--log-file").arg(&log);
    }
    command.arg(format!("{scheme}://localhost:{}{}", to.port(), load.path));
    let said = output(command, seconds).await?;
    let number = |after: &str, name: &str| number_before(&said, after, name);
    let all = number("requests:", " done").ok_or_else(|| strange("h2load", &said))?;
    let answered = number("status codes:", " 2xx").ok_or_else(|| strange("h2load", &said))?;
    let failed = number("requests:", " failed").unwrap_or_default();
    if answered == 0 || answered < all || failed > 0 {
        return Err(format!(
            "{all} requests were done, {failed} failed and {answered} were answered with 2xx"
        ));
    }
    let rate = said
        .lines()
        .find(|line| line.starts_with("finished in"))
        .and_then(|line| line.split(", ").find_map(|part| part.strip_suffix(" req/s")?.parse().ok()));
    Ok(Outcome {
        answered,
        rate: rate.ok_or_else(|| strange("h2load", &said))?,
        delays: load.rate.map(|_| delays(&log)).unwrap_or_default(),
    })
}

/// The third column of h2load's log, sorted.
fn delays(log: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut delays: Vec<u64> =
        text.lines().filter_map(|line| line.split('\t').nth(2)?.parse().ok()).collect();
    delays.sort_unstable();
    delays
}

async fn output(mut command: Command, seconds: f64) -> Result<String, String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let limit = Duration::from_secs_f64(seconds) + PATIENCE;
    let ended = tokio::time::timeout(limit, command.output()).await;
    let output = ended
        .map_err(|_| format!("{program} did not end in time"))?
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(strange(&program, &said)) }
}

fn strange(program: &str, said: &str) -> String {
    format!("{program} said: {}", said.lines().last().unwrap_or_default())
}

/// In the line that begins with `line`: the number before `name`.
fn number_before(text: &str, line: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|found| found.strip_prefix(line))?;
    rest.split(',').find_map(|part| part.strip_suffix(name)?.trim().parse().ok())
}
