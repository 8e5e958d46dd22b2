//! `cargo xtask panels`: the dashboards of `infra/watching` with what a real Prometheus answers to their queries while the story is told, as one page.
//!
//! A query that fails, or that nothing answers although the schema does not say why (`unseen`), is a fault with its name, and so is a legend that names a
//! label which is not there.

mod answers;
mod boards;
mod chart;
mod markup;
mod page;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, ensure};
use ladder::prometheus::{Server, Software};
use system::system;

use crate::options::Options;
use crate::stack::{Kind, Stack};
use crate::stop::Stop;
use crate::{interrupt, place, say};
use answers::Span;
use page::Drawn;

/// For Prometheus to have looked at everybody.
const BEFORE: Duration = Duration::from_secs(40);
/// What is told at the end of the story has been asked for by then, and a rate has a second value.
const AFTER: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &Options) -> Result<()> {
    let software = Software::bring(&place::target(), say::line).map_err(anyhow::Error::msg)?;
    let mut stack = Stack::start(Kind::Demo, options)?;
    let page = match watched(&mut stack, &software) {
        Ok(page) => page,
        Err(error) => return Err(stack.keep_logs(error)),
    };
    stack.end()?;
    let file = place::target().join("dev/panels.html");
    std::fs::write(&file, &page.text).with_context(|| file.display().to_string())?;
    say::line(&format!("the dashboards: {}", place::short(&file)));
    if page.faults.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(1, format!("the dashboards do not show what they should:\n{}", page.faults.join("\n"))).into())
}

fn watched(stack: &mut Stack, software: &Software) -> Result<Page> {
    let prometheus = Server::start(software, &configuration(stack)?).map_err(anyhow::Error::msg)?;
    let from = now()?;
    all_seen(&prometheus)?;
    let status = stack.tell(&[], &place::target().join("dev/report.html"))?;
    ensure!(status.success(), "the story did not end well ({status})");
    interrupt::wait(Some(AFTER), || Ok(None::<()>))?;
    drawn(&prometheus, from)
}

/// Prometheus begins some seconds after its start: what is told before it has looked twice, it does not see.
fn all_seen(prometheus: &Server) -> Result<()> {
    let span = |to: f64| Span { from: to, to, step: 1.0 };
    let services = system()?.services.len();
    let seen = interrupt::wait(Some(BEFORE), || {
        let up = answers::ask(prometheus, "count_over_time(up[1m]) >= 2 and up == 1", span(now()?))?;
        Ok((up.len() == services).then_some(()))
    })?;
    seen.with_context(|| format!("Prometheus does not see all {services} services within {} s", BEFORE.as_secs()))
}

/// The repository's own configuration of Prometheus, with the ports, keys and haste of this run.
pub(crate) fn configuration(stack: &Stack) -> Result<String> {
    let folder = place::root().join("infra/watching");
    let mut text = std::fs::read_to_string(folder.join("prometheus.yaml"))?;
    let mut changed = vec![
        ("../../target/dev/pki/".to_owned(), format!("{}/", stack.pki().display())),
        ("- alerts.yaml".to_owned(), format!("- {}", folder.join("alerts.yaml").display())),
        ("interval: 5s".to_owned(), "interval: 1s".to_owned()),
    ];
    for service in &system()?.services {
        let here = stack.url(&format!("{}-internal", service.name))?.replace("https://", "");
        changed.push((format!("localhost:{}", service.internal), here));
    }
    for (there, here) in changed {
        ensure!(text.contains(&there), "{there} is not in infra/watching/prometheus.yaml");
        text = text.replace(&there, &here);
    }
    Ok(text)
}

/// The page, and what is wrong with what it shows.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) faults: Vec<String>,
}

/// Every panel of every dashboard from then until now.
pub(crate) fn drawn(prometheus: &Server, from: f64) -> Result<Page> {
    let schema = system::telemetry::telemetry()?;
    let span = Span { from, to: now()?, step: 1.0 };
    let boards = boards::all()?.into_iter().map(|board| {
        let shown = board.panels.iter().map(|panel| answers::shown(prometheus, panel, span, schema)).collect();
        (board, shown)
    });
    let boards: Vec<Drawn> = boards.collect();
    let shown = boards.iter().flat_map(|(_, shown)| shown);
    let faults = shown.flat_map(|shown| shown.faults.clone()).collect();
    Ok(Page { text: page::page(&boards, span, &time_of_day(from)), faults })
}

/// Seconds since 1970.
pub(crate) fn now() -> Result<f64> {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| anyhow!("this machine's clock is before 1970"))?;
    Ok(now.as_secs_f64())
}

fn time_of_day(seconds: f64) -> String {
    let in_day = Duration::from_secs_f64(seconds).as_secs() % 86_400;
    format!("{:02}:{:02}:{:02} UTC", in_day / 3600, in_day / 60 % 60, in_day % 60)
}
