//! The operator's view: what the services' logs say about one request. The attacker never sees this.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

/// A line of the audit log about a refusal.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The layer that refused.
    pub layer: String,
    pub reason: String,
    /// The support id in a token that was refused.
    pub claimed_support_id: Option<String>,
    /// What the edge had found in the request.
    pub waf_score: Option<u64>,
}

/// Reads the services' logs.
#[derive(Debug, Clone)]
pub struct Operator {
    logs: PathBuf,
}

impl Operator {
    /// Logs are `<service>.log` in `logs`.
    pub fn new(logs: PathBuf) -> Self {
        Self { logs }
    }

    /// The refusal that `service` logged for the request with this id.
    pub async fn refusal(&self, service: &str, request_id: &str) -> anyhow::Result<Refusal> {
        let line = self.find(service, |line| {
            text(line, "request_id") == Some(request_id)
                && text(line, "target") == Some("audit")
                && text(line, "layer").is_some()
        });
        let line = line.await?;
        let field = |name: &str| text(&line, name).unwrap_or("(not given)").to_owned();
        let claimed_support_id = text(&line, "claimed_support_id").map(str::to_owned);
        let waf_score = line.get("waf_score").or_else(|| line.get("fields")?.get("waf_score")).and_then(Value::as_u64);
        Ok(Refusal { layer: field("layer"), reason: field("reason"), claimed_support_id, waf_score })
    }

    /// The rules that found something in the request to which the edge gave this id.
    pub async fn edge_rules(&self, request_id: &str) -> anyhow::Result<Vec<String>> {
        let log = tokio::fs::read_to_string(self.logs.join(testkit::edge::LOG)).await?;
        let found = log.lines().filter_map(testkit::edge::finding).filter(|(id, _)| *id == request_id);
        Ok(found.map(|(_, rule)| rule.to_string()).collect())
    }

    /// Why the attestation service did not believe the instance to which it gave this support id: the first verdict on the same
    /// device key that was not good.
    pub async fn verdict(&self, support_id: &str) -> anyhow::Result<String> {
        let answered = |line: &Value| text(line, "support_id") == Some(support_id);
        let named = self.find("attestation", |line| answered(line) && text(line, "jkt").is_some()).await?;
        let same_device = |line: &Value| text(line, "jkt") == text(&named, "jkt");
        let line = self.find("attestation", |line| same_device(line) && text(line, "outcome") == Some("decoy")).await?;
        Ok(text(&line, "reason").unwrap_or("(not given)").to_owned())
    }

    /// The first line that matches. A line is written before its answer is sent, but the file may lag a little.
    async fn find(&self, service: &str, matches: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let path = self.logs.join(format!("{service}.log"));
        for _ in 0..40 {
            let log = tokio::fs::read_to_string(&path).await.unwrap_or_default();
            let found = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(&matches);
            if let Some(line) = found {
                return Ok(line);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the log of {service} says nothing about it ({})", path.display())
    }
}

/// A field, at the top of the line or in its `fields`.
fn text<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name).or_else(|| line.get("fields")?.get(name))?.as_str()
}
