//! What is exchanged while clients ask without pause: none of them fails.

#![expect(clippy::expect_used, reason = "a client that is failed fails the test")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use e2e::{Session, StandIns, eventually};
use http::StatusCode;
use tokio::task::JoinSet;

/// As the stand-ins' configuration has it: keys that are unknown sooner than this after a fetch are not asked for.
const MIN_REFETCH_INTERVAL: Duration = Duration::from_secs(1);

/// Clients that ask until they are told to stop: some on one connection and with one token, others with both new each time.
struct Load {
    world: Arc<StandIns>,
    done: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

impl Load {
    fn start(world: &Arc<StandIns>) -> Self {
        let mut load = Self {
            world: Arc::clone(world),
            done: Arc::default(),
            served: Arc::default(),
            clients: JoinSet::new(),
        };
        for number in 0..6 {
            let (world, done, served) = (Arc::clone(world), Arc::clone(&load.done), Arc::clone(&load.served));
            load.clients.spawn(async move {
                let mut session = Session::open(&world.client("read:logs-*")).await;
                while !done.load(Ordering::Acquire) {
                    let reply = if number % 2 == 0 {
                        session.get("/logs-a/_search").await.expect("the connection lives")
                    } else {
                        world.client("read:logs-*").get("/logs-a/_search").await
                    };
                    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
                    served.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        load
    }

    /// Waits until so many more were served.
    async fn serve(&self, more: usize) {
        let enough = self.served.load(Ordering::Acquire) + more;
        eventually("clients are served", async || {
            (self.served.load(Ordering::Acquire) >= enough).then_some(())
        })
        .await;
    }

    /// Ends it. Each request was served and recorded, once.
    async fn end(self) {
        self.done.store(true, Ordering::Release);
        self.clients.join_all().await;
        let served = self.served.load(Ordering::Acquire);
        let records = self.world.proxy.audit().await;
        assert_eq!((records.len(), self.world.engine.seen().len()), (served, served));
        assert!(records.iter().all(|record| record["outcome"] == "complete" && record["status"] == 200));
    }
}

#[tokio::test]
async fn keys_rotated_at_the_provider_under_load_fail_nobody() {
    let world = Arc::new(StandIns::start().await);
    let load = Load::start(&world);
    load.serve(20).await;
    for number in 2..5 {
        let fetched = Instant::now();
        eventually("keys may be fetched again", async || {
            (fetched.elapsed() > MIN_REFETCH_INTERVAL).then_some(())
        })
        .await;
        let fetches = world.provider.fetches();
        world.provider.rotate_keeping(&format!("key-{number}"));
        eventually("the new key is fetched", async || (world.provider.fetches() > fetches).then_some(()))
            .await;
        load.serve(20).await;
        assert_eq!(world.provider.fetches(), fetches + 1, "once for all");
    }
    load.end().await;
}

#[tokio::test]
async fn certificates_replaced_under_load_fail_nobody() {
    let world = Arc::new(StandIns::start().await);
    let load = Load::start(&world);
    load.serve(20).await;
    let mut shown = vec![Session::open(&world.anonymous()).await.certificate().to_vec()];
    for _ in 0..10 {
        world.proxy.files().renew_certificate();
        world.proxy.reloader().try_reload().await.unwrap();
        let certificate = Session::open(&world.anonymous()).await.certificate().to_vec();
        assert!(!shown.contains(&certificate), "new connections see the new one");
        shown.push(certificate);
        load.serve(20).await;
    }
    load.end().await;
}
