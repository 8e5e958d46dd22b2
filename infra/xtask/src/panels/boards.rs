//! The dashboards of `infra/watching`, as Grafana reads them: what a panel is called, where it stands, what it asks for, and in which unit.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::check;

const FOLDER: &str = "infra/watching/dashboards/";

#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) panels: Vec<Panel>,
}

#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) kind: Kind,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) place: Place,
    pub(crate) unit: Unit,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Timeseries,
    Stat,
}

/// On a grid of 24 columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) width: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Number,
    Operations,
    Requests,
    Share,
    Seconds,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) query: String,
    /// With `{{label}}`.
    pub(crate) legend: String,
}

/// All of them, in the order of their files' names.
///
/// A kind of panel or a unit that is not known here is an error that names it: nobody could draw it.
pub(crate) fn all() -> Result<Vec<Board>> {
    let files = check::files()?;
    let boards = files.iter().filter(|file| file.path.starts_with(FOLDER));
    boards.map(|file| board(&serde_json::from_str(&file.text)?).with_context(|| file.path.clone())).collect()
}

fn board(board: &Value) -> Result<Board> {
    let panels = board.get("panels").and_then(Value::as_array).context("it has no panels")?;
    Ok(Board {
        title: text(board, "/title")?,
        description: text(board, "/description")?,
        panels: panels.iter().map(panel).collect::<Result<_>>()?,
    })
}

fn panel(panel: &Value) -> Result<Panel> {
    let title = text(panel, "/title")?;
    let kind = match text(panel, "/type")?.as_str() {
        "timeseries" => Kind::Timeseries,
        "stat" => Kind::Stat,
        other => bail!("{title}: nobody can draw a `{other}`"),
    };
    let unit = match text(panel, "/fieldConfig/defaults/unit")?.as_str() {
        "short" => Unit::Number,
        "ops" => Unit::Operations,
        "reqps" => Unit::Requests,
        "percentunit" => Unit::Share,
        "s" => Unit::Seconds,
        other => bail!("{title}: nobody knows the unit `{other}`"),
    };
    let number =
        |at: &str| panel.pointer(at).and_then(Value::as_u64).with_context(|| format!("{title}: it has no {at}"));
    let targets =
        panel.get("targets").and_then(Value::as_array).with_context(|| format!("{title}: it asks for nothing"))?;
    let target = |target: &Value| Ok(Target { query: text(target, "/expr")?, legend: text(target, "/legendFormat")? });
    Ok(Panel {
        kind,
        unit,
        place: Place { x: number("/gridPos/x")?, y: number("/gridPos/y")?, width: number("/gridPos/w")? },
        targets: targets.iter().map(target).collect::<Result<_>>()?,
        description: text(panel, "/description").unwrap_or_default(), // Default: its title says all.
        title,
    })
}

fn text(value: &Value, at: &str) -> Result<String> {
    let text = value.pointer(at).and_then(Value::as_str).with_context(|| format!("there is no {at}"))?;
    Ok(text.to_owned())
}

impl Unit {
    /// As Grafana writes it, nearly.
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Share => format!("{} %", short(value * 100.0)),
            Self::Operations => format!("{} ops/s", short(value)),
            Self::Requests => format!("{} req/s", short(value)),
            Self::Number => short(value),
            Self::Seconds if value == 0.0 => "0 s".to_owned(),
            Self::Seconds if value.abs() < 0.001 => format!("{} µs", short(value * 1_000_000.0)),
            Self::Seconds if value.abs() < 1.0 => format!("{} ms", short(value * 1000.0)),
            Self::Seconds => format!("{} s", short(value)),
        }
    }
}

/// Three digits that mean something.
fn short(value: f64) -> String {
    let size = value.abs();
    let (value, sign) = match size {
        1e9.. => (value / 1e9, " G"),
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.01.. => 3,
        _ => 5,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{sign}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboards_are_read_and_what_nobody_could_draw_is_named() {
        let boards = all().unwrap();
        assert!(boards.len() >= 4 && boards.iter().all(|board| board.panels.len() > 3));
        let read = |kind: &str, unit: &str| {
            panel(&serde_json::json!({
                "type": kind, "title": "It", "gridPos": { "x": 0, "y": 0, "w": 12, "h": 8 }, "targets": [],
                "fieldConfig": { "defaults": { "unit": unit } }
            }))
        };
        assert!(read("stat", "s").is_ok());
        assert!(read("gauge", "s").unwrap_err().to_string().contains("gauge"));
        assert!(read("stat", "furlong").unwrap_err().to_string().contains("furlong"));
    }

    #[test]
    fn a_value_is_written_in_its_unit() {
        for (unit, value, text) in [
            (Unit::Number, 0.0, "0"),
            (Unit::Number, 12_345.0, "12.3 k"),
            (Unit::Number, 100.0, "100"),
            (Unit::Share, 0.0525, "5.25 %"),
            (Unit::Requests, 0.5, "0.5 req/s"),
            (Unit::Operations, 1.0, "1 ops/s"),
            (Unit::Seconds, 0.0042, "4.2 ms"),
            (Unit::Seconds, 0.000_25, "250 µs"),
            (Unit::Seconds, 75.0, "75 s"),
        ] {
            assert_eq!(unit.write(value), text);
        }
    }
}
