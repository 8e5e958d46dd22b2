//! The root span of each call (W3C Trace Context): the phone is where a trace begins.

use crate::Error;
use crate::client::Client;
use crate::platform::CallRecord;

/// Ids of one call.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    trace_id: String,
    span_id: String,
}

impl Trace {
    pub(crate) fn start() -> Self {
        Self { trace_id: hex::encode(nonzero::<16>()), span_id: hex::encode(nonzero::<8>()) }
    }

    /// The header, sampled (W3C Trace Context §3.2).
    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }

    pub(crate) fn trace_id(&self) -> &str {
        &self.trace_id
    }
}

impl Client {
    /// Runs `work` as the call `name` of the app and tells the observer how it went.
    pub(crate) async fn record<T>(
        &self,
        name: &'static str,
        trace: &Trace,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.set_last_trace_id(trace.trace_id());
        self.observe(name, trace, work).await
    }

    /// The same for what the SDK does by itself: the app's call stays the last one.
    pub(crate) async fn observe<T>(
        &self,
        name: &'static str,
        trace: &Trace,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let start = self.platform.clock.unix_nanos();
        let result = work.await;
        if let Some(observer) = &self.platform.observer {
            observer.finished(&CallRecord {
                trace_id: trace.trace_id.clone(),
                span_id: trace.span_id.clone(),
                name,
                start,
                end: self.platform.clock.unix_nanos(),
                error: result.as_ref().err().map(Error::code),
            });
        }
        result
    }
}

/// All zeroes is not an id (W3C Trace Context §3.2.2.3).
fn nonzero<const N: usize>() -> [u8; N] {
    loop {
        let bytes = crypto::random::bytes::<N>();
        if bytes != [0; N] {
            return bytes;
        }
    }
}
