//! FIX logs as engines write them.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use trip99_logs::fix::{self, FixOptions, Unpaired};
use trip99_logs::{Row, RowKind};

/// 2026-03-02 23:59:58 UTC.
const BASE_NS: u64 = 1_772_495_998_000_000_000;

fn options() -> FixOptions {
    FixOptions::default()
}

fn read_files(logs: &[&[u8]], options: FixOptions) -> Result<(Vec<Row>, Unpaired), String> {
    let files = logs.iter().zip('a'..).map(|(log, name)| {
        let input: Box<dyn Read> = Box::new(std::io::Cursor::new(log.to_vec()));
        (format!("{name}.log"), input)
    });
    let mut rows = fix::read(files.collect(), options).map_err(|error| error.to_string())?;
    let read = rows.by_ref().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok((read, rows.unpaired().clone()))
}

fn read(log: &str, options: FixOptions) -> Result<(Vec<Row>, Unpaired), String> {
    read_files(&[log.as_bytes()], options)
}

/// A log of QuickFIX. Each line is the milliseconds after `BASE_NS`, `>` (we send) or `<`, and the fields from 35 on, with `|`.
fn log(lines: &str) -> String {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = |line: &str| {
        let (ms, rest) = line.split_once(' ').unwrap();
        let (way, fields) = rest.split_once(' ').unwrap();
        let ids = if way == ">" { "49=US|56=VENUE" } else { "49=VENUE|56=US" };
        let ms: u64 = ms.parse().unwrap();
        let time =
            format!("20260302-23:{:02}:{:02}.{:03}", 59 + (58_000 + ms) / 60_000, (58_000 + ms) / 1000 % 60, ms % 1000)
                .replace("20260302-23:60", "20260303-00:00")
                .replace("20260302-23:61", "20260303-00:01")
                .replace("20260302-23:62", "20260303-00:02");
        format!("{time} : 8=FIX.4.4|9=100|{ids}|35={fields}|10=000|\n")
    };
    lines.map(line).collect()
}

fn row(start_ms: u64, latency_ms: u64) -> Row {
    Row {
        start_ns: BASE_NS + start_ms * 1_000_000,
        latency_ns: Some(latency_ms * 1_000_000),
        ok: true,
        kind: RowKind::Ask,
    }
}

fn failed(start_ms: u64, latency_ms: u64) -> Row {
    Row { ok: false, ..row(start_ms, latency_ms) }
}

fn lost(start_ms: u64) -> Row {
    Row { latency_ns: None, ..row(start_ms, 0) }
}

fn free(row: Row) -> Row {
    Row { kind: RowKind::Free, ..row }
}

/// A day end with everything in it.
fn field_case() -> (String, Vec<Row>, Unpaired) {
    let lines = "500 > D|34=101|11=ord1|55=XYZ
        546 < 8|34=946|11=ord1|150=A|39=A
        600 > D|34=102|11=ord2
        631 < 8|34=1031|11=ord2|150=8|39=8|58=price out of range
        700 > D|34=103|11=ord3
        702 < 8|34=1102|11=ord1|150=0
        800 > F|34=150|11=cxl1|41=ord1
        840 < 9|34=990|11=cxl1|41=ord1
        900 > 0|34=151
        1900 > D|34=104|11=ord4
        2120 < 8|34=2520|11=ord4|150=0
        2200 > D|34=105|11=ord5
        2201 > D|43=Y|34=105|11=ord5
        2225 < 8|34=2625|11=ord5|150=0
        2300 > D|34=160|11=ord6
        2310 < j|34=991|372=D|379=ord6|380=4|58=application not available
        5500 < 8|34=5900|11=ord1|150=2";
    let rows = vec![
        row(500, 46),
        row(600, 31),
        lost(700),
        free(row(800, 40)),
        row(1900, 220),
        row(2200, 25),
        failed(2300, 10),
    ];
    (log(lines), rows, Unpaired { resends: 1, lost: 1, ..Unpaired::default() })
}

