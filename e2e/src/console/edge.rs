//! What the edge refused, told as services tell it: of each such request a line for the audit and one for the answer, so that whoever reads the logs reads
//! one kind of lines.

use std::collections::HashMap;

use ladder::edge::finding;
use serde_json::{Value, json};

use crate::operator::text;

/// What it is called among the services.
pub(super) const NAME: &str = "edge";
/// Characters of what a stranger has asked for that are told: as many as services log bytes of it.
const ASKED: usize = 256;

/// `answers` is its access log, an object for each request; `rules` its own log, with a line for each rule that found something.
pub(super) fn told(answers: &str, rules: &str) -> String {
    let mut found: HashMap<&str, Vec<String>> = HashMap::new();
    for (id, rule) in rules.lines().filter_map(finding) {
        found.entry(id).or_default().push(rule.to_string());
    }
    // A line that is cut off, at its beginning or because it is being written, is none.
    let answers = answers.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = answers.filter_map(|answer| lines(&answer, &found)).flatten();
    lines.map(|line| line.to_string() + "\n").collect()
}

/// None of a request that the edge did not refuse.
fn lines(answer: &Value, found: &HashMap<&str, Vec<String>>) -> Option<[Value; 2]> {
    let word = |name: &str| text(answer, name);
    let status = answer
        .get("status")?
        .as_u64()
        .filter(|status| (400..500).contains(status) && word("upstream_status") == Some(""))?;
    let id = word("edge_request_id")?;
    // It is told in seconds and in UTC, services' times in microseconds: so they can be sorted.
    let time = format!("{}.000000Z", word("time")?.strip_suffix("+00:00")?);
    let reason = found.get(id).map_or_else(|| format!("status {status}"), |rules| format!("rules {}", rules.join(" "))); // Default: no rule, nginx itself.
    let asked: String = word("uri")?.chars().take(ASKED).collect();
    let audit = json!({ "timestamp": time, "target": "audit", "service": NAME, "event": "refused", "outcome": "refused", "layer": NAME, "reason": reason,
        "network.peer.address": word("client")?, "request_id": id });
    let http = json!({ "timestamp": time, "target": "http", "service": NAME, "message": "request", "method": word("method")?, "route": asked,
        "status": status, "request_id": id });
    Some([audit, http])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_service_has_seen_is_told_as_a_service_would() {
        let answer = |id: &str, status: u16, upstream: &str| {
            json!({ "time": "2026-11-27T10:11:30+00:00", "edge_request_id": id, "request_id": "", "method": "POST", "uri": "/v1/payouts", "status": status,
                "upstream_status": upstream, "waf_score": "0", "client": "127.0.0.1", "server_port": "7000" })
        };
        let answers =
            [answer("aa", 403, ""), answer("bb", 403, "403"), answer("cc", 400, ""), answer("dd", 200, "200")];
        let answers: Vec<String> = answers.iter().map(Value::to_string).collect();
        let rule =
            |id: &str, rule: u32| format!("ModSecurity: Warning. [id \"{rule}\"] [unique_id \"{id}\"] [ref \"\"]\n");
        let rules = [rule("aa", 942_100), rule("bb", 942_190), rule("aa", 949_110)].concat();
        let told = told(&format!("{}\n{{\"time\":", answers.join("\n")), &rules);
        let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |name: &str| lines.iter().map(|line| line[name].to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(of("request_id"), r#""aa" "aa" "cc" "cc""#);
        assert_eq!(of("target"), r#""audit" "http" "audit" "http""#);
        assert_eq!(of("reason"), r#""rules 942100 949110" null "status 400" null"#);
        assert_eq!(lines[1]["timestamp"], "2026-11-27T10:11:30.000000Z");
    }

    #[test]
    fn what_a_stranger_asks_for_is_told_as_long_as_services_tell_it() {
        let answer = json!({ "time": "2026-11-27T10:11:30+00:00", "edge_request_id": "aa", "method": "GET", "uri": format!("/{}", "ä".repeat(8000)),
            "status": 403, "upstream_status": "", "client": "127.0.0.1" });
        let [_, http] = lines(&answer, &HashMap::new()).unwrap();
        assert_eq!(http["route"].as_str().unwrap().chars().count(), ASKED);
    }
}
