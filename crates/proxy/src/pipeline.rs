//! The way of a request. Read [`Proxy::handle`] first.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use audit::{AuditLog, Record};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use uuid::Uuid;

use crate::{
    admin::Readiness,
    authenticate,
    authorize::{self, AuthorizationError},
    body::{Progress, Watched},
    catalogue::{self, Names},
    classify, credential,
    decisions::{self, Decisions},
    gather::Gathered,
    handles::{self, HandleError, Told},
    headers,
    headers::text_value,
    inspect::Findings,
    intake::{self, REQUEST_ID, Received},
    listener::Peer,
    metrics::Metrics,
    rate_limits::{Asked, Standing},
    record::Entry,
    renewal,
    respond::{Addressed, DECISION_ID, Rejection, ResponseBody, needed_scope},
    snapshot::{Cluster, Limits, Snapshot},
    token_api,
    trace::{self, Tracer},
    wellknown,
};

/// The data plane: the configuration in force, the audit log, the metrics.
#[derive(Debug)]
pub struct Proxy {
    snapshot: ArcSwap<Snapshot>,
    audit: AuditLog,
    decisions: Arc<Decisions>,
    metrics: Arc<Metrics>,
    tracer: Tracer,
    stop: Arc<Stop>,
}

/// How far stopping has come.
#[derive(Debug, Default)]
pub struct Stop {
    draining: AtomicBool,
    cutting: AtomicBool,
}

