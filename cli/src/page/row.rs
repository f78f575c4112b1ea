//! A page as a row of a table, in whatever width there is.

use crate::labels;
use crate::page::folder::Listed;
use crate::page::note;
use crate::page::reading::Reading;
use crate::page::standing::Standing;
use crate::show::{escape, show_count};
use crate::zone::Zone;
use console::{Alignment, measure_text_width, pad_str};
use trip99::shared::SharedError;

/// What a table shows of a page. `None` is what isn't there.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) standing: Standing,
    state: String,
    since_wall_ns: Option<u64>,
    p99_ns: Option<u64>,
    threshold_ns: Option<u64>,
    slow: Option<f64>,
    in_flight: Option<u32>,
    oldest_ns: Option<u64>,
    refused: Option<u64>,
    holders: String,
    owner: String,
    labels: String,
    /// Why it stands as it does; empty if all is well.
    pub(crate) why: String,
}

impl Row {
    pub(crate) fn new(page: &Listed, read: &Result<Reading, SharedError>) -> Self {
        match read {
            Ok(reading) => Self::read(page, reading),
            Err(error) => Self::unreadable(page, why_not(error, page)),
        }
    }

    /// A page that can't be read.
    pub(crate) fn unreadable(page: &Listed, why: String) -> Self {
        Self {
            name: page.place.name(),
            standing: Standing::Unreadable,
            state: Standing::Unreadable.word().to_owned(),
            since_wall_ns: None,
            p99_ns: None,
            threshold_ns: None,
            slow: None,
            in_flight: None,
            oldest_ns: None,
            refused: None,
            holders: String::new(),
            owner: String::new(),
            labels: labels::show(&page.labels),
            why,
        }
    }

    /// What the P99 is held against.
    pub(crate) fn threshold_ns(&self) -> Option<u64> {
        self.threshold_ns
    }

    fn read(page: &Listed, reading: &Reading) -> Self {
        let snapshot = reading.snapshot.as_ref();
        let filled = snapshot.filter(|snapshot| snapshot.samples > 0);
        Self {
            state: reading.state_words(),
            standing: reading.standing(),
            since_wall_ns: reading.since_wall_ns(),
            p99_ns: reading.p99_ns(),
            threshold_ns: reading.threshold_ns(),
            slow: filled.map(|snapshot| f64::from(snapshot.slow) * 100.0 / f64::from(snapshot.samples)),
            in_flight: snapshot.map(|snapshot| snapshot.in_flight),
            oldest_ns: reading.oldest_ns(),
            refused: snapshot.map(|snapshot| snapshot.refused),
            holders: note::names(&reading.holders),
            owner: format!("{} {}", reading.pid(), reading.owner_state()),
            why: reading.why(),
            ..Self::unreadable(page, String::new())
        }
    }
}

#[cfg(test)]
impl Row {
    /// A row for tests. The figures are the P99 and its threshold in milliseconds, slow samples in tenths of a percent, and calls in flight.
    pub(crate) fn sample(name: &str, standing: Standing, figures: Option<[u64; 4]>, holders: &str, why: &str) -> Self {
        let ns = |ms: u64| ms * 1_000_000;
        Self {
            name: name.to_owned(),
            standing,
            state: format!("{} (closed)", standing.word()),
            since_wall_ns: figures.map(|_| 1_700_000_000_000_000_000),
            p99_ns: figures.map(|[p99, ..]| ns(p99)).filter(|&ns| ns > 0),
            threshold_ns: figures.map(|[_, threshold, ..]| ns(threshold)),
            slow: figures.map(|[_, _, slow, _]| slow as f64 / 10.0),
            in_flight: figures.map(|[.., calls]| calls as u32),
            oldest_ns: figures.map(|[.., calls]| ns(calls * 7)).filter(|&ns| ns > 0),
            refused: figures.map(|[p99, ..]| p99 * 1_000),
            holders: holders.to_owned(),
            owner: "4711 alive".to_owned(),
            labels: "desk=rates".to_owned(),
            why: why.to_owned(),
        }
    }
}

