//! The threads of the data plane, one for each core. A connection stays with the thread that it was given to, and that
//! thread has connections to the engine of its own: nothing of a request has to be told from core to core.
//!
//! Why not one runtime that moves tasks between threads: `docs/decisions/0024-a-runtime-for-each-core.md`.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

use crate::pipeline::Proxy;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// How many workers there are: one for each core that the process may use.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The number of the worker whose thread this is, from 0; 0 on every other thread.
pub(crate) fn index() -> usize {
    INDEX.get()
}

/// A connection that was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Its other end.
    pub(crate) address: SocketAddr,
    /// Its place among those that may be open.
    pub(crate) slot: OwnedSemaphorePermit,
}

/// The workers. Their runtimes, and with them what requests have left to be done, end when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers(Box<[Worker]>);

#[derive(Debug)]
struct Worker {
    /// Where its connections come from; `None` once no more come.
    queue: Option<mpsc::UnboundedSender<Accepted>>,
    open: Arc<AtomicUsize>,
    drained: Option<oneshot::Receiver<()>>,
    /// Dropped when the runtime may end.
    release: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// One connection of a worker's, counted until dropped.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts the threads. `serve` serves one connection to its end. Once [`Self::drain`] was called, connections have
    /// `drain` to end before they are cut.
    ///
    /// # Errors
    ///
    /// When the system has no thread or file to spare.
    pub(crate) fn start<F>(
        proxy: &Arc<Proxy>,
        drain: Duration,
        serve: impl Fn(Accepted) -> F + Clone + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let workers = (0..count()).map(|index| Worker::start(index, Arc::clone(proxy), drain, serve.clone()));
        workers.collect::<io::Result<_>>().map(Self)
    }

    /// Gives a connection to the worker that has the fewest.
    pub(crate) fn give(&self, accepted: Accepted) {
        let least = self.0.iter().min_by_key(|worker| worker.open.load(Ordering::Relaxed));
        let Some((worker, queue)) = least.and_then(|worker| Some((worker, worker.queue.as_ref()?))) else {
            return;
        };
        worker.open.fetch_add(1, Ordering::Relaxed);
        if queue.send(accepted).is_err() {
            tracing::error!("a connection was closed since the thread that should serve it has failed");
        }
    }

    /// Waits until every connection has ended or was cut.
    pub(crate) async fn drain(&mut self) {
        for worker in &mut self.0 {
            worker.queue = None;
        }
        for worker in &mut self.0 {
            if let Some(drained) = worker.drained.take() {
                // A worker that is gone has no connections either.
                let _ = drained.await;
            }
        }
    }
}

impl Worker {
    fn start<F>(
        index: usize,
        proxy: Arc<Proxy>,
        drain: Duration,
        serve: impl Fn(Accepted) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (queue, accepted) = mpsc::unbounded_channel();
        let (has_drained, drained) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let open = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            INDEX.set(index);
            runtime.block_on(async move {
                work(accepted, &counting, &proxy, drain, serve).await;
                // Nobody may be waiting for the end.
                let _ = has_drained.send(());
                let _ = released.await;
            });
        })?;
        let (queue, drained, release) = (Some(queue), Some(drained), Some(release));
        Ok(Self { queue, open, drained, release, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue = None;
        self.release = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the data plane failed");
        }
    }
}

async fn work<F>(
    mut queue: mpsc::UnboundedReceiver<Accepted>,
    open: &Arc<AtomicUsize>,
    proxy: &Proxy,
    drain: Duration,
    serve: impl Fn(Accepted) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = queue.recv() => accepted,
        };
        let Some(accepted) = accepted else { break };
        let (serving, open) = (serve(accepted), Open(Arc::clone(open)));
        connections.spawn(async move {
            let _open = open;
            serving.await;
        });
    }
    let ended = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(connections = connections.len(), "cutting the connections that did not end in time");
        proxy.stop().cut();
        connections.shutdown().await;
    }
}
