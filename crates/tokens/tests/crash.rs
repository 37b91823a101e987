//! A process that issues, rotates and revokes without pause is killed at many points of its work. Whatever it had
//! acknowledged is there afterwards, each time.
//!
//! The kill is SIGKILL, so the machine lives on: this shows that nothing acknowledged waits in the memory of the process. That it is on
//! the disk is up to `fsync`, which the store calls before it acknowledges.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use access::Scope;
use jiff::Timestamp;
use serde_json::Map;
use tokens::{
    Asked, Claims, Credential, Decision, EmbeddedStore, Grounds, Party, Policies, Presented, RevocationOrder,
    Revoked, Rotation, Secret, Settings, Status, Terms, TokenId, Tokens,
};

const ROUNDS: usize = 25;
const CHILD: &str = "--work-until-killed";

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match arguments.iter().position(|argument| argument == CHILD) {
        Some(at) => runtime.block_on(work(Path::new(&arguments[at + 1]))),
        None => runtime.block_on(kill_again_and_again()),
    }
}

async fn open(path: &Path) -> Tokens {
    let store = EmbeddedStore::open(path).unwrap();
    Tokens::open(Arc::new(store), Settings::default()).await.unwrap()
}

/// The process that is killed. Says what it has done, after it was acknowledged.
async fn work(path: &Path) {
    let tokens = open(path).await;
    let mut said = io::stdout();
    for number in 0.. {
        let issued = tokens.issue(terms(), grounds(), now()).await.unwrap();
        let id = &issued.token.id;
        writeln!(said, "issued {id} {}", issued.secret.expose()).unwrap();
        match number % 4 {
            0 => {
                tokens.revoke(id, decision()).await.unwrap();
                writeln!(said, "revoked {id}").unwrap();
            }
            1 => {
                let rotation = Rotation { overlap: Duration::ZERO, max_lifetime: Duration::from_secs(3600) };
                let new = tokens.rotate(id, rotation, decision()).await.unwrap().issued;
                writeln!(said, "rotated {id} {} {}", new.token.id, new.secret.expose()).unwrap();
            }
            2 => {
                let of = Revoked::Jti(id.as_str().into());
                let order = RevocationOrder { of, issuer: None, issued_before: None, until: None };
                tokens.revoke_provider_tokens(order, decision()).await.unwrap();
                writeln!(said, "banned {id}").unwrap();
            }
            _ => {
                tokens.maintain(now()).await.unwrap();
            }
        }
        issued.token.touch(now(), None);
    }
}

/// What was acknowledged in all rounds.
#[derive(Default)]
struct Acknowledged {
    secrets: BTreeMap<String, String>,
    ended: BTreeSet<String>,
    successors: BTreeMap<String, String>,
    banned: BTreeSet<String>,
}

async fn kill_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.redb");
    let mut acknowledged = Acknowledged::default();
    for round in 0..ROUNDS {
        let (mut child, mut lines) = start(&path);
        // A different point each time: after so many answers, and some way into the work that follows.
        for line in lines.by_ref().take(1 + round * 3 % 17) {
            acknowledged.note(&line.unwrap());
        }
        std::thread::sleep(Duration::from_micros(u64::try_from(round * 733 % 6000).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts, too. A line that broke off was not said.
        for line in lines {
            acknowledged.note(&line.unwrap());
        }
        acknowledged.check(&open(&path).await, round);
    }
    println!(
        "killed {ROUNDS} times: {} tokens, {} ended, {} rotated, {} provider tokens revoked; nothing was lost",
        acknowledged.secrets.len(),
        acknowledged.ended.len(),
        acknowledged.successors.len(),
        acknowledged.banned.len(),
    );
}

fn start(path: &Path) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .arg(CHILD)
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match *words {
            ["issued", id, secret] if Secret::parse(secret).is_ok() => {
                self.secrets.insert(id.into(), secret.into());
            }
            ["revoked", id] if id.parse::<TokenId>().is_ok() => {
                self.ended.insert(id.into());
            }
            ["rotated", old, new, secret] if Secret::parse(secret).is_ok() => {
                self.ended.insert(old.into());
                self.secrets.insert(new.into(), secret.into());
                self.successors.insert(old.into(), new.into());
            }
            ["banned", id] if id.parse::<TokenId>().is_ok() => {
                self.banned.insert(id.into());
            }
            _ => {}
        }
    }

    fn check(&self, tokens: &Tokens, round: usize) {
        for (id, secret) in &self.secrets {
            let token = tokens.find_by_secret(&Secret::parse(secret).unwrap());
            let token = token.unwrap_or_else(|| panic!("round {round}: {id} was issued and is lost"));
            assert_eq!(token.id.as_str(), id);
            if self.ended.contains(id) {
                assert_eq!(token.status(now()), Status::Revoked, "round {round}: {id} was revoked");
            }
            if let Some(successor) = self.successors.get(id) {
                assert_eq!(
                    token.rotated_to.as_ref().map(TokenId::as_str),
                    Some(&**successor),
                    "round {round}"
                );
            }
        }
        for id in &self.banned {
            let credential =
                Credential { issuer: "i", subject: "s", client_id: None, jti: Some(id), issued_at: None };
            assert!(
                tokens.is_revoked(&credential).is_some(),
                "round {round}: {id} was revoked at the provider"
            );
        }
        // A rotation that was not acknowledged happened whole or not at all.
        let every = tokens.list(&tokens::Filter::default(), tokens::Sort::default(), usize::MAX, None, now());
        for token in &every.tokens {
            if let Some(successor) = &token.rotated_to {
                let successor =
                    tokens.get(successor).unwrap_or_else(|| panic!("round {round}: half a rotation"));
                assert_eq!(successor.rotated_from.as_ref(), Some(&token.id));
            }
        }
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn party() -> Party {
    Party { provider: "p".into(), issuer: "i".into(), subject: "s".into(), client_id: None, user: None }
}

fn decision() -> Decision {
    Decision::new(party(), None, now()).unwrap()
}

fn grounds() -> Grounds {
    Grounds {
        presenter: party(),
        presented: Presented::default(),
        claims: Claims::new(&Map::new()).unwrap(),
        act: None,
        clusters: vec![],
        through: None,
    }
}

fn terms() -> Terms {
    let scopes: Vec<Scope> = vec!["read:logs-*".parse().unwrap()];
    let rules = access::ClusterRules { name: "main".into(), audience: None, only_cluster: true };
    let mapper = access::Mapper::new(vec![], rules, true).unwrap();
    let policies = Policies {
        default_lifetime: Duration::from_secs(3600),
        max_lifetime: Duration::from_secs(3600),
        policies: vec![],
    };
    let asked = Asked { scopes: Some(scopes), ..Asked::default() };
    let bearer = access::ScopesOnly(vec!["read:logs-*"]);
    policies.judge(asked, &bearer, &[&mapper.rights(&bearer)]).unwrap()
}