#[test]
fn every_separator_gives_the_same_rows() {
    let (log, rows, unpaired) = field_case();
    for separator in ["\x01", "|", "^A", " | "] {
        let log = log.replace('|', separator);
        assert_eq!(read(&log, options()), Ok((rows.clone(), unpaired.clone())), "{separator:?}");
        assert_eq!(
            read(&log.replace('\n', "\r\n\r\n"), options()),
            Ok((rows.clone(), unpaired.clone())),
            "{separator:?}"
        );
    }
}

#[test]
fn two_files_are_read_as_one() {
    let (log, rows, unpaired) = field_case();
    let (sent, received): (Vec<&str>, Vec<&str>) = log.split_inclusive('\n').partition(|line| line.contains("49=US|"));
    let (sent, received) = (sent.concat(), received.concat());
    for files in [[sent.as_bytes(), received.as_bytes()], [received.as_bytes(), sent.as_bytes()]] {
        assert_eq!(read_files(&files, options()), Ok((rows.clone(), unpaired.clone())));
    }
}

#[test]
fn at_the_same_time_an_order_comes_before_its_answer() {
    let same_ms = [log("5 < 8|11=a"), log("5 > D|11=a")];
    let same_ms = same_ms.each_ref().map(|log| log.as_bytes());
    assert_eq!(read_files(&same_ms, options()).unwrap().0, [row(5, 0)]);
}

#[test]
fn stamps_have_an_offset_or_none_or_are_missing() {
    let (log, rows, unpaired) = field_case();
    let tokyo = log.replace("20260302-23:", "20260303-08:").replace("20260303-00:", "20260303-09:");
    let offset = FixOptions { offset_minutes: 540, ..options() };
    assert_eq!(read(&tokyo, offset.clone()), Ok((rows.clone(), unpaired.clone())));

    let other_stamps = log.replace(" : 8=FIX", "Z INFO [session-1] sent 8=FIX");
    assert_eq!(read(&other_stamps, offset.clone()), Ok((rows.clone(), unpaired.clone())));

    let sending_time: String = log
        .lines()
        .map(|line| line.split_once(" : ").unwrap())
        .map(|(stamp, message)| format!("{}\n", message.replace("|10=", &format!("|52={stamp}|10="))))
        .collect();
    assert_eq!(read(&sending_time, offset), Ok((rows, unpaired)), "SendingTime is UTC");
}

/// What the lines give, beside the counts that aren't 0.
fn check(lines: &str, rows: &[Row], unpaired: Unpaired) {
    check_with(options(), lines, rows, unpaired);
}

fn check_with(options: FixOptions, lines: &str, rows: &[Row], unpaired: Unpaired) {
    assert_eq!(read(&log(lines), options), Ok((rows.to_vec(), unpaired)), "{lines}");
}

#[test]
fn rejects_are_answers() {
    let none = Unpaired::default();
    check("0 > D|34=7|11=a\n3 < 3|45=7|372=D|373=5", &[row(0, 3)], none.clone());
    check("0 > D|34=7|11=a\n3 < 3|45=7", &[row(0, 3)], none.clone());
    check("0 > G|34=7|11=a\n3 < j|45=7|372=G|380=0", &[row(0, 3)], none.clone());
    check("0 > F|34=7|11=a\n3 < j|372=F|379=a|380=1", &[free(row(0, 3))], none.clone());
    check("0 > D|34=7|11=a\n3 < j|45=7|380=4", &[failed(0, 3)], none.clone());
    check("0 > D|34=7|11=a\n3 < j|45=9|379=a|380=4", &[failed(0, 3)], none.clone());
    let lost_1 = Unpaired { lost: 1, ..none };
    check("0 > D|34=7|11=a\n3 < 3|45=8|372=1", &[lost(0)], lost_1.clone());
    check("0 > D|34=7|11=a\n3 < 3|45=7|372=V", &[lost(0)], lost_1.clone());
    check("0 > D|34=7|11=a\n3 < 3|45=8|372=D", &[lost(0)], Unpaired { unknown_answers: 1, ..lost_1 });
}

