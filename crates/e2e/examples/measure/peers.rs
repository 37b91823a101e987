//! The proxy beside others that people put in front of an engine: same engine, same tokens, same load.
//!
//! All of them run from beginning to end, and the measurements of one kind follow each other closely, proxy by proxy, round
//! by round: what else the machine does then hits all alike.

mod chart;
mod idle;
mod load;
mod peer;
mod report;
mod scenario;
mod tokens;
mod upstream;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use e2e::{Client, ProxyFiles, StandInProvider};
use peer::{Mode, Peer, World};
use report::{Figures, Sample};
use scenario::{Kind, Scenario};
use testbed::Process;

use crate::usage::Tree;

/// How long a peer may take to start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Tokens, good or forged, of which each is sent once in a round.
const TOKENS: usize = 6_000;
const TOKENS_QUICK: usize = 1_500;
/// The share of its own highest rate at which this proxy's delay is measured, and all others' at the same rate.
const LOAD: f64 = 0.5;

/// What to measure, and with what.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The program of the proxy.
    pub(crate) proxy: PathBuf,
    /// Seconds of one measurement.
    pub(crate) seconds: f64,
    /// Rounds.
    pub(crate) rounds: usize,
    /// Folder of the peers that no package manager installs.
    pub(crate) peers: PathBuf,
    /// The page into which the figures go.
    pub(crate) page: Option<PathBuf>,
}

/// A peer that runs.
struct Running {
    process: Process,
    address: SocketAddr,
}

impl Running {
    fn usage(&self) -> Tree {
        Tree::of(self.process.id().pid)
    }
}

/// Measures everything, or tells what is in the way of all of it.
pub(crate) async fn run(plan: &Plan) -> ExitCode {
    let mut ends = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("signals can be waited for");
    tokio::select! {
        outcome = Box::pin(measure(plan)) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        // Dropping the measurement ends what it started.
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        _ = ends.recv() => ExitCode::from(143),
    }
}

