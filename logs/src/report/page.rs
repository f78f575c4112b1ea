//! The page: its frame, and all that is embedded in it.

use super::charts;
use super::data::Report;
use super::sections;
use super::text::escape;

const TEMPLATE: &str = include_str!("../../report/page.html");
const STYLE: &str = include_str!("../../report/page.css");
/// In this order: later ones use earlier ones.
const SCRIPTS: [&str; 5] = [
    include_str!("../../report/text.js"),
    include_str!("../../report/canvas.js"),
    include_str!("../../report/latency.js"),
    include_str!("../../report/scatter.js"),
    include_str!("../../report/page.js"),
];
const UPLOT: &str = include_str!("../../report/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../report/uplot/uPlot.min.css");
const UPLOT_LICENCE: &str = include_str!("../../report/uplot/LICENSE");

impl Report {
    /// The report as one file of HTML. It needs nothing else, and asks no network for anything.
    pub fn html(&self) -> String {
        // The scripts share names with each other, but not with uPlot.
        let scripts = format!("(() => {{\n\"use strict\";\n{}}})();", SCRIPTS.concat());
        fill(TEMPLATE, |name| match name {
            "title" => escape(&self.title),
            "uplot_licence" => UPLOT_LICENCE.to_owned(),
            "uplot_style" => UPLOT_STYLE.to_owned(),
            "style" => STYLE.to_owned(),
            "sections" => sections::html(self),
            "data" => charts::json(self),
            "uplot" => UPLOT.to_owned(),
            "scripts" => scripts.clone(),
            "times" if self.is_utc => "Times are UTC.".to_owned(),
            "times" => "Times are counted from the first row.".to_owned(),
            "version" => env!("CARGO_PKG_VERSION").to_owned(),
            _ => String::new(),
        })
    }
}

/// Puts texts in the place of `{{name}}`. In what is put there nothing is replaced.
fn fill(template: &str, text: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or(("", part));
        page.push_str(&text(name));
        page.push_str(rest);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::data::{Bucket, Candidate, FaultRow, Pause, Run, Span};
    use super::*;

    /// Each text of a report is this.
    fn hostile(text: &str) -> Report {
        let text = || text.to_owned();
        Report {
            title: text(),
            profile: vec![(text(), text())],
            warnings: vec![text()],
            last_ns: 9,
            latencies: vec![Bucket { calls: 1, least_ns: 1, median_ns: 1, greatest_ns: 1, ..Bucket::default() }],
            suspects: vec![Span { label: text(), ..Span::default() }],
            percentiles: vec![(0.0, 1), (0.5, 1)],
            runs: vec![Run {
                name: text(),
                pauses: vec![Pause { reason: text(), evidence: text(), ..Pause::default() }],
                summary: vec![(text(), text())],
                ..Run::default()
            }],
            trade_off: vec![Candidate { name: text(), delay_ns: 1.0, false_trips_a_month: 1.0, chosen: true }],
            fault_columns: vec![text(), text()],
            faults: vec![FaultRow { fault: text(), cells: vec![text()] }],
            odds: vec![text()],
            settings: vec![(text(), text(), text())],
            toml: text(),
            ..Report::default()
        }
    }

    /// The tags, in their order, with their attributes cut off. Scripts, styles and comments are left out.
    fn tags(html: &str) -> Vec<&str> {
        let (mut tags, mut rest) = (Vec::new(), html);
        while let Some((_, after)) = rest.split_once('<') {
            if let Some(after) = after.strip_prefix("!--") {
                rest = after.split_once("-->").unwrap().1;
                continue;
            }
            let (tag, after) = after.split_once('>').unwrap();
            let name = tag.split_whitespace().next().unwrap();
            tags.push(name);
            rest = match name {
                "script" | "style" => &after[after.find(&format!("</{name}")).unwrap()..],
                _ => after,
            };
        }
        tags
    }

    /// Every tag that is opened is closed again, in order.
    fn well_formed(html: &str) {
        let mut open = Vec::new();
        for tag in tags(html) {
            match tag.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed)),
                None if ["!DOCTYPE", "meta"].contains(&tag) => {}
                None => open.push(tag),
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }

    #[test]
    fn no_text_breaks_out() {
        let calm = hostile("calm").html();
        well_formed(&calm);
        for text in [
            "</script><script>alert(1)</script>",
            "<!-- <script> \u{2028}\u{2029}",
            "\"><img src=x onerror=alert(1)>",
            "' onload='alert(1)",
            "</pre></title></style><b>",
            "--></style>{{scripts}}{{data}}",
            "&lt;b&gt; &amp; <b>",
        ] {
            let html = hostile(text).html();
            assert_eq!(tags(&html), tags(&calm), "{text}");
            // Where it stands it is as harmless as its own escape: nothing but text.
            assert!(html.contains(&escape(text)), "{text}");
            assert_eq!(html.matches("<script").count(), calm.matches("<script").count(), "{text}");
        }
    }

    #[test]
    fn nothing_makes_a_page_too() {
        let html = Report::default().html();
        well_formed(&html);
        for section in ["id=\"latency\"", "id=\"percentiles\"", "id=\"trade-off\"", "id=\"faults\"", "id=\"settings\""]
        {
            assert!(!html.contains(section), "{section}");
        }
    }

    #[test]
    fn nothing_comes_from_a_network() {
        let html = hostile("calm").html();
        assert!(
            html.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:")
        );
        for way in [" src=", "href=\"h", "url(", "@import", "<link", "<base", "<iframe", "fetch(", "XMLHttpRequest"] {
            assert!(!html.contains(way), "{way}");
        }
    }

    #[test]
    fn the_library_is_as_it_came_and_its_licence_is_kept() {
        let html = Report::default().html();
        assert!(html.contains(UPLOT) && html.contains("Permission is hereby granted, free of charge"));
        let package: serde_json::Value = serde_json::from_str(include_str!("../../report/uplot/package.json")).unwrap();
        let version = package["version"].as_str().unwrap();
        assert!(UPLOT.contains(&format!("uPlot (v{version})")), "{version}");
        // Neither may end what it stands in.
        assert!(!UPLOT_LICENCE.contains("--") && !UPLOT.contains("</script") && !UPLOT.contains("<!--"));
        assert!(SCRIPTS.iter().all(|script| !script.contains("</script") && !script.contains("<!--")));
    }
}
