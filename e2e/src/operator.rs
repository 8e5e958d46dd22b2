//! The operator's view: what the services' logs say about one request. The attacker never sees this.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// How long a line may take into its file: it is written before its answer is sent, but the machine may have other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// That a service's log gives this reason. Only whoever has read it can say so: no other file makes one.
#[derive(Debug, Clone)]
pub struct LogLine {
    service: String,
    reason: String,
}

impl LogLine {
    /// Whose log it is.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The stable word that stands there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    #[cfg(test)]
    pub(crate) fn of_a_test(service: &str, reason: &str) -> Self {
        Self { service: service.to_owned(), reason: reason.to_owned() }
    }
}

/// A line of the audit log about a refusal.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The layer that refused.
    pub layer: String,
    /// Why.
    pub line: LogLine,
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
        let of_request = |line: &Value| text(line, "request_id") == Some(request_id) && is_refusal(line);
        read(service, &self.find(service, 0, of_request).await?)
    }

    /// Where a service's log ends now.
    pub async fn end_of(&self, service: &str) -> anyhow::Result<usize> {
        Ok(self.log(service).await?.len())
    }

    /// The refusal of a connection to the internal listener, which never became a request, that `service` has logged since its log ended there.
    pub async fn refused_connection(&self, service: &str, since: usize) -> anyhow::Result<Refusal> {
        let of_connection = |line: &Value| {
            is_refusal(line)
                && text(line, "layer") == Some("transport")
                && text(line, "redoubt.listener") == Some("internal")
        };
        read(service, &self.find(service, since, of_connection).await?)
    }

    /// The requests of one trace that came to the services from outside, each service's in their order.
    pub async fn requests(&self, trace_id: &str) -> anyhow::Result<Vec<Request>> {
        crate::until("the services' word on a call", PATIENCE, async || {
            let mut found = Vec::new();
            for service in ["attestation", "auth", "ledger"] {
                let log = self.log(service).await?;
                let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let of_trace = lines.filter(|line| text(line, "trace_id") == Some(trace_id));
                found.extend(of_trace.filter_map(|line| request(service, &line)));
            }
            Ok((!found.is_empty()).then_some(found))
        })
        .await
    }

    /// The request to which `service` gave this id.
    pub async fn request(&self, service: &str, request_id: &str) -> anyhow::Result<Request> {
        let answered = |line: &Value| text(line, "request_id") == Some(request_id) && request(service, line).is_some();
        request(service, &self.find(service, 0, answered).await?).context("a line that is none of a request")
    }

    /// The rules that found something in the request to which the edge gave this id.
    pub async fn edge_rules(&self, request_id: &str) -> anyhow::Result<LogLine> {
        let path = self.logs.join(testkit::edge::LOG);
        let rules = crate::until("the edge's word on a request", PATIENCE, async || {
            let log = tokio::fs::read_to_string(&path).await?;
            let found = log.lines().filter_map(testkit::edge::finding).filter(|(id, _)| *id == request_id);
            let rules: Vec<String> = found.map(|(_, rule)| rule.to_string()).collect();
            Ok((!rules.is_empty()).then(|| rules.join(" ")))
        });
        Ok(LogLine { service: "edge".to_owned(), reason: format!("rules {}", rules.await?) })
    }

    /// Why the attestation service did not believe the instance to which it gave this support id: the first verdict on the same
    /// device key that was not good.
    pub async fn verdict(&self, support_id: &str) -> anyhow::Result<String> {
        let answered = |line: &Value| text(line, "support_id") == Some(support_id);
        let named = self.find("attestation", 0, |line| answered(line) && text(line, "jkt").is_some()).await?;
        let same_device = |line: &Value| text(line, "jkt") == text(&named, "jkt");
        let decoy = |line: &Value| same_device(line) && text(line, "outcome") == Some("decoy");
        Ok(field(&self.find("attestation", 0, decoy).await?, "reason")?.to_owned())
    }

    /// The first line behind `since` that matches.
    async fn find(&self, service: &str, since: usize, matches: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let what = format!("the word of {service} on it ({})", self.path(service).display());
        crate::until(&what, PATIENCE, async || {
            let log = self.log(service).await?;
            let lines = log.get(since..).context("a log has become shorter")?.lines();
            Ok(lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(&matches))
        })
        .await
    }

    fn path(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }

    async fn log(&self, service: &str) -> anyhow::Result<String> {
        let path = self.path(service);
        tokio::fs::read_to_string(&path).await.with_context(|| format!("cannot read {}", path.display()))
    }
}

/// What a service says of each request when it has answered.
pub(crate) fn request(service: &str, line: &Value) -> Option<Request> {
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

fn is_refusal(line: &Value) -> bool {
    text(line, "target") == Some("audit") && text(line, "layer").is_some()
}

fn read(service: &str, line: &Value) -> anyhow::Result<Refusal> {
    let claimed_support_id = text(line, "claimed_support_id").map(str::to_owned);
    let waf_score = line.get("waf_score").or_else(|| line.get("fields")?.get("waf_score")).and_then(Value::as_u64);
    let (layer, reason) = (field(line, "layer")?.to_owned(), field(line, "reason")?.to_owned());
    Ok(Refusal { layer, line: LogLine { service: service.to_owned(), reason }, claimed_support_id, waf_score })
}

/// A field that the line must have.
fn field<'a>(line: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    text(line, name).with_context(|| format!("an audit line does not say its {name}"))
}

/// A field, at the top of the line or in its `fields`.
pub(crate) fn text<'a>(line: &'a Value, name: &str) -> Option<&'a str> {
    line.get(name).or_else(|| line.get("fields")?.get(name))?.as_str()
}
