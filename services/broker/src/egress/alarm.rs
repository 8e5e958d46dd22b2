//! What an operator must look at: something at the other end that is not as agreed and that no retry mends.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::{Record, Who, metrics};

use crate::ids::{OperationName, ProviderName};

static ALARMS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("broker.egress.alarms").build());

/// One line in the audit log, and `broker.egress.alarms{provider,reason}`.
pub fn alarm(provider: &ProviderName, operation: &OperationName, reason: &'static str) {
    let (provider, operation) = (provider.to_string(), operation.to_string());
    let who = Who { provider: Some(provider.clone()), operation: Some(operation), ..Who::default() };
    Record::new("egress", reason).about(who).write();
    // Providers are those of the configuration and reasons those of the code: few.
    ALARMS.add(1, &[KeyValue::new("provider", provider), KeyValue::new("reason", reason)]);
}
