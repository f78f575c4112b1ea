//! A report: one file of HTML with charts and tables, which works offline and prints.
//!
//! What is in it, [`Report`] holds. A [`Thinner`] makes buckets of rows, and
//! [`Profile::percentiles`](crate::profile::Profile::percentiles) has the quantiles of a log. [`Report::html`] makes the page. The page
//! asks no network for anything, and its policy forbids it: the charts are drawn by [uPlot](https://github.com/leeoniya/uPlot), which is
//! embedded, from data that is embedded as JSON.

mod data;
mod thinner;
mod text;
mod charts;
mod sections;
mod page;

pub use data::{Bucket, Candidate, FaultRow, Pause, Report, Run, Span};
pub use thinner::Thinner;
