//! The dashboards on one page, each panel where Grafana has it: no script, nothing that is fetched, light and dark, and one below the other on a phone.

use std::collections::BTreeSet;

use super::answers::{Series, Shown, Span};
use super::boards::{Board, Kind, Panel};
use super::chart::{self, Axis};
use super::markup::escaped;

const STYLE: &str = include_str!("page.css");
/// Lines that a panel names at once; the others on request.
const NAMED: usize = 8;
/// Marks of the time.
const TIMES: u32 = 4;

/// A dashboard, and what each of its panels shows.
pub(crate) type Drawn = (Board, Vec<Shown>);

/// The page. `when` is the beginning of the time, as people read it.
pub(crate) fn page(boards: &[Drawn], span: Span, when: &str) -> String {
    let panels: usize = boards.iter().map(|(board, _)| board.panels.len()).sum();
    let queries: usize = boards.iter().flat_map(|(board, _)| &board.panels).map(|panel| panel.targets.len()).sum();
    let faults: Vec<&String> = boards.iter().flat_map(|(_, shown)| shown).flat_map(|shown| &shown.faults).collect();
    let links = boards.iter().map(|(board, _)| format!("<a href=\"#{}\">{}</a>", id(board), escaped(short(board))));
    let list = faults.iter().map(|fault| format!("<li>{}</li>", escaped(fault)));
    let faults = if faults.is_empty() {
        String::new()
    } else {
        format!("<section class=\"faults\"><h2>Faults</h2><ul>{}</ul></section>", list.collect::<String>())
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Redoubt: the dashboards</title><style>{STYLE}</style></head><body><main><h1>The dashboards, drawn</h1>\
         <p class=\"lead\">What a Prometheus answered to the {queries} queries of {panels} panels while <code>cargo xtask demo</code> told its story: {:.0} s from {}. \
         Grafana draws the same of <code>infra/watching/dashboards</code>.</p><nav>{}</nav>{faults}{}</main></body></html>\n",
        span.to - span.from,
        escaped(when),
        links.collect::<String>(),
        boards.iter().map(|drawn| section(drawn, span)).collect::<String>(),
    )
}

fn short(board: &Board) -> &str {
    board.title.rsplit(": ").next().unwrap_or(&board.title) // Default: it has one part.
}

fn id(board: &Board) -> String {
    short(board).chars().filter(char::is_ascii_alphanumeric).collect()
}

fn section((board, shown): &Drawn, span: Span) -> String {
    // Grafana's rows have a height; here a row is as high as its highest panel.
    let rows: BTreeSet<u64> = board.panels.iter().map(|panel| panel.place.y).collect();
    let panels = board.panels.iter().zip(shown).map(|(panel, shown)| {
        let row = rows.iter().position(|y| *y == panel.place.y).map_or(1, |row| row + 1); // Default: it is one of them.
        let place = format!("--x:{};--w:{};--y:{row}", panel.place.x + 1, panel.place.width);
        format!("<article style=\"{place}\">{}</article>", article(panel, shown, span))
    });
    format!(
        "<section id=\"{}\"><h2>{}</h2><p class=\"lead\">{}</p><div class=\"board\">{}</div></section>",
        id(board),
        escaped(short(board)),
        escaped(&board.description),
        panels.collect::<String>()
    )
}

fn article(panel: &Panel, shown: &Shown, span: Span) -> String {
    let mut series: Vec<Series> = shown.series.clone();
    let description = if panel.description.is_empty() {
        String::new()
    } else {
        format!("<p class=\"about\">{}</p>", escaped(&panel.description))
    };
    let drawn = match panel.kind {
        _ if series.is_empty() => "<p class=\"nothing\">nothing to show</p>".to_owned(),
        Kind::Stat => stat(panel, &series),
        Kind::Timeseries => {
            series.sort_by(|one, other| other.most().total_cmp(&one.most()));
            graph(panel, &series, span)
        }
    };
    let reasons =
        shown.reasons.iter().map(|reason| format!("<p class=\"about\">Not in this run: {}</p>", escaped(reason)));
    let faults = shown.faults.iter().map(|fault| format!("<p class=\"fault\">{}</p>", escaped(fault)));
    let queries = panel.targets.iter().map(|target| format!("<code>{}</code>", escaped(&target.query)));
    format!(
        "<h3>{}</h3>{description}{drawn}{}{}<details class=\"queries\"><summary>Queries</summary>{}</details>",
        escaped(&panel.title),
        reasons.collect::<String>(),
        faults.collect::<String>(),
        queries.collect::<String>()
    )
}

