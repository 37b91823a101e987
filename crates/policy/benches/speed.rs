//! How fast policies are asked: `cargo bench -p policy`.
//!
//! Each figure is the best of several rounds, so that whatever else the machine does disturbs it least.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot run should say so at once")]

use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

use policy::{Asker, Circumstances, Kind, PolicySet, Source, Wish};
use rest::{Action, Resource};

const ROUNDS: u32 = 20;
/// Policies that are about one agent each.
const POLICIES: usize = 1000;

/// The best time for one of `count` runs.
fn best(count: u32, mut run: impl FnMut(u32)) -> Duration {
    let round = |run: &mut dyn FnMut(u32)| {
        let start = Instant::now();
        for number in 0..count {
            run(number);
        }
        start.elapsed() / count
    };
    (0..ROUNDS).map(|_| round(&mut run)).min().unwrap_or_default()
}

fn tell(name: &str, time: Duration) {
    println!("{name:<64} {:>10.2} µs", time.as_secs_f64() * 1e6);
}

fn main() {
    let mut text = String::new();
    for number in 0..POLICIES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "permit(principal == Agent::\"agent-{number}\", action in Action::\"read\", resource in Index::\"logs-{number}-*\");"
        );
    }
    text += "forbid(principal in Group::\"agents\", action, resource in Index::\"pii-*\");\n";
    let source = |text: &str| [Source { name: "bench".into(), text: text.to_owned() }];
    let begun = Instant::now();
    let plain = PolicySet::parse(&source(&text)).unwrap();
    println!(
        "{:<64} {:>10.2} ms",
        format!("read and validate {POLICIES} policies"),
        begun.elapsed().as_secs_f64() * 1e3
    );
    text += "forbid(principal, action, resource) unless { context.source.isLoopback() };\n";
    let circumstantial = PolicySet::parse(&source(&text)).unwrap();

    let groups = ["agents".into()];
    let ask = |set: &PolicySet, number: u32, index: &str| {
        let id = format!("agent-{}", number as usize % POLICIES);
        let asker = Asker { kind: Kind::Agent, id: &id, provider: "keycloak", groups: &groups };
        let on = Resource::Index(index.parse().unwrap());
        let wish = Wish { operation: "search", main: Action::Read, action: Action::Read, on: &on };
        let about = Circumstances::new("main", &id, "127.0.0.1".parse().unwrap());
        black_box(set.decide(&asker, &wish, &about));
    };
    // 4,000 names for each of 20 rounds are more than are kept.
    let mut fresh = 0_u64;
    tell(
        "a decision that was not made before",
        best(4000, |number| {
            fresh += 1;
            ask(&plain, number, &format!("logs-{number}-{fresh}"));
        }),
    );
    tell("a decision with circumstances", best(4000, |number| ask(&circumstantial, number, "logs-1-a")));
    tell("a decision that was made before", best(4000, |_| ask(&plain, 1, "logs-1-a")));
}
