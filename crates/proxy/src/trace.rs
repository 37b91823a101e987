//! W3C trace context: read, checked and passed on; and spans of our own where a collector is configured.

mod export;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

pub use self::export::TracerError;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A `traceparent` (W3C Trace Context, level 1, §3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: u128,
    /// The caller's span.
    pub span_id: u64,
    /// Trace flags; bit 0 means that the caller records.
    pub flags: u8,
}

impl TraceParent {
    /// Reads the header; `None` unless it is exactly of version 00's form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let well_formed = version == "00"
            && parts.next().is_none()
            && lower_hex(trace, 32)
            && lower_hex(span, 16)
            && lower_hex(flags, 2);
        if !well_formed {
            return None;
        }
        let parent = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (parent.trace_id != 0 && parent.span_id != 0).then_some(parent)
    }

    /// The trace id as the audit record has it.
    pub fn trace_id_text(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header's text.
    pub fn text(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// The caller's trace context. A malformed or repeated `traceparent` is removed with its `tracestate`, as the
/// specification asks (§4.3), so that it cannot confuse what reads it next.
pub fn take_context(headers: &mut HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let parent = match (values.next(), values.next()) {
        (None, _) => return None,
        (Some(value), None) => value.to_str().ok().and_then(TraceParent::parse),
        (Some(_), Some(_)) => None,
    };
    if parent.is_none() {
        headers.remove(TRACEPARENT);
        headers.remove(TRACESTATE);
    }
    parent
}

/// Makes `parent` the context that the engine sees.
pub fn put_context(headers: &mut HeaderMap, parent: &TraceParent) {
    if let Ok(value) = HeaderValue::from_str(&parent.text()) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Makes a span a request when a collector is configured, and otherwise only passes the caller's context on.
#[derive(Debug)]
pub struct Tracer(Option<export::Exporting>);

/// The span of one request; ends when dropped.
#[derive(Debug)]
pub struct Span {
    context: Option<TraceParent>,
    recorded: Option<export::Recorded>,
}

impl Tracer {
    /// Passes contexts on, records nothing.
    pub fn passing() -> Self {
        Self(None)
    }

    /// Sends spans to an OTLP/HTTP collector. To be called inside the runtime that makes the calls.
    pub fn exporting(settings: &config::model::Otlp) -> Result<Self, TracerError> {
        export::Exporting::new(settings).map(|exporting| Self(Some(exporting)))
    }

    /// Begins the span of a request.
    pub fn begin(&self, method: &Method, cluster: &str, parent: Option<TraceParent>) -> Span {
        match &self.0 {
            None => Span { context: parent, recorded: None },
            Some(exporting) => {
                let recorded = exporting.begin(method, cluster, parent);
                Span { context: Some(recorded.context()), recorded: Some(recorded) }
            }
        }
    }

    /// Sends what is still held back. Blocks for a few seconds at most.
    pub fn shutdown(&self) {
        if let Some(exporting) = &self.0 {
            exporting.shutdown();
        }
    }
}

impl Span {
    /// Makes this span the parent of what the engine does.
    pub fn inject(&self, headers: &mut HeaderMap) {
        if let (Some(context), Some(_)) = (&self.context, &self.recorded) {
            put_context(headers, context);
        }
    }

    /// The trace id for the audit record.
    pub fn trace_id(&self) -> Option<String> {
        self.context.as_ref().map(TraceParent::trace_id_text)
    }

    /// Notes what is asked.
    pub fn asked(&mut self, operation: &'static str) {
        if let Some(recorded) = &mut self.recorded {
            recorded.asked(operation);
        }
    }

    /// Notes the status the client gets.
    pub fn answered(&mut self, status: StatusCode) {
        if let Some(recorded) = &mut self.recorded {
            recorded.answered(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_counts() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::parse(good).map(|parent| parent.text()).as_deref(), Some(good));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_repeated_context_is_dropped() {
        let mut headers = HeaderMap::new();
        for span in ["00f067aa0ba902b7", "00f067aa0ba902b8"] {
            let value = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01");
            headers.append(TRACEPARENT, HeaderValue::from_str(&value).unwrap());
        }
        headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
        assert_eq!(take_context(&mut headers), None);
        assert!(headers.is_empty());
    }
}
