//! Spans for an OpenTelemetry collector.

use std::{borrow::Cow, fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _,
        TracerProvider as _,
    },
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use transport::TlsOptions;

use super::TraceParent;

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Collectors answer with a few bytes.
const EXPORT_ANSWER: usize = 1024 * 1024;

/// Spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TracerError {
    /// The exporter's HTTP client.
    #[error("telemetry.otlp: no client for the collector")]
    Client(#[source] transport::TlsError),
    /// The exporter.
    #[error("telemetry.otlp: no exporter")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
}

pub(super) struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

pub(super) struct Recorded(opentelemetry_sdk::trace::Span);

impl Exporting {
    pub(super) fn new(settings: &config::model::Otlp) -> Result<Self, TracerError> {
        let client = transport::HttpClient::new(&TlsOptions::default(), None, EXPORT_TIMEOUT, EXPORT_ANSWER)
            .map_err(TracerError::Client)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { client, runtime: Handle::current() })
            .with_endpoint(settings.endpoint.as_str())
            .build()
            .map_err(TracerError::Exporter)?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_resource(Resource::builder().with_service_name(settings.service_name.clone()).build())
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer })
    }

    pub(super) fn begin(&self, method: &Method, cluster: &str, parent: Option<TraceParent>) -> Recorded {
        let context = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(SpanContext::new(
                TraceId::from_bytes(parent.trace_id.to_be_bytes()),
                SpanId::from_bytes(parent.span_id.to_be_bytes()),
                TraceFlags::new(parent.flags),
                true,
                TraceState::NONE,
            ))
        });
        let builder =
            self.tracer.span_builder(method.as_str().to_owned()).with_kind(SpanKind::Server).with_attributes(
                [
                    KeyValue::new("http.request.method", method.as_str().to_owned()),
                    KeyValue::new("opensearch.cluster.name", cluster.to_owned()),
                ],
            );
        Recorded(self.tracer.build_with_context(builder, &context))
    }

    pub(super) fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(EXPORT_TIMEOUT) {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

impl Recorded {
    pub(super) fn context(&self) -> TraceParent {
        let context = self.0.span_context();
        TraceParent {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            flags: context.trace_flags().to_u8(),
        }
    }

    pub(super) fn asked(&mut self, operation: &'static str) {
        self.0.set_attribute(KeyValue::new("db.operation.name", operation));
        self.0.update_name(Cow::Borrowed(operation));
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            self.0.set_status(Status::error(""));
        }
    }
}

impl fmt::Debug for Exporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporting").finish_non_exhaustive()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}

/// The exporter runs on a thread of its own, without a runtime; calls are made on ours.
#[derive(Debug)]
struct Client {
    client: transport::HttpClient,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let answer = self.runtime.spawn(async move { client.send(request).await }).await??;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
