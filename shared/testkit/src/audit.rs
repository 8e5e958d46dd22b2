//! The audit log of this process, for tests: which layer refused a request, and why.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

type Refusals = Mutex<HashMap<String, Vec<String>>>;

fn lock() -> MutexGuard<'static, HashMap<String, Vec<String>>> {
    static REFUSALS: OnceLock<Refusals> = OnceLock::new();
    REFUSALS.get_or_init(Refusals::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to listen; once per process.
///
/// # Panics
///
/// Somebody else listens already.
pub fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Listener);
        let set = tracing::subscriber::set_global_default(subscriber);
        assert!(set.is_ok(), "somebody else listens");
    });
}

/// The refusals of one request, as `layer/reason`.
pub fn of(request_id: &str) -> Vec<String> {
    lock().get(request_id).cloned().unwrap_or_default()
}

struct Listener;

struct RequestId(String);

#[derive(Default)]
struct Fields(HashMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(request_id), Some(span)) = (fields.0.remove("request_id"), context.span(id)) {
            span.extensions_mut().insert(RequestId(request_id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut field = |name: &str| fields.0.remove(name).unwrap_or_default();
        if event.metadata().target() != "audit" || !["refused", "challenged"].contains(&field("event").as_str()) {
            return;
        }
        let line = format!("{}/{}", field("layer"), field("reason"));
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(RequestId(id)) = span.extensions().get() {
                lock().entry(id.clone()).or_default().push(line.clone());
            }
        }
    }
}
