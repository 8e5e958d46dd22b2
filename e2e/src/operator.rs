//! The operator's view: what the services' logs say about one request. The attacker never sees this.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
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

/// A request that a service has answered.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who answered.
    pub service: String,
    pub method: String,
    /// The route's template.
    pub route: String,
    pub status: u64,
    pub request_id: String,
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

    /// The requests of one trace that came to the services from outside, each service's in their order.
    pub async fn requests(&self, trace_id: &str) -> anyhow::Result<Vec<Request>> {
        for _ in 0..40 {
            let mut found = Vec::new();
            for service in ["attestation", "auth", "ledger"] {
                let of_trace = |line: &Value| text(line, "trace_id") == Some(trace_id);
                found.extend(
                    self.lines(service)
                        .await?
                        .iter()
                        .filter(|line| of_trace(line))
                        .filter_map(|line| request(service, line)),
                );
            }
            if !found.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("no service's log has a request of trace {trace_id}")
    }

    /// The request to which `service` gave this id.
    pub async fn request(&self, service: &str, request_id: &str) -> anyhow::Result<Request> {
        let line =
            self.find(service, |line| text(line, "request_id") == Some(request_id) && request(service, line).is_some());
        request(service, &line.await?).context("a line that is none of a request")
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
        for _ in 0..40 {
            if let Some(line) = self.lines(service).await?.into_iter().find(&matches) {
                return Ok(line);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the log of {service} says nothing about it ({})", self.log(service).display())
    }

    fn log(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }

    /// Every whole line so far.
    async fn lines(&self, service: &str) -> anyhow::Result<Vec<Value>> {
        let path = self.log(service);
        let log = tokio::fs::read_to_string(&path).await.with_context(|| path.display().to_string())?;
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// What a service says of each request when it has answered.
fn request(service: &str, line: &Value) -> Option<Request> {
    if text(line, "target") != Some("http") {
        return None;
    }
    let status = line.get("status").or_else(|| line.get("fields")?.get("status"))?.as_u64()?;
    let field = |name: &str| text(line, name).map(str::to_owned);
    Some(Request {
        service: service.to_owned(),
        method: field("method")?,
        route: field("route")?,
        status,
        request_id: field("request_id")?,
    })
}

/// A field, at the top of the line or in its `fields`.
fn text<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name).or_else(|| line.get("fields")?.get(name))?.as_str()
}
