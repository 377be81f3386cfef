//! The trace that a request belongs to, as its client says (W3C Trace Context).

use axum::http::HeaderMap;

/// The header.
const TRACEPARENT: &str = "traceparent";

/// Which trace a request is a part of, and of which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) trace_id: u128,
    pub(crate) parent_id: u64,
}

impl TraceContext {
    /// `None` without the header, and for one that is not as the standard says: it is to be ignored then.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let mut parts = value.to_str().ok()?.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Later versions may say more, after what this one says.
        let known = version == "00" && parts.next().is_none();
        let later = hex(version, 2) && !matches!(version, "00" | "ff");
        if !(known || later) || !hex(trace, 32) || !hex(parent, 16) || !hex(flags, 2) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, parent_id })
    }

    /// Puts a span that has not been entered yet, and what is below it, into the trace. The client's wish whether to
    /// sample is not taken over: what is collected of this host is its operator's decision.
    #[cfg(feature = "otel")]
    pub(crate) fn adopt(self, span: &tracing::Span) {
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let (trace, parent) = (TraceId::from(self.trace_id), SpanId::from(self.parent_id));
        let parent = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::NONE);
        // An error says only that no traces are collected.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_is_read_as_the_standard_says_or_not_at_all() {
        let read = |texts: &[&str]| {
            let lines = texts.iter().map(|text| (TRACEPARENT.parse().unwrap(), HeaderValue::from_str(text).unwrap()));
            TraceContext::of(&lines.collect())
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = read(&[good]).unwrap();
        assert_eq!(format!("{:x}", context.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read(&[&good.replacen("00", "cc", 1)]), Some(context), "a later version");
        assert_eq!(read(&[&format!("{}-more", good.replacen("00", "cc", 1))]), Some(context));
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good[..54],
            &format!("{good}-more"),
            &good.replacen("00", "ff", 1),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            &good.replace("00f067aa0ba902b7", &zeros[..16]),
        ] {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[good, good]), None, "which of them?");
    }
}
