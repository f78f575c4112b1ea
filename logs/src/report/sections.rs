//! The sections of the page. Tables and figures are HTML, which needs no script; charts are places that the script draws into.

mod described;

use super::data::{Candidate, Pause, Report, Run};
use super::text::{escape, show_when};
use crate::show::{show_count, show_counted, show_ns};

/// A table of more pauses is folded.
const LONG: usize = 50;

pub(super) fn html(report: &Report) -> String {
    let sections = [
        ("latency", "Latency over time", latency(report)),
        ("percentiles", "Percentiles", percentiles(report)),
        ("trade-off", "Trade-off", trade_off(report)),
        ("faults", "Injected faults", faults(report)),
        ("odds", "Odds", odds(report)),
        ("settings", "Settings", settings(report)),
        ("toml", "Settings to copy", toml(report)),
    ];
    let there: Vec<_> = sections.into_iter().filter(|(.., html)| !html.is_empty()).collect();
    let links: String = there.iter().map(|(id, name, _)| format!("<a href=\"#{id}\">{name}</a>\n")).collect();
    let mut page = head(report);
    if there.len() > 1 {
        page += &format!("<nav aria-label=\"Sections\">\n{links}</nav>\n");
    }
    for (id, name, html) in there {
        page += &format!("<section id=\"{id}\">\n<h2>{name}</h2>\n{html}</section>\n");
    }
    page
}

fn head(report: &Report) -> String {
    let mut head = String::new();
    if !report.profile.is_empty() {
        head += &list(&report.profile);
    }
    if !report.warnings.is_empty() {
        let warnings: String = report.warnings.iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect();
        let name = if report.warnings.len() == 1 { "Warning" } else { "Warnings" };
        head += &format!(
            "<div class=\"warnings\" role=\"note\">\n<strong>{name}</strong>\n<ul>\n{warnings}</ul>\n</div>\n"
        );
    }
    head
}

/// Names and texts. A text without a name goes on from the one before.
fn list(pairs: &[(String, String)]) -> String {
    let mut items = String::new();
    for (name, text) in pairs {
        // A description list begins with a name, even if it is empty.
        if !name.is_empty() || items.is_empty() {
            items += &format!("<dt>{}</dt>\n", escape(name));
        }
        items += &format!("<dd>{}</dd>\n", escape(text));
    }
    format!("<dl>\n{items}</dl>\n")
}

/// Names and short texts side by side.
fn figures(pairs: &[(String, String)]) -> String {
    let items: String = pairs
        .iter()
        .map(|(name, text)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(text)))
        .collect();
    format!("<dl class=\"figures\">\n{items}</dl>\n")
}

/// A place for a chart, with its title and its text alternative.
fn chart(kind: &str, run: Option<usize>, title: &str, described: &str) -> String {
    let run = run.map_or(String::new(), |run| format!(" data-run=\"{run}\""));
    let (title, described) = (escape(title), escape(described));
    format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <div class=\"chart\" data-chart=\"{kind}\"{run} role=\"img\" aria-label=\"{title}. {described}\"></div>\n\
         <p class=\"readout\" aria-hidden=\"true\"></p>\n</figure>\n"
    )
}

/// A table that scrolls by itself where it is too wide. Cells are HTML; a column whose name begins with `#` has numbers.
fn table(name: &str, columns: &[&str], rows: impl Iterator<Item = (bool, Vec<String>)>) -> String {
    let class = |at: usize| match columns.get(at) {
        Some(column) if column.starts_with('#') => " class=\"number\"",
        _ => "",
    };
    let head: String = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("<th scope=\"col\"{}>{}</th>", class(at), escape(column.trim_start_matches('#'))))
        .collect();
    let body: String = rows
        .map(|(is_chosen, cells)| {
            let cells: String =
                cells.iter().enumerate().map(|(at, cell)| format!("<td{}>{cell}</td>", class(at))).collect();
            format!("<tr{}>{cells}</tr>\n", if is_chosen { " class=\"chosen\"" } else { "" })
        })
        .collect();
    format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table>\n</div>\n",
        escape(name)
    )
}

fn latency(report: &Report) -> String {
    if report.latencies.is_empty() && report.runs.is_empty() {
        return String::new();
    }
    let mut html = legend(report);
    let is_drawn = report.latencies.iter().any(|bucket| bucket.calls > bucket.lost);
    if !is_drawn {
        html += "<p>No call came back, so there is no chart.</p>\n";
    } else if report.runs.is_empty() {
        html += &chart("latency", None, "Latency over time", &described::latency(report, None));
    }
    for (at, run) in report.runs.iter().enumerate() {
        html += &format!("<div class=\"run\">\n<h3>{}</h3>\n", escape(&run.name));
        if is_drawn {
            let title = format!("Latency over time, {}", run.name);
            html += &chart("latency", Some(at), &title, &described::latency(report, Some(run)));
        }
        if !run.summary.is_empty() {
            html += &figures(&run.summary);
        }
        html += &pauses(report, run);
        html += "</div>\n";
    }
    if !report.suspects.is_empty() {
        let rows = report.suspects.iter().map(|span| {
            (false, vec![when(report, span.from_ns), lasted(span.from_ns, span.to_ns), escape(&span.label)])
        });
        html += "<h3>Left out</h3>\n";
        html += &folded(
            report.suspects.len(),
            "span",
            table("Spans that were left out", &["#from", "#lasted", "why"], rows),
        );
    }
    html
}

