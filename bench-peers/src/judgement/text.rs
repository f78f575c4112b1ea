//! Figures in two digits, as the tables and plots show them.

/// Of calls: with k, M or G for thousands, millions or billions.
pub(crate) fn calls(calls: f64) -> String {
    match calls {
        ..995.0 => two_digits(calls),
        ..995e3 => format!("{} k", two_digits(calls / 1e3)),
        ..995e6 => format!("{} M", two_digits(calls / 1e6)),
        ..1e12 => format!("{} G", two_digits(calls / 1e9)),
        _ => "> 1000 G".to_owned(),
    }
}

/// Likewise, of an axis with powers of ten.
pub(crate) fn ticks(figure: f64) -> String {
    if figure < 1e12 { calls(figure).replace(".0", "") } else { format!("{:.0} G", figure / 1e9) }
}

pub(crate) fn hours(hours: f64) -> String {
    match hours {
        ..1.0 => format!("{} min", two_digits(hours * 60.0)),
        ..48.0 => format!("{} h", two_digits(hours)),
        ..8760.0 => format!("{} days", two_digits(hours / 24.0)),
        _ => format!("{} years", calls(hours / 8766.0)),
    }
}

/// A share, in percent.
pub(crate) fn percent(share: f64) -> String {
    let percent = (share * 1e8).round() / 1e6;
    format!("{percent} %")
}

/// Up to three before the point.
fn two_digits(figure: f64) -> String {
    match figure {
        ..0.095 => format!("{figure:.3}"),
        ..0.95 => format!("{figure:.2}"),
        ..9.95 => format!("{figure:.1}"),
        ..99.5 => format!("{figure:.0}"),
        _ => format!("{:.0}", (figure / 10.0).round() * 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_two_digits() {
        let texts = [1.0, 9.94, 11.4, 123.0, 994.0, 996.0, 12_345.0, 994_999.0, 1.23e6, 4.56e11, 2e12].map(calls);
        assert_eq!(texts, ["1.0", "9.9", "11", "120", "990", "1.0 k", "12 k", "990 k", "1.2 M", "460 G", "> 1000 G"]);
        let texts = [0.5, 1.44, 47.0, 100.0, 10_000.0, 8766e5].map(hours);
        assert_eq!(texts, ["30 min", "1.4 h", "47 h", "4.2 days", "1.1 years", "100 k years"]);
        assert_eq!([0.002, 0.0005, 1.0].map(percent), ["0.2 %", "0.05 %", "100 %"]);
    }
}