#[test]
fn only_the_first_answer_of_the_other_side_counts() {
    let none = Unpaired::default();
    check("0 > D|11=a\n3 < 8|11=a\n4 < 8|11=a|150=2\n5 < 8|43=Y|11=a", &[row(0, 3)], none.clone());
    check("0 > D|11=a\n2 > 8|11=a\n3 < 8|11=a", &[row(0, 3)], none.clone());
    check("0 > D|11=a\n3 < 8|43=Y|11=a", &[row(0, 3)], none.clone());
    check("0 > D|11=a\n1 > G|11=b|41=a\n3 < 8|11=b|41=a\n9 < 8|11=a", &[row(0, 9), row(1, 2)], none.clone());
    check(
        "0 < 8|11=x\n1 < 8|43=Y|11=y\n2 < 8|37=1\n3 < j|372=V|379=x",
        &[],
        Unpaired { unknown_answers: 1, ..none.clone() },
    );
    check("0 > D|11=a\n1 < 8|11=a\n5 > D|11=a\n7 < 8|11=a", &[row(0, 1), row(5, 2)], none);
}

#[test]
fn a_fill_is_known_for_a_while() {
    for (calls, unknown_answers) in [(65_536, 0), (65_537, 1)] {
        let pairs: String = (0..calls).map(|n| format!("0 > D|11=c{n}\n0 < 8|11=c{n}\n")).collect();
        let (rows, unpaired) = read(&log(&(pairs + "0 < 8|11=c0|150=2")), options()).unwrap();
        assert_eq!((rows.len(), unpaired), (calls, Unpaired { unknown_answers, ..Unpaired::default() }));
    }
}

#[test]
fn resends_and_orders_without_id_are_no_calls() {
    let lines = "0 > D|11=a|34=1\n1 > D|11=a|34=2\n2 > D|97=Y|11=b\n3 < 8|11=a\n4 > D|43=Y|11=a\n5 > D|55=X\n6 > F|11=";
    check(lines, &[row(0, 3)], Unpaired { resends: 3, without_id: 2, ..Unpaired::default() });
}

#[test]
fn a_lost_session_fails_what_is_open() {
    let failed_by_session = |count| Unpaired { failed_by_session: count, ..Unpaired::default() };
    check("0 > D|11=a\n1 > F|11=b\n5 > 5|58=bye", &[failed(0, 5), free(failed(1, 4))], failed_by_session(2));
    check("0 > D|11=a\n5 < 5\n6 > 5", &[failed(0, 5)], failed_by_session(1));
    let logon = "0 > A|34=1\n1 < A|34=1\n2 > D|11=a\n7 < 0\n";
    check(&format!("{logon}900 > A|141=Y|34=1\n901 < A|141=Y|34=1"), &[failed(2, 5)], failed_by_session(1));
    check(
        &format!("{logon}900 > A|34=9\n901 < A|34=9\n950 > D|11=b\n951 < 8|11=b"),
        &[failed(2, 5), row(950, 1)],
        failed_by_session(1),
    );
    let early = [failed(2, 5), row(901, 2)];
    check(&format!("{logon}900 > A\n901 > D|11=b\n902 < A\n903 < 8|11=b"), &early, failed_by_session(1));
    let late = Unpaired { late_answers: 1, ..failed_by_session(1) };
    check(&format!("{logon}900 > A\n901 < A\n902 < 8|43=Y|11=a\n903 < 8|11=a"), &[failed(2, 5)], late);
    let lost_1 = Unpaired { lost: 1, ..Unpaired::default() };
    check("2 > D|11=a\n900 > A\n901 < A", &[lost(2)], lost_1.clone());
    check(&format!("{logon}900 > A|43=Y\n901 > 5|43=Y"), &[lost(2)], lost_1.clone());
    check("0 > A\n1 < A\n2 > 5\n3 < 5\n4 > A\n5 < A\n6 > D|11=a\n8 < 8|11=a", &[row(6, 2)], Unpaired::default());
    let other = "20260302-23:59:58.005 : 8=FIX.4.4|35=5|49=US|56=OTHER|10=0|\n";
    assert_eq!(read(&(log("0 > D|11=a") + other), options()), Ok((vec![lost(0)], lost_1)), "another session");
}

