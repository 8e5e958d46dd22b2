//! The words of the templates, and the table of the system that most of them are made of.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use crate::rename;

pub(super) const SYSTEM: &str = "infra/system.toml";

/// What stands for the words of the templates.
pub(super) struct Words([(&'static str, String); 7]);

impl Words {
    pub(super) fn of(name: &str, system: &Table) -> Result<Self> {
        let services = table(system, "services")?;
        let (last, entry) = services.iter().next_back().with_context(|| format!("{SYSTEM} has no service"))?;
        let last_port = port(entry, "internal").with_context(|| format!("{SYSTEM}: `{last}` has no internal port"))?;
        let ports = services.values().flat_map(|entry| ["public", "internal", "edge"].map(|side| port(entry, side)));
        let stand_ins = table(system, "stand_ins")?.values().map(Value::as_integer);
        let taken: Vec<i64> = ports.chain(stand_ins).flatten().collect();
        let free = (last_port..=65_535).find(|port| !taken.contains(port)).context("there is no free port")?;
        Ok(Self([
            ("__name__", name.to_owned()),
            ("__Name__", rename::capital(name)),
            ("__NAME__", name.to_uppercase()),
            ("__port__", free.to_string()),
            ("__last__", last.clone()),
            ("__LAST__", last.to_uppercase()),
            ("__last_port__", last_port.to_string()),
        ]))
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}

fn port(entry: &Value, side: &str) -> Option<i64> {
    entry.get(side).and_then(Value::as_integer)
}

pub(super) fn table<'a>(file: &'a Table, name: &str) -> Result<&'a Table> {
    file.get(name).and_then(Value::as_table).with_context(|| format!("{SYSTEM} has no `{name}`"))
}
