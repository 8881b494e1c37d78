//! Both families in one drawing: width against one quantity, on logarithmic axes.

use lnsp::note::{self, Family};
use lnsp::sizes::SizeRow;

use super::device::{Results, key};
use super::paper::label;
use super::settings::Settings;
use crate::page::axes::{Scale, decades};
use crate::page::html::escape;

/// What can be shown, as it stands in the address and in words; the default first.
pub(super) const QUANTITIES: [(&str, &str); 5] = [
    ("parameters", "parameters"),
    ("bytes", "MB of weights"),
    ("training", "MB in training"),
    ("flops", "FLOPs a vector"),
    ("time", "ms for one vector"),
];

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 372.0;

/// Points that share a look.
struct Series {
    name: &'static str,
    color: &'static str,
    /// The note's own figures are rings.
    ring: bool,
    /// Width, value, and what a pointer is told.
    points: Vec<(f64, f64, String)>,
}

/// The note's value and ours; ours is absent before it is measured.
fn values(name: &str, settings: &Settings, row: &SizeRow, results: &Results) -> [Option<f64>; 2] {
    let noted = row.note;
    match name {
        "bytes" => [noted.map(|note| note.size_mb.value), Some(settings.bytes(row) as f64 / 1e6)],
        "training" => [noted.map(|note| note.ram_mb.value), Some(row.training.total as f64 / 1e6)],
        "flops" => [None, Some(row.flops_per_vector as f64)],
        "time" => {
            let of_b = noted.filter(|note| note.family == Family::B);
            let listed = of_b.and_then(|note| note::inference_ms(note.width));
            let measured = results.get(&key(settings, row));
            let warm = measured.and_then(|m| m.warm.iter().find(|warm| warm.batch == 1));
            [listed, warm.map(|warm| warm.ms_per_vector())]
        }
        _ => [noted.map(|note| note.parameters.value), Some(row.parameters as f64)],
    }
}

fn series(name: &str, settings: &Settings, results: &Results) -> Vec<Series> {
    let empty = |name, color, ring| Series { name, color, ring, points: Vec::new() };
    let mut all = vec![
        empty("family A, note", "#c96f33", true),
        empty("family A", "#c96f33", false),
        empty("family B, note", "#2f7fb5", true),
        empty("family B", "#2f7fb5", false),
        empty("your own", "#459367", false),
    ];
    for row in settings.all() {
        let at = match row.family.filter(|_| row.note.is_some()) {
            Some(Family::A) => 0,
            Some(Family::B) => 2,
            None => 3,
        };
        let width = row.arch.widths()[1] as f64;
        let [noted, ours] = values(name, settings, &row, results);
        let mut push = |series: usize, value: Option<f64>, whose: &str| {
            if let Some(value) = value.filter(|value| *value > 0.0) {
                let told = format!("{}{whose}: {}", label(&row), short(value));
                all[series].points.push((width, value, told));
            }
        };
        push(at, noted, ", note");
        push(at + 1, ours, "");
    }
    all.retain(|series| !series.points.is_empty());
    all
}

/// Three digits and a prefix.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.4} G", v / 1e9),
        v if v >= 1e6 => format!("{:.3} M", v / 1e6),
        v if v >= 1e4 => format!("{:.1} k", v / 1e3),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.4}"),
    }
}

/// The drawing, an SVG of its own.
pub(super) fn draw(settings: &Settings, name: &str, results: &Results) -> String {
    let title = QUANTITIES.iter().find(|q| q.0 == name).unwrap_or(&QUANTITIES[0]).1;
    let all = series(name, settings, results);
    let points = || all.iter().flat_map(|series| &series.points);
    let span = |pick: fn(&(f64, f64, String)) -> f64| {
        let both = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
        points().map(pick).fold((f64::MAX, f64::MIN), both)
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"currentColor\">\
         <title>{title} by width</title>"
    );
    if points().next().is_none() {
        return out + "<text x=\"20\" y=\"40\">Nothing is measured yet.</text></svg>";
    }
    let wider = |(low, high): (f64, f64), by: f64| (low / by, high * by);
    let across = Scale::log(wider(span(|point| point.0), 1.1), (LEFT, RIGHT));
    let values = span(|point| point.1);
    let room = if values.1 < 2.0 * values.0 { 1.6 } else { 1.15 };
    let up = Scale::log(wider(values, room), (BOTTOM, TOP));
    let (x, y) = (|value| across.at(value), |value| up.at(value));
    out += &up.rows(&across, &up.among(decades()), tick);
    let widths = across.among((4..=13).map(|power| f64::from(1u32 << power)));
    out += &across.columns(&up, &widths, |width| format!("{width}"));
    out += &format!(
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">S or N</text>\
         <text x=\"{LEFT}\" y=\"16\" font-weight=\"600\">{title}</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 38.0
    );
    let mut legend = LEFT;
    for series in &all {
        let fill = if series.ring { "none" } else { series.color };
        let mark = |x: f64, y: f64, told: &str| {
            format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{fill}\" stroke=\"{}\" \
                 stroke-width=\"2\"><title>{}</title></circle>",
                series.color,
                escape(told)
            )
        };
        let dash = if series.ring { " stroke-dasharray=\"3 4\"" } else { "" };
        let line: Vec<String> =
            series.points.iter().map(|p| format!("{:.1} {:.1}", x(p.0), y(p.1))).collect();
        out += &format!(
            "<path d=\"M{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dash}/>",
            line.join("L"),
            series.color
        );
        for point in &series.points {
            out += &mark(x(point.0), y(point.1), &point.2);
        }
        out += &mark(legend + 6.0, 30.0, series.name);
        out += &format!("<text x=\"{:.0}\" y=\"34\">{}</text>", legend + 16.0, series.name);
        legend += 34.0 + 6.6 * series.name.len() as f64;
    }
    out + "</svg>"
}

/// `0.01`, `10`, `100 k`, `1 M`.
fn tick(value: f64) -> String {
    match value {
        v if v < 1e4 => format!("{v}"),
        v if v < 1e6 => format!("{} k", v / 1e3),
        v if v < 1e9 => format!("{} M", v / 1e6),
        v => format!("{} G", v / 1e9),
    }
}