#[test]
fn a_call_is_given_up() {
    let late = Unpaired { lost: 1, late_answers: 1, ..Unpaired::default() };
    let rows = [lost(0), row(1, 60_000)];
    check("0 > D|11=a\n1 > D|11=b\n60001 < 8|11=b\n60001 < 8|11=a\n60002 < 8|11=a", &rows, late.clone());
    let soon = FixOptions { give_up_ns: 5_000_000, ..options() };
    check_with(soon, "0 > D|11=a\n5 > D|11=b\n6 < j|379=a|372=D\n10 < 8|11=b", &[lost(0), row(5, 5)], late);
}

#[test]
fn the_side_is_found_or_given() {
    let given = |side: &str| FixOptions { side: Some(side.to_owned()), ..options() };
    let hub = "20260302-23:59:58.001 : 8=FIX.4.4|35=D|49=DESK|56=US|11=x|10=0|\n".to_owned()
        + &log("2 > D|11=a\n4 < 8|11=a")
        + "20260302-23:59:58.005 : 8=FIX.4.4|35=8|49=US|56=DESK|11=x|10=0|\n";
    let of_desk = Unpaired { of_other_side: 1, ..Unpaired::default() };
    assert_eq!(read(&hub, given("US")), Ok((vec![row(2, 2)], of_desk.clone())));
    assert_eq!(read(&hub, given("DESK")), Ok((vec![row(1, 4)], of_desk)));
    assert_eq!(
        read(&hub, options()).unwrap_err(),
        "a.log: line 2: \"US\" sends orders and gets orders; legal: the side that is ours, by its SenderCompID (49)"
    );
    let nobody = read(&hub, given("us")).unwrap();
    assert_eq!((nobody.0, nobody.1.of_other_side), (vec![], 2));
    let no_ids = log("2 > D|11=a\n4 < 8|11=a").replace("49=", "1=").replace("56=", "2=");
    assert_eq!(read(&no_ids, options()), Ok((vec![row(2, 2)], Unpaired::default())));
}

#[test]
fn lines_that_cannot_be_read_are_counted() {
    let legal = "legal: a stamp if there is one, then fields from 8=FIX on";
    for (line, reason) in [
        ("hello", &*format!("no FIX message; {legal}")),
        ("58=FIX went|35=D|11=b|", &*format!("no FIX message; {legal}")),
        ("\u{1}35=D\u{1}", &*format!("no FIX message; {legal}")),
        ("8=FIX.4.4;35=D;11=b", "no end of the field 8; legal: SOH, | or ^A behind each field"),
        ("8=FIX.4.4|11=b|", "no MsgType (35); legal: whole messages"),
        (
            "8=FIX.4.4|35=D|11=b|52=20260332-00:00:00|",
            "no time; legal: a stamp as 20260302-23:59:58.500 before 8=FIX, or in SendingTime (52)",
        ),
    ] {
        let text = log("0 > D|11=a") + "\n" + line + "\n" + line + "\n" + &log("4 < 8|11=a");
        let unpaired = Unpaired {
            unreadable_lines: 2,
            first_unreadable: Some(format!("a.log: line 3: {reason}")),
            ..Unpaired::default()
        };
        assert_eq!(read(&text, options()), Ok((vec![row(0, 4)], unpaired)), "{line}");
    }
    let joined = log("0 > D|11=a\n1 > 0|112=x").replacen('\n', "", 1) + &log("4 < 8|11=a");
    let (rows, unpaired) = read(&joined, options()).unwrap();
    assert_eq!(rows, [row(0, 4)]);
    assert_eq!(
        unpaired.to_string(),
        "lines without a readable message: 1\nthe first of these: a.log: line 1: another message in the line; legal: each in a line of its \
         own\n"
    );
}