/// What the signs of the chart mean: those that it has.
fn legend(report: &Report) -> String {
    let has_lost = report.latencies.iter().any(|bucket| bucket.lost > 0);
    let has_pauses = report.runs.iter().any(|run| !run.pauses.is_empty());
    let has_threshold = report.runs.iter().any(|run| run.threshold_ns > 0);
    let signs: String = [
        ("median", "median", true),
        ("band", "least to greatest", true),
        ("lost", "calls that never came back", has_lost),
        ("threshold", "threshold", has_threshold),
        ("pause", "paused", has_pauses),
        ("suspect", "left out", !report.suspects.is_empty()),
    ]
    .into_iter()
    .filter(|(.., is_there)| *is_there)
    .map(|(class, name, _)| format!("<li><span class=\"sign {class}\"></span>{name}</li>\n"))
    .collect();
    format!("<ul class=\"legend\">\n{signs}</ul>\n")
}

fn pauses(report: &Report, run: &Run) -> String {
    if run.pauses.is_empty() {
        return "<p class=\"none\">No pause.</p>\n".to_owned();
    }
    let row = |pause: &Pause| {
        let cells = vec![
            when(report, pause.from_ns),
            lasted(pause.from_ns, pause.to_ns),
            show_count(pause.reopened),
            escape(&pause.reason),
            escape(&pause.evidence),
        ];
        (false, cells)
    };
    let columns = ["#from", "#lasted", "#reopened", "reason", "evidence"];
    let table = table(&format!("Pauses, {}", run.name), &columns, run.pauses.iter().map(row));
    folded(run.pauses.len(), "pause", table)
}

/// Folds what is long. In print it is opened.
fn folded(count: usize, what: &str, table: String) -> String {
    if count <= LONG {
        return table;
    }
    format!(
        "<details class=\"opens-in-print\">\n<summary>{}</summary>\n{table}</details>\n",
        show_counted(count as u64, what)
    )
}

fn when(report: &Report, at_ns: u64) -> String {
    escape(&show_when(at_ns, report.first_ns, report.is_utc))
}

fn lasted(from_ns: u64, to_ns: u64) -> String {
    show_ns(to_ns.saturating_sub(from_ns))
}

fn percentiles(report: &Report) -> String {
    if report.percentiles.is_empty() {
        return String::new();
    }
    chart("percentiles", None, "Latency by percentile", &described::percentiles(report))
}

fn trade_off(report: &Report) -> String {
    if report.trade_off.is_empty() {
        return String::new();
    }
    let mut html = "<p>Each point is a candidate for the settings. Further left a fault is found sooner; further down there are fewer \
                    false trips.</p>\n"
        .to_owned();
    html += &chart("trade-off", None, "False trips a month against delay", &described::trade_off(report));
    let row = |candidate: &Candidate| {
        let name = escape(&candidate.name);
        let name = if candidate.chosen { format!("<strong>{name}</strong> (chosen)") } else { name };
        let cells = vec![name, described::delay(candidate.delay_ns), described::rate(candidate.false_trips_a_month)];
        (candidate.chosen, cells)
    };
    let columns = ["candidate", "#delay", "#false trips a month"];
    let table = table("Candidates", &columns, report.trade_off.iter().map(row));
    let count = show_counted(report.trade_off.len() as u64, "candidate");
    html + &format!("<details>\n<summary>{count}</summary>\n{table}</details>\n")
}

fn faults(report: &Report) -> String {
    if report.faults.is_empty() {
        return String::new();
    }
    let columns: Vec<&str> = report.fault_columns.iter().map(String::as_str).collect();
    let rows = report.faults.iter().map(|row| {
        let cells = std::iter::once(&row.fault).chain(&row.cells).map(|text| escape(text)).collect();
        (false, cells)
    });
    table("Injected faults", &columns, rows)
}

fn odds(report: &Report) -> String {
    report.odds.iter().map(|text| format!("<p>{}</p>\n", escape(text))).collect()
}

fn settings(report: &Report) -> String {
    if report.settings.is_empty() {
        return String::new();
    }
    let rows = report.settings.iter().map(|(name, value, reason)| {
        (
            false,
            vec![format!("<code>{}</code>", escape(name)), format!("<code>{}</code>", escape(value)), escape(reason)],
        )
    });
    table("Settings", &["setting", "value", "reason"], rows)
}

fn toml(report: &Report) -> String {
    if report.toml.is_empty() {
        return String::new();
    }
    // A parser drops the line end that comes first in a `pre`.
    format!(
        "<div class=\"copy\">\n<button type=\"button\" data-copies=\"copied-toml\" hidden>Copy</button>\n\
         <span class=\"said\" role=\"status\"></span>\n</div>\n<pre id=\"copied-toml\" tabindex=\"0\">\n{}</pre>\n",
        escape(&report.toml)
    )
}
