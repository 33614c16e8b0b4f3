//! Charts as SVG, drawn here: for the page, for READMEs, for whoever has no script engine.
//!
//! A chart says where its ink goes by class names only; colours come from the style sheet around
//! it, so that one drawing serves light and dark pages. [`Chart::standalone`] brings its own.

mod figures;
mod forest;
mod plot;
mod scale;
mod svg;

pub(crate) use figures::{beside, charts};
pub(crate) use svg::escape;

/// Colours by role; every page and every lone chart begins with them.
pub(crate) const PALETTE: &str = include_str!("chart/palette.css");

/// What the class names of a drawing mean.
pub(crate) const INK: &str = include_str!("chart/ink.css");

/// A drawing with its words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// The name of its file, without the ending.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) caption: String,
    /// The drawing, an `<svg>` element.
    pub(crate) svg: String,
}

impl Chart {
    /// The drawing as a file of its own.
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
