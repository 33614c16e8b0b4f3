//! Charts as SVG, for the HTML page and for single files.
//!
//! Elements refer to class names only; the surrounding style sheet sets the colours, so that one
//! drawing serves light and dark pages. [`Chart::standalone`] includes its own style sheet.

mod figures;
mod forest;
mod plot;
mod scale;
mod svg;

pub(crate) use figures::{beside, charts};
pub(crate) use svg::escape;

/// Style sheet of colours; every page and every standalone chart begins with it.
pub(crate) const PALETTE: &str = include_str!("chart/palette.css");

/// Style sheet of the class names that drawings use.
pub(crate) const INK: &str = include_str!("chart/ink.css");

/// Chart with title and caption.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// File name without the extension.
    pub(crate) name: String,
    /// Title of the chart.
    pub(crate) title: String,
    /// Caption that explains the chart.
    pub(crate) caption: String,
    /// Drawing, as an `<svg>` element.
    pub(crate) svg: String,
}

impl Chart {
    /// Returns the drawing as a complete SVG file.
    pub(crate) fn standalone(&self) -> String {
        let style = format!(
            "<style>{PALETTE}{INK}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>"
        );
        match self.svg.split_once('>') {
            Some((open, rest)) => format!("{open}>{style}{rest}\n"),
            None => self.svg.clone(),
        }
    }
}