fn stat(panel: &Panel, series: &[Series]) -> String {
    let tiles = series
        .iter()
        .map(|one| format!("<div><b>{}</b><span>{}</span></div>", panel.unit.write(one.last()), escaped(&one.name)));
    format!("<div class=\"stat\">{}</div>", tiles.collect::<String>())
}

fn graph(panel: &Panel, series: &[Series], span: Span) -> String {
    let axis = Axis::over(series);
    let marks = axis.marks(panel.unit).into_iter().map(|mark| format!("<span>{mark}</span>"));
    let times = (0..=TIMES)
        .map(|number| format!("<span>{:.0} s</span>", (span.to - span.from) * f64::from(number) / f64::from(TIMES)));
    let label = format!("{}: {} lines", panel.title, series.len());
    format!(
        "<div class=\"graph\"><div class=\"values\">{}</div><div class=\"plot\">{}</div><div class=\"times\">{}</div></div>{}",
        marks.collect::<String>(),
        chart::lines(series, span, &axis, &label),
        times.collect::<String>(),
        legend(panel, series)
    )
}

fn legend(panel: &Panel, series: &[Series]) -> String {
    let rows: Vec<String> = series
        .iter()
        .enumerate()
        .map(|(number, one)| {
            format!(
                "<tr><td><svg viewBox=\"0 0 18 6\" aria-hidden=\"true\"><path class=\"{}\" d=\"M1 3H17\"/></svg>{}</td><td>{}</td><td>{}</td></tr>",
                chart::style(number),
                escaped(&one.name),
                panel.unit.write(one.last()),
                panel.unit.write(one.most())
            )
        })
        .collect();
    let (first, others) = rows.split_at(NAMED.min(rows.len()));
    let table = |rows: &[String]| {
        let head = "<tr><th>line</th><th>last</th><th>most</th></tr>";
        format!("<table><thead>{head}</thead><tbody>{}</tbody></table>", rows.concat())
    };
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("<details><summary>{} more</summary>{}</details>", others.len(), table(others))
    };
    format!("{}{others}", table(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_is_on_the_page_with_its_faults_and_reasons_and_nothing_is_fetched() {
        let span = Span { from: 0.0, to: 60.0, step: 1.0 };
        let boards: Vec<Drawn> = super::super::boards::all()
            .unwrap()
            .into_iter()
            .map(|board| {
                let shown = board.panels.iter().map(|_| Shown {
                    series: (0..12)
                        .map(|number| Series {
                            name: format!("<line {number}>"),
                            points: vec![(1.0, f64::from(number))],
                        })
                        .collect(),
                    reasons: vec!["no reason".to_owned()],
                    faults: vec!["a fault & no more".to_owned()],
                });
                let shown = shown.collect();
                (board, shown)
            })
            .collect();
        let page = page(&boards, span, "noon");
        for (board, _) in &boards {
            for panel in &board.panels {
                assert!(page.contains(&format!("<h3>{}</h3>", escaped(&panel.title))), "{}", panel.title);
                for target in &panel.targets {
                    assert!(page.contains(&format!("<code>{}</code>", escaped(&target.query))), "{}", target.query);
                }
            }
        }
        let panels: usize = boards.iter().map(|(board, _)| board.panels.len()).sum();
        // Once in its panel, and once at the head.
        assert_eq!(page.matches("a fault &amp; no more").count(), 2 * panels);
        assert_eq!(page.matches("Not in this run: no reason").count(), panels);
        assert!(page.contains("<summary>4 more</summary>") && !page.contains("<line"));
        for fetched in ["<script", "http:", "https:", "src=", "url(", "@import"] {
            assert!(!page.contains(fetched), "{fetched}");
        }
    }
}
