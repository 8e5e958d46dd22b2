//! The ends of the services' logs: the requests that were answered, and what was refused.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};
use ladder::edge::{ACCESS, LOG};
use serde_json::Value;

use super::{LISTED, edge};
use crate::operator::{self, text};
use crate::receipt;

/// Bytes of a log that are read, from its end.
const TAIL: u64 = 2 * 1024 * 1024;

/// A request that was answered.
pub(super) struct Request {
    /// RFC 3339, as in the log.
    pub(super) time: String,
    pub(super) said: operator::Request,
    pub(super) trace_id: Option<String>,
    /// Who said no, if anybody did.
    pub(super) refusal: Option<Refusal>,
}

/// A line of the audit log that says no, or not yet.
#[derive(Clone)]
pub(super) struct Refusal {
    pub(super) time: String,
    pub(super) service: String,
    /// `refused`, `challenged` or `decoy`.
    pub(super) word: String,
    pub(super) alarm: bool,
    pub(super) layer: String,
    pub(super) reason: String,
    pub(super) address: String,
    pub(super) client: String,
    pub(super) support_id: String,
    /// None of what never became a request.
    pub(super) request_id: Option<String>,
}

impl Refusal {
    /// A client's first request to a service, before it can know the nonce that its proof must have (RFC 9449 §8): each honest client begins so. A nonce that
    /// was good once is something else: whoever recorded a request and sends it late has one.
    fn is_routine(&self) -> bool {
        self.word == "challenged" && self.reason == "nonce_missing"
    }
}

/// Which refusals are looked for; what is empty, any is.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) service: String,
    pub(super) layer: String,
    /// Is in the reason.
    pub(super) reason: String,
    /// Also those that are routine.
    pub(super) routine: bool,
}

impl Wanted {
    fn fits(&self, refusal: &Refusal) -> bool {
        let any = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        any(&self.service, &refusal.service)
            && any(&self.layer, &refusal.layer)
            && refusal.reason.contains(&self.reason)
    }
}

/// What the logs say, each kind the newest first.
#[derive(Default)]
pub(super) struct Logs {
    pub(super) requests: Vec<Request>,
    /// Those that are wanted.
    pub(super) refusals: Vec<Refusal>,
    /// How many would be, were they not routine.
    pub(super) routine: usize,
    /// Who has refused, whether it is wanted or not.
    pub(super) layers: BTreeSet<String>,
    /// Which log cannot be read, and why.
    pub(super) faults: Vec<String>,
}

/// Those of all these, which may be the edge.
pub(super) async fn read(folder: &Path, services: Vec<String>, wanted: Wanted) -> Result<Logs> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || all(&folder, &services, &wanted))
        .await
        .context("whoever reads the logs is gone")
}

fn all(folder: &Path, services: &[String], wanted: &Wanted) -> Logs {
    let mut logs = Logs::default();
    for service in services {
        match log(folder, service) {
            Ok(text) => logs.add(service, &text, wanted),
            Err(error) => logs.faults.push(format!("{error:#}")),
        }
    }
    logs.requests.sort_by(|one, other| other.time.cmp(&one.time));
    logs.refusals.sort_by(|one, other| other.time.cmp(&one.time));
    logs.requests.truncate(LISTED);
    logs.refusals.truncate(LISTED);
    logs
}

/// The lines about one request, in their order, with the service whose log has them.
pub(super) async fn about(folder: &Path, services: Vec<String>, id: &str) -> Result<(Vec<Value>, Vec<String>)> {
    let (folder, id) = (folder.to_owned(), id.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for service in services {
            match log(&folder, &service) {
                Ok(log) => found.extend(log.lines().filter(|line| line.contains(&id)).filter_map(parsed)),
                Err(error) => faults.push(format!("{error:#}")),
            }
        }
        found.retain(|line| text(line, "request_id") == Some(&id));
        (found, faults)
    });
    reading.await.context("whoever reads the logs is gone")
}

impl Logs {
    /// From its end, until enough of both are found.
    fn add(&mut self, service: &str, log: &str, wanted: &Wanted) {
        let (mut requests, mut refusals, mut by_id) = (Vec::new(), Vec::new(), HashMap::new());
        for line in log.lines().rev() {
            if requests.len() >= LISTED && refusals.len() >= LISTED {
                break;
            }
            let Some(line) = parsed(line) else { continue };
            if let Some(refusal) = refusal(service, &line) {
                if let Some(id) = &refusal.request_id {
                    by_id.insert(id.clone(), refusal.clone());
                }
                self.layers.insert(refusal.layer.clone());
                if !wanted.fits(&refusal) {
                    continue;
                }
                if refusal.is_routine() && !wanted.routine {
                    self.routine += 1;
                } else {
                    refusals.push(refusal);
                }
            } else if let Some(said) = operator::request(service, &line).filter(|said| !is_ours(said)) {
                let word = |name: &str| text(&line, name).map(str::to_owned);
                let Some(time) = word("timestamp") else { continue };
                requests.push(Request { time, said, trace_id: word("trace_id"), refusal: None });
            }
        }
        for request in &mut requests {
            request.refusal = by_id.remove(&request.said.request_id);
        }
        self.requests.append(&mut requests);
        self.refusals.append(&mut refusals);
    }
}

/// What operators ask, this console first of all, would hide what they look for.
fn is_ours(said: &operator::Request) -> bool {
    let asks = said.route.starts_with(receipt::PATH) || said.route == "/internal/v1/invariants";
    asks && said.status == 200
}

fn refusal(service: &str, line: &Value) -> Option<Refusal> {
    let word = |name: &str| text(line, name).map(str::to_owned);
    let outcome = word("outcome").filter(|word| ["refused", "challenged", "decoy"].contains(&word.as_str()));
    if text(line, "target") != Some("audit") {
        return None;
    }
    // Default: a line says only what there is.
    let or_empty = |name: &str| word(name).unwrap_or_default();
    Some(Refusal {
        time: word("timestamp")?,
        service: service.to_owned(),
        word: outcome?,
        alarm: line.get("alarm").and_then(Value::as_bool) == Some(true),
        layer: word("layer")?,
        reason: word("reason")?,
        address: or_empty("network.peer.address"),
        client: or_empty("user_agent.original"),
        support_id: word("support_id").or_else(|| word("claimed_support_id")).unwrap_or_default(),
        request_id: word("request_id"),
    })
}

fn parsed(line: &str) -> Option<Value> {
    let told = ["\"target\":\"http\"", "\"target\":\"audit\""].iter().any(|target| line.contains(target));
    // A line that is cut off, at its beginning or because it is being written, is none.
    told.then(|| serde_json::from_str(line).ok()).flatten()
}

fn log(folder: &Path, service: &str) -> Result<String> {
    if service == edge::NAME {
        return Ok(edge::told(&tail(&folder.join(ACCESS))?, &tail(&folder.join(LOG))?));
    }
    tail(&folder.join(format!("{service}.log")))
}

/// The end of a file.
fn tail(path: &Path) -> Result<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