impl Stop {
    /// Nothing new is accepted.
    pub fn begin(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What still runs is broken off.
    pub fn cut(&self) {
        self.cutting.store(true, Ordering::Release);
    }

    /// Whether nothing new is accepted.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether running requests are being broken off, by us and not by their clients.
    pub fn is_cutting(&self) -> bool {
        self.cutting.load(Ordering::Acquire)
    }
}

impl Proxy {
    /// Puts the parts together.
    pub fn new(snapshot: Snapshot, audit: AuditLog, metrics: Arc<Metrics>, tracer: Tracer) -> Arc<Self> {
        let decisions = Arc::new(Decisions::default());
        decisions.configure(snapshot.config().decisions.as_ref());
        let snapshot = ArcSwap::from_pointee(snapshot);
        Arc::new(Self { snapshot, audit, decisions, metrics, tracer, stop: Arc::default() })
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another configuration in force. Requests under way keep theirs.
    pub fn replace(&self, snapshot: Snapshot) {
        self.decisions.configure(snapshot.config().decisions.as_ref());
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Limits of the configuration in force.
    pub fn limits(&self) -> Limits {
        self.snapshot.load().limits()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The audit log.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// What can still be explained.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// How far stopping has come.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Sends what the tracer still holds back. Blocks for a few seconds at most, and needs the runtime to go on
    /// meanwhile: not to be called on one of its threads.
    pub fn tracer_shutdown(&self) {
        self.tracer.shutdown();
    }

    /// Whether requests are worth sending here.
    ///
    /// One provider and one cluster suffice, since a replica that serves some callers should not be taken away from
    /// them; what is missing is told all the same.
    pub fn readiness(&self) -> Readiness {
        let snapshot = self.snapshot.load();
        let mut problems = Vec::new();
        let mut provider_ready = false;
        for provider in snapshot.providers().status() {
            provider_ready |= provider.ready;
            if let Some(problem) = provider.problem() {
                problems.push(format!("provider {}: {problem}", provider.name));
            }
        }
        let mut cluster_ready = false;
        for cluster in snapshot.clusters() {
            let ready = cluster.upstream().is_ready();
            cluster_ready |= ready;
            if !ready {
                problems.push(format!("cluster {}: no healthy node", cluster.name()));
            }
            // Told, but no reason to take the engine away from its clients.
            if cluster.dashboards().is_some_and(|dashboards| !dashboards.upstream().is_ready()) {
                problems.push(format!("cluster {}: no healthy server of Dashboards", cluster.name()));
            }
        }
        let audit = self.audit.stats();
        if audit.failing {
            problems.push("audit: records cannot be written".to_owned());
        }
        let stopping = self.stop.is_draining();
        if stopping {
            problems.push("stopping: no new connections".to_owned());
        }
        Readiness { ready: provider_ready && cluster_ready && !audit.failing && !stopping, problems }
    }

    /// The life of a request.
    pub async fn handle(&self, peer: &Peer, request: Request<Incoming>) -> Response<ResponseBody> {
        let begun = Instant::now();
        let snapshot = self.snapshot.load_full();
        let mut entry = self.begin(peer, &request, begun).await;

        if snapshot.config().decisions.is_some() && decisions::owns(request.uri().path()) {
            return decisions::answer(&self.decisions, &snapshot, peer.address.ip(), request, entry).await;
        }
        if let Some(service) = snapshot.token_service().filter(|_| token_api::owns(request.uri().path())) {
            // Boxed, like the other long ways of few requests: every request's future has room for its longest way.
            let source = peer.address.ip();
            return Box::pin(token_api::answer(service, &snapshot, source, request, entry, &self.metrics))
                .await;
        }
        if let Some(response) = wellknown_answer(&snapshot, &request, &mut entry) {
            return respond_own(response, entry);
        }
        let received = match intake::receive(request, &snapshot) {
            Ok(received) => received,
            Err(error) => return Rejection::Intake(error).respond(entry, None),
        };
        let (cluster, destination) = (Arc::clone(&received.cluster), received.destination.clone());
        entry.cluster(&cluster);
        entry.destination(destination.kind());
        let mut standing = Standing::default();
        let run = self.run(&snapshot, &cluster, peer, received, &mut entry, &mut standing);
        let mut response = match run.await {
            Ok(forwarded) => forwarded.respond(entry, snapshot.limits().body_idle),
            Err(rejection) => {
                rejection.respond(entry, Some(Addressed { cluster: &cluster, destination: &destination }))
            }
        };
        standing.tell(response.headers_mut());
        response
    }

    /// From a received request to the engine's response head. Each step takes what the step before made. Where the caller stands
    /// under rate limits is left in `standing`, whatever becomes of the request.
    async fn run(
        &self,
        snapshot: &Snapshot,
        cluster: &Cluster,
        peer: &Peer,
        mut received: Received,
        entry: &mut Entry,
        standing: &mut Standing,
    ) -> Result<Forwarded, Rejection> {
        let source = peer.address.ip();
        let request_body = received.body.progress();
        entry.watch_request(Arc::clone(&request_body));
        let context = trace::take_context(&mut received.headers);
        let span = self.tracer.begin(&received.method, cluster.name(), context);
        span.inject(&mut received.headers);
        entry.trace(span);

        let classified = classify::classify(received).map_err(Rejection::Ambiguous)?;
        if let Ok(ask) = &classified.ask {
            entry.asks(ask);
        }
        let changes_names = classified
            .ask
            .as_ref()
            .is_ok_and(|ask| catalogue::changes_names(ask, &classified.received.method));
        let identified = authenticate::identify(classified, snapshot, source).await;
        let authenticated = identified.map_err(|unidentified| {
            let scope = unidentified.classified.ask.as_ref().ok().and_then(needed_scope);
            Rejection::Unauthenticated(unidentified.error, scope)
        })?;
        entry.principal(&authenticated.principal);
        let asked = Asked {
            principal: &authenticated.principal,
            token: &authenticated.token,
            cluster: cluster.name(),
            operation: authenticated.classified.ask.as_ref().ok().map(|ask| ask.operation),
        };
        let admitted;
        (*standing, admitted) = snapshot.rate_limits().admit(&asked, Instant::now());
        admitted.map_err(|exceeded| {
            self.metrics.rate_limited(&exceeded.rule);
            Rejection::RateLimited(exceeded)
        })?;
        let presented = handles::present(authenticated).await.map_err(|error| match error {
            HandleError::Broken(_) => Rejection::Body { stalled: request_body.stalled() },
            error => Rejection::Unauthorized(AuthorizationError::Handle(error)),
        })?;
        if let Some(names) = cluster.names() {
            names.settle().await;
        }
        let policies = snapshot.policies().map(|policies| (policies, source));
        let authorized = authorize::decide(presented, policies).map_err(Rejection::Unauthorized)?;
        entry.watch_policies(authorized.judge.clone());
        if let Some(targets) = &authorized.targets {
            entry.note(|record| record.targets = targets.to_vec());
        }
        let mut gathered = Gathered::new(authorized);
        let findings = gathered.findings();
        if let Some(findings) = &findings {
            entry.watch_findings(Arc::clone(findings));
        }
        let broken = |request_body: &Progress, findings: Option<Arc<Findings>>| match findings
            .filter(|findings| findings.stopped().is_some())
        {
            Some(findings) => Some(Rejection::Found(findings)),
            None if request_body.broken() => Some(Rejection::Body { stalled: request_body.stalled() }),
            None => None,
        };
        if let Err(error) = gathered.read().await {
            return Err(broken(&request_body, findings)
                .unwrap_or_else(|| Rejection::Internal(format!("the body: {error}"))));
        }
        let identity = credential::obtain(&gathered, source).await.map_err(Rejection::Identity)?;
        entry.allowed(gathered.permit(), &identity);
        let answering = gathered.answering.take();
        let credentialed = credential::apply(gathered, &identity, source, entry.request_id())
            .map_err(|error| Rejection::Internal(error.to_string()))?;

        let changing = cluster.names().filter(|_| changes_names).map(Names::changing);
        let destination = credentialed.destination().clone();
        let spare = credentialed.spare();
        let answer = cluster.upstream_of(&destination).send(credentialed).await.map_err(|error| {
            // What looks like the engine breaking off may be the client's body doing so, or what stands in it.
            broken(&request_body, findings.clone()).unwrap_or(Rejection::Upstream(error))
        })?;
        let (answer, renewed) = renewal::settle(cluster, &destination, &identity, spare, answer).await?;
        if let Some(renewed) = renewed {
            entry.renewed(renewed.name());
        }
        if answer.response.status().is_client_error()
            && let Some(changing) = changing
        {
            changing.failed();
        }
        if answer.response.status() == StatusCode::UNAUTHORIZED {
            entry.note(|record| {
                record.node = Some(answer.lease.node().to_owned());
                record.engine_status = Some(StatusCode::UNAUTHORIZED.as_u16());
            });
            let node = answer.lease.node().to_owned();
            return Err(Rejection::IdentityRefused { node, destination });
        }
        let wrapping = answering.map(|answering| answering.complete(findings.as_deref()));
        Ok(Forwarded { answer, wrapping, request_body })
    }

    async fn begin(&self, peer: &Peer, request: &Request<Incoming>, begun: Instant) -> Entry {
        let request_id = Uuid::new_v4().simple().to_string();
        let mut record = Record::begin(request_id, request.method().as_str(), request.uri().path());
        record.decision_id = self.decisions.mark(record.decision_id);
        record.http_version = match request.version() {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_11 => "HTTP/1.1",
            Version::HTTP_2 => "HTTP/2",
            _ => "unknown",
        }
        .into();
        // Under `when_full: wait` this is where a full audit queue holds requests back.
        let slot = self.audit.reserve().await;
        Entry::begin(record, slot, self.decisions.draft(), begun, peer, &self.metrics, &self.stop)
    }
}

/// An answer of the engine on its way to the client.
struct Forwarded {
    answer: crate::upstream::Answer,
    /// What wraps the handles in it.
    wrapping: Option<::handles::Wrapping<Arc<::handles::Keys>>>,
    request_body: Arc<Progress>,
}

impl Forwarded {
    fn respond(self, mut entry: Entry, body_idle: Duration) -> Response<ResponseBody> {
        let crate::upstream::Answer { response, lease, waited } = self.answer;
        let (mut head, body) = response.into_parts();
        headers::clean_response(&mut head.headers);
        head.headers.insert(REQUEST_ID, text_value(entry.request_id()));
        let body = Told::new(Watched::new(body, body_idle), &mut head.headers, self.wrapping);
        entry.answered(lease.node(), &head, waited, body.progress());
        entry.status(head.status);
        if head.status == StatusCode::FORBIDDEN {
            // The engine's own no passes through with its own words; the trail says whose it was.
            head.headers.insert(DECISION_ID, text_value(&entry.decision_id().to_string()));
            entry.note(|record| {
                record.layer = Some("engine".into());
                record.reason = Some("engine_denied".into());
                record.detail = Some("the engine refused it, in its own words".to_owned());
            });
        }
        let mut response = Response::new(ResponseBody::engine(body, lease, self.request_body, entry));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}

/// The answer to a request for resource metadata; needs no token (RFC 9728 §3).
fn wellknown_answer(
    snapshot: &Snapshot,
    request: &Request<Incoming>,
    entry: &mut Entry,
) -> Option<Result<Vec<u8>, StatusCode>> {
    let resource = wellknown::resource_path(request.uri().path())?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some(Err(StatusCode::METHOD_NOT_ALLOWED));
    }
    let host = intake::host(request.headers(), request.uri().authority(), request.version()).ok();
    let target = if resource.is_empty() { "/" } else { resource }.parse().ok();
    let found = host.zip(target).and_then(|(host, target)| snapshot.route(&host, &target));
    let Some(route) = found else {
        return Some(Err(StatusCode::NOT_FOUND));
    };
    if route.target.as_str() != "/" {
        return Some(Err(StatusCode::NOT_FOUND));
    }
    entry.cluster(&route.cluster);
    Some(wellknown::metadata(snapshot, &route).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR))
}

fn respond_own(answer: Result<Vec<u8>, StatusCode>, mut entry: Entry) -> Response<ResponseBody> {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(status) => (status, Vec::new()),
    };
    entry.note(|record| {
        record.decision = if status.is_success() { audit::Decision::Allow } else { audit::Decision::Deny };
        record.operation = Some("oauth.protected_resource_metadata".into());
        record.layer = (!status.is_success()).then(|| "request".into());
    });
    entry.status(status);
    let request_id = text_value(entry.request_id());
    let mut response = Response::new(ResponseBody::own(body, entry, audit::Outcome::Complete));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id);
    if status.is_success() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        // Metadata is public; browser-based clients read it across origins (RFC 9728 §3.1 names no restriction).
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}
