//! Writer of SVG elements.

use std::fmt::Display;

/// Returns the text with the special characters of markup escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Point in the units of the drawing.
pub(super) type Spot = (f64, f64);

/// Alignment of a text to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Drawing in progress.
#[derive(Debug)]
pub(super) struct Drawing(String);

impl Drawing {
    /// Returns an empty drawing; `label` is its text for screen readers.
    pub(super) fn new(width: f64, height: f64, label: &str) -> Self {
        let label = escape(label);
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
             aria-label=\"{label}\" viewBox=\"0 0 {width:.0} {height:.0}\">"
        ))
    }

    pub(super) fn line(&mut self, class: &str, from: Spot, to: Spot) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.0 += &format!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// Draws a line through all points; nothing for fewer than two.
    pub(super) fn path(&mut self, class: &str, spots: &[Spot]) {
        if spots.len() < 2 {
            return;
        }
        let steps = spots.iter().enumerate().map(|(index, (x, y))| {
            let step = if index == 0 { 'M' } else { 'L' };
            format!("{step}{x:.1} {y:.1}")
        });
        let steps: String = steps.collect();
        self.0 += &format!("<path class=\"{class}\" d=\"{steps}\"/>");
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): Spot, radius: f64) {
        self.0 +=
            &format!("<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
    }

    pub(super) fn text(&mut self, class: &str, (x, y): Spot, anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(&text.to_string());
        self.0 += &format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    pub(super) fn rectangle(&mut self, class: &str, (x, y): Spot, (width, height): Spot) {
        self.0 += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"/>"
        );
    }

    /// Draws an area with a tooltip.
    pub(super) fn strip(&mut self, (x, y): Spot, (width, height): Spot, tip: &str) {
        let tip = escape(tip);
        self.0 += &format!(
            "<rect class=\"strip\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" data-tip=\"{tip}\"><title>{tip}</title></rect>"
        );
    }

    /// Returns the finished `<svg>` element.
    pub(super) fn finish(mut self) -> String {
        self.0 += "</svg>";
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
        let mut drawing = Drawing::new(10.0, 10.0, "<script>");
        drawing.text("name", (1.0, 2.0), Anchor::Middle, "</svg>");
        drawing.strip((0.0, 0.0), (1.0, 1.0), "\"><script>");
        let svg = drawing.finish();
        assert!(
            !svg.contains("<script>") && svg.matches("</svg>").count() == 1,
            "{svg}"
        );
    }
}