/// Why a page can't be read. The page's path is left out, as its name is there already.
fn why_not(error: &SharedError, page: &Listed) -> String {
    let path = page.place.path.display().to_string();
    escape(&error.to_string().replace(&format!("{path} is "), "").replace(&path, "it"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Name,
    State,
    Since,
    P99,
    Limit,
    /// The course of the P99, which the caller draws.
    Trend,
    Slow,
    InFlight,
    Oldest,
    Refused,
    Owner,
    Holders,
    Labels,
}

/// What a table is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// `ls`, which is read once.
    List,
    /// `top`, which goes on.
    Live,
}

/// All columns, each with the least width of a terminal that has room for it, and the view that has it, if it isn't both.
const COLUMNS: [(Column, usize, Option<View>); 13] = [
    (Column::Name, 0, None),
    (Column::State, 0, None),
    (Column::Since, 80, None),
    (Column::P99, 0, None),
    (Column::Limit, 0, None),
    (Column::Trend, 100, Some(View::Live)),
    (Column::Slow, 80, None),
    (Column::InFlight, 120, None),
    (Column::Oldest, 120, None),
    (Column::Refused, 120, None),
    (Column::Owner, 140, Some(View::List)),
    (Column::Holders, 160, None),
    (Column::Labels, 190, None),
];

/// A table of rows.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    name_width: usize,
    unit: Unit,
    zone: Zone,
}

/// What stands between columns.
pub(crate) const GAP: usize = 2;

impl Table {
    /// For a terminal of so many columns, of which `reserved` are taken by something else.
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = &'a Row> + Clone,
        view: View,
        zone: &Zone,
        width: usize,
        reserved: usize,
    ) -> Self {
        let longest = rows.clone().map(|row| measure_text_width(&row.name)).max().unwrap_or(0);
        let is_in =
            |&(_, least, only): &(Column, usize, Option<View>)| least <= width && only.is_none_or(|only| only == view);
        let columns = COLUMNS.into_iter().filter(is_in).map(|(column, ..)| column).collect();
        let unit = Unit::of(rows.flat_map(|row| [row.p99_ns, row.threshold_ns]).flatten());
        let mut table = Self { columns, name_width: 0, unit, zone: zone.clone() };
        let others: usize = table.columns.iter().map(|&column| table.width(column) + GAP).sum();
        let left = width.saturating_add(GAP).saturating_sub(others + reserved);
        table.name_width = longest.clamp(4, left.clamp(4, 29));
        table
    }

    pub(crate) fn width(&self, column: Column) -> usize {
        match column {
            Column::Name => self.name_width,
            Column::State => 21,
            Column::P99 | Column::Since | Column::Trend => 8,
            Column::Limit | Column::InFlight | Column::Refused => 9,
            Column::Oldest => 10,
            Column::Slow => 6,
            Column::Owner => 15,
            Column::Holders => 24,
            Column::Labels => 20,
        }
    }

    /// Whether numbers stand in it, which end below each other.
    pub(crate) fn is_number(column: Column) -> bool {
        use Column::{InFlight, Limit, Oldest, P99, Refused, Slow};
        matches!(column, P99 | Limit | Slow | InFlight | Oldest | Refused)
    }

    pub(crate) fn title(&self, column: Column) -> String {
        let unit = self.unit.name;
        match column {
            Column::Name => "page".to_owned(),
            Column::State => "state".to_owned(),
            Column::Since => "since".to_owned(),
            Column::P99 => format!("P99, {unit}"),
            Column::Limit => format!("limit, {unit}"),
            Column::Trend => "trend".to_owned(),
            Column::Slow => "slow %".to_owned(),
            Column::InFlight => "in flight".to_owned(),
            Column::Oldest => format!("oldest, {unit}"),
            Column::Refused => "refused".to_owned(),
            Column::Holders => "held by".to_owned(),
            Column::Owner => "owner".to_owned(),
            Column::Labels => "labels".to_owned(),
        }
    }

    pub(crate) fn cell(&self, row: &Row, column: Column) -> String {
        let time = |ns: Option<u64>| ns.map(|ns| self.unit.show(ns));
        let text = match column {
            Column::Name => Some(row.name.clone()),
            Column::State => Some(row.state.clone()),
            Column::Since => row.since_wall_ns.map(|wall_ns| self.zone.brief(wall_ns)),
            Column::P99 => time(row.p99_ns),
            Column::Limit => time(row.threshold_ns),
            Column::Trend => None,
            Column::Slow => row.slow.map(|percent| format!("{percent:.1}")),
            Column::InFlight => row.in_flight.map(|count| show_count(count.into())),
            Column::Oldest => time(row.oldest_ns),
            Column::Refused => row.refused.map(show_many),
            Column::Holders => Some(row.holders.clone()),
            Column::Owner => Some(row.owner.clone()),
            Column::Labels => Some(row.labels.clone()),
        };
        text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
    }

    /// A text in its column. One that is too long is cut, but in the last column.
    pub(crate) fn pad(&self, text: &str, column: Column) -> String {
        let width = self.width(column);
        if self.columns.last() == Some(&column) && !Self::is_number(column) {
            return text.to_owned();
        }
        let side = if Self::is_number(column) { Alignment::Right } else { Alignment::Left };
        pad_str(text, width, side, Some("…")).into_owned()
    }

    /// The titles of all columns.
    pub(crate) fn header(&self) -> String {
        self.line(|column| self.title(column))
    }

    pub(crate) fn line(&self, text: impl Fn(Column) -> String) -> String {
        let cells: Vec<_> = self.columns.iter().map(|&column| self.pad(&text(column), column)).collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned()
    }
}