#[test]
fn mistakes_name_their_line_and_what_is_legal() {
    let legal_log = "legal: a messages log, with fields from 8=FIX on in each line";
    for (text, message) in [
        ("", format!("a.log: empty; {legal_log}")),
        ("\n\n", format!("a.log: empty; {legal_log}")),
        ("start_ns,latency_ns\n1,2\n", format!("a.log: 2 lines and no FIX message in them; {legal_log}")),
        (
            &log("5 > 0\n\n4 < 0"),
            format!(
                "a.log: line 2: the stamp is {} ns since 1970, before {} of a line above; legal: ascending order in a file",
                BASE_NS + 4_000_000,
                BASE_NS + 5_000_000
            ),
        ),
        (
            "8=FIX.4.4|35=D|49=A|56=B|11=a|52=20260302-23:59:58|\n8=FIX.4.4|35=8|49=B|56=A|11=a|52=20260302-23:59:57|\n",
            format!(
                "a.log: line 2: the answer is at {} ns since 1970, before its order at {BASE_NS}; legal: stamps of one clock before 8=FIX, or clocks of both sides that agree",
                BASE_NS - 1_000_000_000
            ),
        ),
        (
            "8=FIX.4.4|35=D|49=A|56=B|11=a|52=20260302-23:59:58|\n8=FIX.4.4|35=D|49=A|56=B|11=b|52=20260302-23:59:57|\n",
            format!(
                "a.log: line 2: the order is at {} ns since 1970, before {BASE_NS} of an order above; legal: stamps of one clock before 8=FIX, or ascending SendingTime (52)",
                BASE_NS - 1_000_000_000
            ),
        ),
    ] {
        assert_eq!(read(text, options()), Err(message), "{text}");
    }
    assert_eq!(read_files(&[], options()), Err("no FIX log; legal: one file or more".to_owned()));
    let far = FixOptions { offset_minutes: -1441, ..options() };
    assert_eq!(read("", far), Err("the offset is -1441 minutes; legal: from -1440 to 1440".to_owned()));
    let one_empty = read_files(&[b"", log("0 > 0").as_bytes()], options());
    assert_eq!(one_empty, Ok((vec![], Unpaired::default())), "an empty file beside another one is legal");
    let mut rows = fix::read(vec![("a.log".to_owned(), Box::new(b"".as_slice()))], options()).unwrap();
    assert!(rows.next().unwrap().is_err() && rows.next().is_none(), "nothing comes after an error");
}

/// Text that says how much of it has been read.
struct Watched {
    text: std::io::Cursor<Vec<u8>>,
    read: Rc<Cell<usize>>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.text.read(buffer)?;
        self.read.set(self.read.get() + len);
        Ok(len)
    }
}

#[test]
fn rows_come_out_on_the_way() {
    // One call in a thousand is never answered. It holds up the rows behind it for one second.
    let lines = (0..4_000).map(|n| match n % 1_000 {
        7 => format!("{} > D|11=c{n}\n", n * 30),
        _ => format!("{} > D|11=c{n}\n{} < 8|11=c{n}\n", n * 30, n * 30 + 3),
    });
    let text = log(&lines.collect::<String>()).into_bytes();
    let (len, read) = (text.len(), Rc::new(Cell::new(0)));
    let input = Box::new(Watched { text: std::io::Cursor::new(text), read: read.clone() });
    let options = FixOptions { give_up_ns: 1_000_000_000, ..options() };
    let mut rows = fix::read(vec![("a.log".to_owned(), input)], options).unwrap();
    let starts: Vec<u64> = rows.by_ref().take(1_500).map(|row| row.unwrap().start_ns).collect();
    assert!(starts.is_sorted());
    assert!(read.get() < len / 2, "{} of {len} bytes for 1500 of 4000 rows", read.get());
    assert_eq!((rows.by_ref().count(), rows.unpaired().lost), (2_500, 4));
}
