//! The ratios as a picture: how far each is from its goal. It takes its colours from whether the reader's screen is light
//! or dark.

use std::fmt::Write as _;

use crate::goals::{Goal, Ratio};

const WIDTH: f64 = 860.0;
/// Where bars begin, and how long one is that just meets its goal.
const LEFT: f64 = 400.0;
const GOAL: f64 = 180.0;
/// A bar that is better than this is cut off.
const MOST: f64 = 2.0;
const LINE: f64 = 20.0;
const TOP: f64 = 64.0;

const STYLE: &str = "
    text { font: 12px system-ui, sans-serif; fill: #1f2328 }
    .head { font-weight: 600; font-size: 14px }
    .quiet { fill: #59636e }
    .met { fill: #1a7f37 } .missed { fill: #bc4c00 }
    .spread { stroke: #1f2328; stroke-width: 1.5 }
    .goal { stroke: #59636e; stroke-dasharray: 4 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc } .quiet { fill: #9198a1 }
      .met { fill: #3fb950 } .missed { fill: #f0883e }
      .spread { stroke: #f0f6fc } .goal { stroke: #9198a1 }
    }
  ";

/// The picture, as SVG.
pub(crate) fn svg(ratios: &[Ratio]) -> String {
    let ratios: Vec<_> = ratios
        .iter()
        .filter(|ratio| ratio.goal != Goal::None)
        .collect();
    let height = TOP + LINE * ratios.len() as f64 + 24.0;
    let label = "How far each ratio is from its goal; longer is better";
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n  \
         <style>{STYLE}</style>\n  <text class=\"head\" x=\"8\" y=\"22\">{label}</text>\n"
    );
    let goal = LEFT + GOAL;
    let _written = writeln!(
        svg,
        "  <text class=\"quiet\" x=\"{goal}\" y=\"46\" text-anchor=\"middle\">goal</text>\n  \
         <text class=\"quiet\" x=\"8\" y=\"46\">median as a bar, least and greatest as a line</text>"
    );
    let mut before = "";
    for (number, ratio) in ratios.iter().enumerate() {
        let what = if ratio.what == before { "" } else { ratio.what };
        before = ratio.what;
        bar(&mut svg, TOP + LINE * number as f64, what, ratio);
    }
    let bottom = height - 20.0;
    let _written = writeln!(
        svg,
        "  <line class=\"goal\" x1=\"{goal}\" y1=\"52\" x2=\"{goal}\" y2=\"{bottom:.0}\"/>\n</svg>"
    );
    svg
}

fn bar(svg: &mut String, top: f64, what: &str, ratio: &Ratio) {
    let place = |value: f64| {
        let share = match ratio.goal {
            Goal::AtLeast(limit) => value / limit,
            Goal::AtMost(limit) => limit / value,
            Goal::None => 0.0,
        };
        GOAL * share.clamp(0.0, MOST)
    };
    let (width, class) = (place(ratio.spread.median), ratio.verdict());
    let ends = [place(ratio.spread.low), place(ratio.spread.high)];
    let (from, to) = (LEFT + ends[0].min(ends[1]), LEFT + ends[0].max(ends[1]));
    let (text, middle) = (top + 12.0, top + 8.0);
    let (names, figures) = (LEFT - 8.0, LEFT + GOAL * MOST + 8.0);
    let (median, goal) = (ratio.spread.median, ratio.goal_in_words());
    let _written = writeln!(
        svg,
        "  <text x=\"8\" y=\"{text}\">{what}</text>\n  \
         <text class=\"quiet\" x=\"{names}\" y=\"{text}\" text-anchor=\"end\">{}</text>\n  \
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"12\"/>\n  \
         <line class=\"spread\" x1=\"{from:.1}\" y1=\"{middle}\" x2=\"{to:.1}\" y2=\"{middle}\"/>\n  \
         <text x=\"{figures}\" y=\"{text}\">{median:.2} ({goal})</text>",
        ratio.of,
        top + 2.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Spread;

    #[test]
    fn a_ratio_at_its_goal_ends_at_the_line_and_one_without_a_goal_is_left_out() {
        let ratio = |goal| Ratio {
            what: "one / other",
            of: "sqlite-small".to_owned(),
            goal,
            spread: Spread::of(&[0.5]),
        };
        let svg = svg(&[ratio(Goal::AtLeast(0.5)), ratio(Goal::None)]);
        assert!(svg.contains("class=\"met\" x=\"400\""), "{svg}");
        assert!(svg.contains("width=\"180.0\""), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 1);
    }
}