/// A number without spaces, if they don't fit.
fn compact(count: u64) -> String {
    let text = show_count(count);
    if text.len() <= 9 { text } else { count.to_string() }
}

/// A number in at most 9 columns.
fn show_many(count: u64) -> String {
    match count {
        0..1_000_000_000 => compact(count),
        1_000_000_000..1_000_000_000_000 => format!("{} M", show_count(count / 1_000_000)),
        _ => format!("{} G", show_count(count / 1_000_000_000)),
    }
}

/// The unit of all times of a column, and how many decimals they have.
#[derive(Clone, Copy)]
struct Unit {
    name: &'static str,
    ns: u64,
    decimals: usize,
}

impl Unit {
    /// That of the longest time, with decimals for the shortest.
    fn of(times_ns: impl Iterator<Item = u64>) -> Self {
        let (mut least_ns, mut most_ns) = (u64::MAX, 0);
        for ns in times_ns.filter(|&ns| ns > 0) {
            (least_ns, most_ns) = (least_ns.min(ns), most_ns.max(ns));
        }
        let (name, ns) = match most_ns {
            10_000_000_000.. => ("s", 1_000_000_000),
            10_000_000.. | 0 => ("ms", 1_000_000),
            10_000.. => ("µs", 1_000),
            _ => ("ns", 1),
        };
        let decimals = match least_ns / (ns / 1_000).max(1) {
            _ if ns == 1 => 0,
            100_000.. => 0,
            10_000.. => 1,
            1_000.. => 2,
            _ => 3,
        };
        Self { name, ns, decimals }
    }

    /// Rounded down.
    fn show(self, ns: u64) -> String {
        let whole = show_count(ns / self.ns);
        if self.decimals == 0 {
            return whole;
        }
        let parts = 10_u64.pow(self.decimals as u32);
        let part = (u128::from(ns % self.ns) * u128::from(parts) / u128::from(self.ns)) as u64;
        let width = self.decimals;
        format!("{whole}.{part:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_the_columns_that_it_has_room_for() {
        let zone = Zone::utc();
        let rows = [Row::sample("gateway-a", Standing::Trading, Some([31, 200, 10, 1]), "", "")];
        let table = |view, width| Table::new(rows.iter(), view, &zone, width, 0);
        let least = |view| {
            [60, 79, 80, 99, 100, 119, 120, 139, 140, 159, 160, 189, 190].map(|width| table(view, width).columns.len())
        };
        assert_eq!(least(View::List), [4, 4, 6, 6, 6, 6, 9, 9, 10, 10, 11, 11, 12]);
        assert_eq!(least(View::Live), [4, 4, 6, 6, 7, 7, 10, 10, 10, 10, 11, 11, 12]);
        for view in [View::List, View::Live] {
            for width in [60, 80, 100, 120, 140, 160, 190, 200] {
                assert!(table(view, width).header().chars().count() <= width);
            }
        }
        assert!(
            !table(View::List, 200).header().contains("trend") && table(View::List, 200).header().contains("owner")
        );
        assert!(
            table(View::Live, 200).header().contains("trend") && !table(View::Live, 200).header().contains("owner")
        );
    }

    #[test]
    fn a_column_has_one_unit() {
        let shown = |times_ns: &[u64]| {
            let unit = Unit::of(times_ns.iter().copied());
            (unit.name, times_ns.iter().map(|&ns| unit.show(ns)).collect::<Vec<_>>().join(" "))
        };
        for (times_ns, name, text) in [
            (&[200_000_000, 31_000_000, 0][..], "ms", "200.0 31.0 0.0"),
            (&[200_000_000, 150_000_000], "ms", "200 150"),
            (&[200_000_000, 35_678], "ms", "200.000 0.035"),
            (&[9_999, 1], "ns", "9 999 1"),
            (&[10_000, 9_999], "µs", "10.00 9.99"),
            (&[u64::MAX, 1_000_000_000], "s", "18 446 744 073.70 1.00"),
            (&[], "ms", ""),
            (&[0], "ms", "0"),
        ] {
            assert_eq!(shown(times_ns), (name, text.to_owned()));
        }
    }
}
