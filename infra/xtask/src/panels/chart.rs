//! Lines over a time, as SVG that stretches with its panel: all text stands beside it, and keeps its size.

use super::answers::{Series, Span};
use super::boards::Unit;
use super::markup::escaped;

/// Of the drawing's own units, whatever the panel measures on a screen.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;
/// Colors; further lines are dashed in the same ones.
pub(crate) const COLORS: usize = 8;

/// The marks of an axis of values: from nothing, or below, to at least the highest, in steps that people count in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    step: f64,
    steps: u32,
}

impl Axis {
    pub(crate) fn over(series: &[Series]) -> Self {
        let values = || series.iter().flat_map(|series| series.points.iter().map(|(_, value)| *value));
        let high = values().fold(0.0, f64::max);
        let low = values().fold(0.0, f64::min);
        let high = if high > low { high } else { low + 1.0 };
        let rough = (high - low) / 4.0;
        let power = 10f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        let step = nice.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough); // Default: one of them is.
        let low = (low / step).floor() * step;
        let mut steps = 1;
        while low + step * f64::from(steps) < high * 0.999_999 && steps < 8 {
            steps += 1;
        }
        Self { low, step, steps }
    }

    /// From the highest to the lowest, in words.
    pub(crate) fn marks(&self, unit: Unit) -> Vec<String> {
        (0..=self.steps).rev().map(|number| unit.write(self.low + self.step * f64::from(number))).collect()
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT * (1.0 - (value - self.low) / (self.step * f64::from(self.steps)))
    }
}

/// What a line looks like: its color, and from the ninth on its dashes.
pub(crate) fn style(number: usize) -> String {
    let dashes = match number / COLORS {
        0 => "",
        1 => " dashed",
        _ => " dotted",
    };
    format!("c{}{dashes}", number % COLORS)
}

/// The drawing. `label` says what it shows to whoever does not see it.
pub(crate) fn lines(series: &[Series], span: Span, axis: &Axis, label: &str) -> String {
    let grid = (0..=axis.steps).map(|number| {
        let y = HEIGHT * f64::from(number) / f64::from(axis.steps);
        format!("<path class=\"grid\" d=\"M0 {y:.1}H{WIDTH}\"/>")
    });
    let lines = series.iter().enumerate().map(|(number, one)| {
        let title = escaped(&one.name);
        format!("<path class=\"{}\" d=\"{}\"><title>{title}</title></path>", style(number), path(one, span, axis))
    });
    // What matters most is first, and so drawn last.
    let lines: Vec<String> = lines.collect();
    let lines: String = lines.into_iter().rev().collect();
    let label = escaped(label);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">{}{lines}</svg>",
        grid.collect::<String>()
    )
}

/// Where points are missing the line has a gap; a point alone is a dot.
fn path(series: &Series, Span { from, to, step }: Span, axis: &Axis) -> String {
    let mut before: Option<f64> = None;
    let parts = series.points.iter().map(|&(time, value)| {
        let (x, y) = (WIDTH * (time - from) / (to - from), axis.y(value));
        let near = before.replace(time).is_some_and(|before| time - before < step * 1.5);
        if near { format!("L{x:.1} {y:.1}") } else { format!("M{x:.1} {y:.1}h0") }
    });
    parts.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(f64, f64)]) -> Series {
        Series { name: "<it>".to_owned(), points: points.to_vec() }
    }

    #[test]
    fn an_axis_counts_as_people_do_and_has_room_for_everything() {
        for (high, marks) in [
            (0.0, ["1", "0.75", "0.5", "0.25", "0"].as_slice()),
            (7.0, ["8", "6", "4", "2", "0"].as_slice()),
            (0.021, ["0.03", "0.02", "0.01", "0"].as_slice()),
            (100.0, ["100", "75", "50", "25", "0"].as_slice()),
        ] {
            let axis = Axis::over(&[of(&[(0.0, high)])]);
            assert_eq!(axis.marks(Unit::Number), marks, "{high}");
        }
        let axis = Axis::over(&[of(&[(0.0, -3.0), (1.0, 3.0)])]);
        assert_eq!(axis.marks(Unit::Number), ["4", "2", "0", "-2", "-4"]);
    }

    #[test]
    fn a_line_has_a_gap_where_points_are_missing_and_names_are_no_markup() {
        let span = Span { from: 0.0, to: 10.0, step: 1.0 };
        let series = of(&[(0.0, 0.0), (1.0, 4.0), (9.0, 2.0)]);
        let axis = Axis::over(std::slice::from_ref(&series));
        assert_eq!(path(&series, span, &axis), "M0.0 300.0h0L100.0 0.0M900.0 150.0h0");
        let drawn = lines(&[series], span, &axis, "a \"label\"");
        assert!(drawn.contains("&lt;it&gt;") && drawn.contains("a &quot;label&quot;") && !drawn.contains("<it>"));
    }

    #[test]
    fn every_line_looks_different() {
        let styles: std::collections::BTreeSet<String> = (0..3 * COLORS).map(style).collect();
        assert_eq!(styles.len(), 3 * COLORS);
    }
}
