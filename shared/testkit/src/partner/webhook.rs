//! Webhooks as the partner sends them: Standard Webhooks v1 (HMAC-SHA-256 over `id.timestamp.body`), retried until accepted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use api::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use chrono::DateTime;
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::{PartnerState, count, lock};

/// How often a delivery is tried, at doubling distance.
const ATTEMPTS: u32 = 6;

/// The value of `webhook-signature` for one message under one secret (`whsec_…`).
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
    let key = secret.strip_prefix("whsec_").context("the secret does not start with whsec_")?;
    let key = crypto::b64::decode_standard(key)?;
    let mut message = format!("{id}.{timestamp}.").into_bytes();
    message.extend_from_slice(body);
    Ok(format!("v1,{}", crypto::b64::encode_standard(&crypto::hash::hmac_sha256(&key, &message))))
}

/// Signs and sends one event; answers the id and the receiver's last status once it accepts.
pub(super) async fn send(
    state: &PartnerState,
    kind: &str,
    data: &Value,
    traceparent: Option<&str>,
) -> Result<(String, u16)> {
    let id = format!("evt_{}", crypto::random::token(12));
    let occurred = DateTime::from_timestamp(now(), 0).context("time")?.to_rfc3339();
    let body = serde_json::to_vec(&json!({ "type": kind, "timestamp": occurred, "data": data }))?;
    lock(&state.events).push((id.clone(), body.clone()));
    deliver(state, kind, id, body, traceparent).await
}

/// Sends all events so far once more, each as it was: what the operator of another system asks for whose memory was lost. Answers how many were accepted.
pub(super) async fn send_again(state: &PartnerState) -> Result<usize> {
    let events = lock(&state.events).clone();
    let count = events.len();
    for (id, body) in events {
        deliver(state, "again", id, body, None).await?;
    }
    Ok(count)
}

async fn deliver(
    state: &PartnerState,
    kind: &str,
    id: String,
    body: Vec<u8>,
    traceparent: Option<&str>,
) -> Result<(String, u16)> {
    let Some(url) = lock(&state.webhook).clone() else { bail!("no webhook URL is set") };
    let span = tracing::info_span!("webhook.send", otel.name = format!("send {kind}"), otel.kind = "producer");
    runtime::trace::continue_from(&span, traceparent);
    let mut last = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
        // Signed anew each time: the time in the signature is that of the attempt, the id stays.
        let timestamp = now();
        let mut request = state
            .client
            .post(&url)
            .header("content-type", "application/json")
            .header(WEBHOOK_ID, &id)
            .header(WEBHOOK_TIMESTAMP, timestamp.to_string())
            .header(WEBHOOK_SIGNATURE, sign(&state.webhook_secret, &id, timestamp, &body)?)
            .body(body.clone());
        if let Some(traceparent) = traceparent {
            // Without telemetry in this process the caller's own context is passed on.
            request = request.header("traceparent", traceparent);
        }
        count(&state.counters.webhooks_sent);
        match runtime::http::send(request).instrument(span.clone()).await {
            Ok(answer) if answer.status().is_success() => {
                count(&state.counters.webhooks_accepted);
                return Ok((id, answer.status().as_u16()));
            }
            Ok(answer) => last = format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
            Err(error) => last = format!("{error:?}"),
        }
    }
    bail!("{url} did not accept {kind} after {ATTEMPTS} attempts: {last}")
}

#[expect(clippy::disallowed_methods, reason = "the partner is outside: its clock is its own")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the Standard Webhooks reference libraries (`libraries/rust/src/lib.rs`, `test_sign`).
    #[test]
    fn the_standards_own_vector() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
