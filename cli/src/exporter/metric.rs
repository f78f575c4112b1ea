//! What a scrape tells: families of series, each with its labels and its value.

use crate::exporter::latencies::Histogram;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;

/// Each name begins with it.
const PREFIX: &str = "trip99";

/// The labels of a series, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Labels(Vec<(String, String)>);

impl Labels {
    pub(crate) fn of(name: &str, value: impl Into<String>) -> Self {
        Self::default().with(name, value)
    }

    /// A label that is there already is replaced.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.retain(|(present, _)| present != name);
        self.0.push((name.to_owned(), value.into()));
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Real(f64),
    Many(Histogram),
}

impl From<Histogram> for Value {
    fn from(many: Histogram) -> Self {
        Self::Many(many)
    }
}

impl From<u32> for Value {
    fn from(whole: u32) -> Self {
        Self::Whole(whole.into())
    }
}

impl From<u64> for Value {
    fn from(whole: u64) -> Self {
        Self::Whole(whole)
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Whole(is_so.into())
    }
}

impl Value {
    /// Nanoseconds as seconds.
    pub(crate) fn seconds(ns: u64) -> Self {
        Self::Real(ns as f64 / 1e9)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Gauge,
    /// Its series have `_total` behind the name.
    Counter,
    Histogram,
}

/// Series of one name.
#[derive(Debug)]
pub(crate) struct Family {
    /// Without prefix, and without `_total`.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    /// Labels are a key: Prometheus takes no series twice.
    pub(crate) series: BTreeMap<Labels, Value>,
}

impl Family {
    pub(crate) fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind, series: BTreeMap::new() }
    }

    /// A gauge without labels.
    pub(crate) fn single(name: &'static str, help: &'static str, value: impl Into<Value>) -> Self {
        let series = BTreeMap::from([(Labels::default(), value.into())]);
        Self { series, ..Self::new(Kind::Gauge, name, help) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    /// The one that a client likes better, by its header `Accept`.
    pub(crate) fn wanted(accept: &str) -> Self {
        let weight = |wanted: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
                let weight =
                    parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok());
                weight.filter(|_| is_it)
            });
            ranges.fold(0.0, f64::max)
        };
        let open_metrics = weight("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= weight("text/plain") { Self::OpenMetrics } else { Self::Text }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// The families as text. Those without series are left out.
pub(crate) fn encode(families: Vec<Family>, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    match format {
        Format::OpenMetrics => text::encode(&mut text, &registry)?,
        Format::Text => prometheus_text::encode(&mut text, &registry)?,
    }
    Ok(text)
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.series.is_empty()) {
            let kind = match family.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, value) in &family.series {
                let mut series = metric.encode_family(&labels.0)?;
                match (family.kind, value) {
                    (_, Value::Many(Histogram { sum, count, buckets })) => {
                        series.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
                    }
                    (Kind::Counter, Value::Whole(whole)) => series.encode_counter::<NoLabelSet, _, u64>(whole, None)?,
                    (_, Value::Whole(whole)) => series.encode_gauge(whole)?,
                    (_, Value::Real(real)) => series.encode_gauge(real)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_format() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("text/plain;q=0.5, application/openmetrics-text; version=1.0.0 ; q=0.5", Format::OpenMetrics),
            ("text/plain, application/openmetrics-text;q=0.9", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=much", Format::Text),
            ("text/html,*/*", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::wanted(accept), format, "{accept}");
        }
    }

    #[test]
    fn both_formats_say_the_same() {
        let labels = Labels::of("page", "a\"b\\c\nd");
        let family =
            |kind, name, value| Family { series: [(labels.clone(), value)].into(), ..Family::new(kind, name, "It.") };
        let families = || {
            vec![
                family(Kind::Counter, "asks", Value::Whole(u64::MAX)),
                family(Kind::Gauge, "age_seconds", Value::seconds(1_500_000_000)),
                Family::new(Kind::Gauge, "nothing", "None."),
            ]
        };
        let page = "{page=\"a\\\"b\\\\c\\nd\"}";
        let asks = format!("trip99_asks_total{page} 18446744073709551615\n");
        let age =
            format!("# HELP trip99_age_seconds It.\n# TYPE trip99_age_seconds gauge\ntrip99_age_seconds{page} 1.5\n");
        let text = encode(families(), Format::Text).unwrap();
        assert_eq!(text, format!("# HELP trip99_asks_total It.\n# TYPE trip99_asks_total counter\n{asks}{age}"));
        let text = encode(families(), Format::OpenMetrics).unwrap();
        assert_eq!(text, format!("# HELP trip99_asks It.\n# TYPE trip99_asks counter\n{asks}{age}# EOF\n"));
    }
}
