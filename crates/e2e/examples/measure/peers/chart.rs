//! The chart: CPU time for a request, peer by peer, in a few scenarios.

use std::fmt::Write as _;

use super::{peer::Peer, report::Figures, scenario::Scenario};

/// What is drawn.
const SHOWN: [Scenario; 4] = [Scenario::Many, Scenario::Tls, Scenario::Cold, Scenario::Forged];
const WIDTH: f64 = 760.0;
const LABELS: f64 = 130.0;
const BARS: f64 = 480.0;
const BAR: f64 = 18.0;
const HEADING: f64 = 34.0;

/// An SVG picture that is readable on light and on dark ground.
pub(super) fn svg(figures: &Figures) -> String {
    let mut rows = Vec::new();
    for scenario in SHOWN {
        let bars = Peer::ALL.iter().filter_map(|peer| Some((*peer, figures.cpu(scenario, *peer)?)));
        rows.push((scenario, bars.collect::<Vec<_>>()));
    }
    let longest = rows.iter().flat_map(|(_, bars)| bars).map(|(_, cost)| cost.max).fold(1.0, f64::max);
    let scale = BARS / longest;
    let (mut y, mut body) = (30.0, String::new());
    for (scenario, bars) in rows {
        let _ =
            writeln!(body, r#"<text x="8" y="{:.0}" class="heading">{}</text>"#, y + 20.0, scenario.name());
        y += HEADING;
        for (peer, cost) in bars {
            let class = if peer == Peer::Ours { "ours" } else { "other" };
            let middle = y + BAR / 2.0;
            let _ = writeln!(
                body,
                r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{peer}</text>
<rect x="{LABELS}" y="{:.1}" width="{:.1}" height="{:.1}" class="{class}"/>
<line x1="{:.1}" x2="{:.1}" y1="{middle:.1}" y2="{middle:.1}" class="spread"/>
<text x="{:.1}" y="{:.0}">{:.0} µs</text>"#,
                LABELS - 8.0,
                middle + 4.0,
                y + 2.0,
                cost.median * scale,
                BAR - 4.0,
                LABELS + cost.min * scale,
                LABELS + cost.max * scale,
                LABELS + cost.max * scale + 8.0,
                middle + 4.0,
                cost.median,
            );
            y += BAR;
        }
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="sans-serif" font-size="12">
<style>
text {{ fill: #444 }}
.heading {{ font-weight: bold }}
.ours {{ fill: #1f77b4 }}
.other {{ fill: #9aa5b1 }}
.spread {{ stroke: #444; stroke-width: 1.5 }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #ccc }} .spread {{ stroke: #ccc }} }}
</style>
<text x="8" y="18">CPU time for a request, median; the line goes from the least to the most of the rounds</text>
{body}</svg>
"#,
        height = y + 12.0
    )
}