async fn measure(plan: &Plan) -> Result<(), String> {
    if plan.rounds == 0 {
        return hold(plan).await;
    }
    let begun = Instant::now();
    println!("this takes about {} minutes", minutes(plan));
    let mut bench = Bench::new(plan).await?;
    bench.start_all().await;
    for round in 0..plan.rounds {
        for scenario in Scenario::ALL {
            bench.scenario(scenario, round).await;
        }
    }
    bench.idle().await;
    let text = report::text(&bench.figures, &bench.circumstances());
    print!("{text}");
    println!("\nmeasured in {:.1} minutes", begun.elapsed().as_secs_f64() / 60.0);
    if let Some(page) = &plan.page {
        report::write(page, &text, &chart::svg(&bench.figures))?;
        println!("written to {} and the chart beside it", page.display());
    }
    for process in bench.running.into_values() {
        process.process.stop().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Keeps everything running until it is interrupted, and tells how to send load: for a profiler.
async fn hold(plan: &Plan) -> Result<(), String> {
    let mut bench = Bench::new(plan).await?;
    bench.start_all().await;
    for ((peer, mode), running) in &bench.running {
        println!("{peer} ({mode:?}): process {}, {}", running.process.id().pid, running.address);
    }
    println!("the engine: {}", bench.engine);
    let upload = bench.upload.display();
    println!("bulk: {upload}");
    println!(
        "h2load --h1 -t 1 -c 64 -D 5 -H 'authorization: Bearer {}' http://ADDRESS{}",
        bench.token,
        scenario::PATH
    );
    std::future::pending().await
}

/// An estimate: each measurement with its tool's start, and the idle connections.
fn minutes(plan: &Plan) -> usize {
    const OVERHEAD: f64 = 0.25;
    const IDLE_AND_STARTS: f64 = 100.0;
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let count = (plan.rounds * Scenario::ALL.len() * Peer::ALL.len()) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
    let minutes = ((count * (plan.seconds + OVERHEAD) + IDLE_AND_STARTS) / 60.0).ceil() as usize;
    minutes
}

struct Bench<'a> {
    plan: &'a Plan,
    world: World,
    files: ProxyFiles,
    provider: StandInProvider,
    engine: SocketAddr,
    token: String,
    upload: PathBuf,
    running: BTreeMap<(Peer, Mode), Running>,
    figures: Figures,
    /// Requests a second at which delays are measured.
    rate: Option<f64>,
}

impl<'a> Bench<'a> {
    async fn new(plan: &'a Plan) -> Result<Self, String> {
        let (provider, files) = (StandInProvider::start().await, ProxyFiles::new());
        let engine =
            upstream::start().await.map_err(|error| format!("the stand-in of the engine: {error}"))?;
        let folder = files.path("");
        let written = peer::write_files(&folder, &provider.jwk(), &provider.public_key());
        written.map_err(|error| format!("{}: {error}", folder.display()))?;
        let upload = folder.join("bulk.ndjson");
        std::fs::write(&upload, scenario::bulk()).map_err(|error| error.to_string())?;
        let world = World {
            folder,
            proxy: plan.proxy.clone(),
            peers: plan.peers.clone(),
            engine: engine.port(),
            issuer: provider.issuer(),
        };
        let token = provider.build_token().claim("scope", scenario::SCOPE);
        let token = token.claim("exp", scenario::expiry()).sign();
        let (running, figures) = (BTreeMap::new(), Figures::default());
        Ok(Self { plan, world, files, provider, engine, token, upload, running, figures, rate: None })
    }

    async fn start_all(&mut self) {
        for peer in Peer::ALL.into_iter().filter(|peer| *peer != Peer::Direct) {
            for mode in [Mode::Clear, Mode::Tls] {
                match self.start(peer, mode).await {
                    Ok(running) => drop(self.running.insert((peer, mode), running)),
                    Err(why) => self.figures.note(peer, "all", &why),
                }
            }
        }
    }

    async fn start(&self, peer: Peer, mode: Mode) -> Result<Running, String> {
        let free =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = free.local_addr().map_err(|error| error.to_string())?;
        drop(free);
        let command = peer.command(&self.world, mode, address.port())?;
        let log = self.world.folder.join(format!("{peer:?}-{}.log", address.port()));
        let mut process =
            Process::spawn(&peer.to_string(), command, &log).map_err(|error| error.to_string())?;
        let answers = async || match mode {
            Mode::Clear => idle::ask(address, &self.token).await.map(drop),
            Mode::Tls => idle::ask_tls(&self.client(address), &self.token).await.map(drop),
        };
        process.wait_until(START_LIMIT, answers).await.map_err(|error| error.to_string())?;
        Ok(Running { process, address })
    }

    fn client(&self, address: SocketAddr) -> Client {
        Client::new(address, &self.files.ca())
    }

    /// One round of one scenario, over all peers.
    async fn scenario(&mut self, scenario: Scenario, round: usize) {
        let count = if self.plan.rounds > 1 { TOKENS } else { TOKENS_QUICK };
        let tokens = match scenario.kind() {
            Kind::Steady(_) | Kind::Delay => Vec::new(),
            Kind::Cold => scenario::fresh_tokens(&self.provider, round, count),
            Kind::Forged => scenario::forged_tokens(&self.token, round, count),
        };
        for peer in Peer::ALL {
            if !scenario.suits(peer) {
                continue;
            }
            match self.sample(peer, scenario, &tokens).await {
                Ok(Some(sample)) => self.figures.add(scenario, peer, round, sample),
                // Not running, which has been noted.
                Ok(None) => {}
                Err(why) => self.figures.note(peer, scenario.name(), &why),
            }
        }
    }

    async fn sample(
        &mut self,
        peer: Peer,
        scenario: Scenario,
        tokens: &[String],
    ) -> Result<Option<Sample>, String> {
        let mode = if scenario.tls() { Mode::Tls } else { Mode::Clear };
        let (address, usage) = match (peer, self.running.get(&(peer, mode))) {
            (Peer::Direct, _) => (self.engine, None),
            (_, Some(running)) => (running.address, Some(running.usage())),
            (_, None) => return Ok(None),
        };
        let before = usage.map(Tree::cpu);
        let sending = self.send(scenario, tokens, address);
        let looking = async {
            // Towards the end, while all connections are open.
            tokio::time::sleep(Duration::from_secs_f64(self.plan.seconds * 0.8)).await;
            usage.map(Tree::resident)
        };
        let (outcome, resident) = match scenario {
            Scenario::Many => tokio::join!(sending, looking),
            _ => (sending.await, None),
        };
        let outcome = outcome?;
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let cpu =
            usage.zip(before).map(|(usage, before)| (usage.cpu() - before) * 1e6 / outcome.answered as f64);
        if (peer, scenario) == (Peer::Ours, Scenario::Many) {
            self.rate.get_or_insert(outcome.rate * LOAD);
        }
        Ok(Some(Sample {
            cpu,
            rate: outcome.rate,
            resident,
            delays: [0.5, 0.99, 0.999].map(|share| outcome.delay(share)),
        }))
    }

    async fn send(
        &self,
        scenario: Scenario,
        tokens: &[String],
        to: SocketAddr,
    ) -> Result<load::Outcome, String> {
        let folder = &self.world.folder;
        let steady = match scenario.kind() {
            Kind::Cold => return tokens::send(tokens, "200", to).await,
            Kind::Forged => return tokens::send(tokens, "401", to).await,
            Kind::Steady(steady) => steady,
            Kind::Delay => scenario::DELAYED,
        };
        let load = load::Load {
            connections: steady.connections,
            streams: steady.streams,
            tls: scenario.tls(),
            path: steady.path,
            token: &self.token,
            body: steady.uploads.then_some(&*self.upload),
            rate: matches!(scenario.kind(), Kind::Delay).then_some(self.rate).flatten(),
        };
        load::h2load(load, to, self.plan.seconds, folder).await
    }

    /// Memory of idle connections, each peer started anew.
    async fn idle(&mut self) {
        let measured: Vec<_> = self.running.keys().copied().collect();
        for (peer, mode) in measured {
            let running = match self.start(peer, mode).await {
                Ok(running) => running,
                Err(why) => {
                    self.figures.note(peer, "all", &why);
                    continue;
                }
            };
            let (address, token) = (running.address, self.token.clone());
            match mode {
                Mode::Clear => {
                    let ask = async || idle::ask(address, &token).await;
                    self.idle_of(peer, mode, running.usage(), &[1_000, 10_000], ask).await;
                }
                Mode::Tls => {
                    let client = self.client(address);
                    let ask = async || idle::ask_tls(&client, &token).await;
                    self.idle_of(peer, mode, running.usage(), &[1_000], ask).await;
                }
            }
        }
    }

    async fn idle_of<S>(
        &mut self,
        peer: Peer,
        mode: Mode,
        usage: Tree,
        counts: &[usize],
        mut ask: impl AsyncFnMut() -> Result<S, String>,
    ) {
        let before = usage.resident();
        let mut held = Vec::new();
        for &count in counts {
            if let Err(why) = idle::open(&mut held, count, &mut ask).await {
                self.figures.note(peer, &format!("{count} idle connections"), &why);
                return;
            }
            self.figures.idle(peer, (mode, count), usage.resident().saturating_sub(before));
        }
    }

    fn circumstances(&self) -> report::Circumstances {
        report::Circumstances {
            rate: self.rate,
            seconds: self.plan.seconds,
            rounds: self.plan.rounds,
            signature: scenario::signature_cost(&self.provider, &self.token),
        }
    }
}
