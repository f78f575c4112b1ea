//! What is wrong with a text or a map is told with its place, and with what is legal.

use trip99_logs::{Columns, LogError};

fn wrong(columns: &Columns, text: &str) -> String {
    match columns.read(text.as_bytes(), "t.csv") {
        Ok(rows) => rows.collect::<Result<Vec<_>, LogError>>().expect_err(text).to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_in_rows_name_their_line_and_column() {
    let times = "start=at:ms,latency=took:ms,ok=good,kind=type";
    let codes = "; or name the values that are ok, as ok=COLUMN=200|201";
    for (map, text, message) in [
        (
            times,
            "at,took,good,type\n1,2,1,\n+1,2,1,\n",
            "line 3: at (start) is \"+1\"; legal: milliseconds from 0 to 18446744073709551615 ns".to_owned(),
        ),
        (
            times,
            "at,took,good,type\n\"1,000\",2,1,\n",
            "line 2: at (start) is \"1,000\"; legal: milliseconds from 0 to 18446744073709551615 ns".to_owned(),
        ),
        (
            times,
            "at,took,good,type\n,2,1,\n",
            "line 2: at (start) is \"\"; legal: milliseconds from 0 to 18446744073709551615 ns".to_owned(),
        ),
        (
            times,
            "at,took,good,type\r\n\r\n1,2,\"1\n\",\r\n1,-2,1,\r\n",
            "line 5: took (latency) is \"-2\"; legal: milliseconds from 0 to 9223372036854775807 ns, or empty (or a value that \
             --lost names) for a call that never came back"
                .to_owned(),
        ),
        (
            times,
            "at,took,good,type\n1,9223372036854.775808,1,\n",
            "line 2: took (latency) is \"9223372036854.775808\"; legal: milliseconds from 0 to 9223372036854775807 ns, or empty \
             (or a value that --lost names) for a call that never came back"
                .to_owned(),
        ),
        (
            "start=at,latency=took",
            "at,took\n18446744073709551615,1\n",
            "line 2: at (start) is \"18446744073709551615\" and took (latency) is \"1\"; legal: a sum of at most \
             18446744073709551615 ns, when the call ends"
                .to_owned(),
        ),
        (
            "end=at_us,latency=took",
            "at_us,took\n1,1001\n",
            "line 2: at_us (end) is \"1\" and took (latency) is \"1001\", so the call starts before 0; legal: an end that isn't \
             less than the latency"
                .to_owned(),
        ),
        (
            "start=a,end=b",
            "a,b\n5,4\n",
            "line 2: a (start) is \"5\" and b (end) is \"4\"; legal: an end from 0 to 9223372036854775807 ns after the start"
                .to_owned(),
        ),
        (
            times,
            "at,took,good,type\n1,2,200,\n",
            format!("line 2: good (ok) is \"200\"; legal: 1, true, ok, success, or 0, false, error, failed (empty is 1){codes}"),
        ),
        (
            times,
            "at,took,good,type\n1,2,1,order\n",
            "line 2: type (kind) is \"order\"; legal: ask, free, withdrawn or refused (empty is ask)".to_owned(),
        ),
        (times, "at,took,good,type\n1,2,1\n", "line 2: 3 fields; legal: 4 fields, as in the header".to_owned()),
        (
            "start=at,latency=took",
            "at,took\nnoon,1\n",
            "line 2: at (start) is \"noon\"; legal: nanoseconds from 0 to 18446744073709551615 ns, or dates".to_owned(),
        ),
        (
            "start=at,latency=took",
            "at,took\n2024-05-01 12:00:00,1\n",
            "line 2: at (start) is \"2024-05-01 12:00:00\"; legal: a date with its zone, like Z or +09:00, or the zone of all by --zone"
                .to_owned(),
        ),
        (
            "start=at:iso,latency=took",
            "at,took\n12:00:00,1\n",
            "line 2: at (start) is \"12:00:00\"; legal: a date with a time of the day, like 2024-05-01T12:00:00.123456789Z".to_owned(),
        ),
        (
            "start=sent,latency=took",
            "at;took\n1;2\n",
            "line 1: no column \"sent\" (start); there are: \"at\", \"took\"; legal: one of these, or its number from 1 to 2".to_owned(),
        ),
        (
            "start=0,latency=3",
            "at,took\n1,2\n",
            "line 1: no column \"0\" (start); there are: \"at\", \"took\"; legal: one of these, or its number from 1 to 2".to_owned(),
        ),
        (
            "start=at,latency=took",
            "at,took,took\n1,2,3\n",
            "line 1: column \"took\" (latency) twice; legal: the number of one, from 1".to_owned(),
        ),
        ("start=at,latency=took", "\n\n", "line 3: empty; legal: a header, then rows".to_owned()),
        ("start=at,latency=took", "", "line 1: empty; legal: a header, then rows".to_owned()),
        (
            "start=at:sec,latency=took",
            "at;took\n1;2\n",
            "line 1: no column \"at:sec\" (start); there are: \"at\", \"took\"; legal: one of these, or its number from 1 to 2; \
             a unit is s, ms, us, ns or iso"
                .to_owned(),
        ),
    ] {
        let columns = Columns::parse(map).unwrap();
        assert_eq!(wrong(&columns, text), format!("t.csv: {message}"));
    }
}

#[test]
fn without_a_header_columns_have_numbers() {
    for (map, text, message) in [
        (
            "start=at,latency=2",
            "1,2\n",
            "line 1: no column \"at\" (start) without a header; legal: a number from 1 to 2",
        ),
        (
            "start=1,latency=3",
            "1,2\n",
            "line 1: no column \"3\" (latency) without a header; legal: a number from 1 to 2",
        ),
        ("start=1,latency=2", "1,2\n1\n", "line 2: 1 fields; legal: 2 fields, as in the first row"),
        (
            "start=1:s,latency=2",
            "a,2\n",
            "line 1: column 1 (start) is \"a\"; legal: seconds from 0 to 18446744073709551615 ns",
        ),
    ] {
        let columns = Columns::parse(map).unwrap().no_header();
        assert_eq!(wrong(&columns, text), format!("t.csv: {message}"));
    }
    let filter = Columns::parse("start=a,latency=b").unwrap().only("c", "x");
    let message = "t.csv: line 1: no column \"c\" (where); there are: \"a\", \"b\"; legal: one of these, or its number from 1 to 2";
    assert_eq!(wrong(&filter, "a,b\n1,2\n"), message);
}

#[test]
fn rows_may_have_to_be_in_order() {
    let columns = Columns::parse("end=back_ms,latency=took_ms").unwrap();
    let text = "back_ms,took_ms\n5,1\n6,2\n7,4\n";
    assert_eq!(columns.read(text.as_bytes(), "t.csv").unwrap().filter(Result::is_ok).count(), 3);
    let message = "t.csv: line 4: it starts at 3000000 ns, before 4000000 ns of the row above; legal: ascending order, or --sort, \
                   or --reorder for a log in order of completion";
    assert_eq!(wrong(&columns.in_order(), text), message);
}

#[test]
fn a_trace_stays_strict() {
    let legal = "legal: start_ns,latency_ns and, if wanted, ok and kind; --columns for other names";
    for (text, message) in [
        ("start_ns;latency_ns;okay\n", format!("line 1: unknown column \"okay\"; {legal}")),
        ("start_ns;latency_ms\n", format!("line 1: no column latency_ns; {legal}")),
        ("\"start_ns\",\"start_ns\"\n", format!("line 1: column \"start_ns\" twice; {legal}")),
        (
            "start_ns;latency_ns;ok\n1;2;yes\n",
            "line 2: ok is \"yes\"; legal: 1, true, ok, success, or 0, false, error, failed (empty is 1)".to_owned(),
        ),
        (
            "start_ns;latency_ns;ok\n1;x;1\n",
            "line 2: latency_ns is \"x\"; legal: nanoseconds from 0 to 9223372036854775807 ns, or empty for a call that never came \
             back"
                .to_owned(),
        ),
        (
            "start_ns;latency_ns;ok\n1;;False\n",
            "line 2: a call that never came back has no result, but ok says that it failed; legal: the latency_ns after which it \
             failed, or ok 1 or empty"
                .to_owned(),
        ),
    ] {
        assert_eq!(wrong(&Columns::of_trace(), text), format!("t.csv: {message}"));
    }
}

#[test]
fn mistakes_in_a_map_are_told() {
    let legal = "legal: start=COLUMN:UNIT,latency=COLUMN:UNIT and, if wanted, ok=COLUMN or ok=COLUMN=VALUE and kind=COLUMN; end for \
                 start if stamps are those of the end, or both for the latency";
    for (map, message) in [
        ("", format!("\"\" names no column; {legal}")),
        ("start", format!("\"start\" names no column; {legal}")),
        ("start=,latency=b", format!("\"start\" names no column; {legal}")),
        ("start=:ms,latency=b", format!("\"start\" names no column; {legal}")),
        ("ok==1,start=a,latency=b", format!("\"ok\" names no column; {legal}")),
        ("begin=a,latency=b", format!("unknown field \"begin\"; {legal}")),
        ("start=a,start=b", format!("start twice; {legal}")),
        ("latency=b", format!("no start; {legal}")),
        ("end=b", format!("no latency; {legal}")),
        ("start=a,end=b,latency=c", format!("start, end and latency at once, but each two tell the third; {legal}")),
        ("start=a,latency=b:iso", "a latency is no date; legal: the units s, ms, us and ns".to_owned()),
    ] {
        assert_eq!(Columns::parse(map).unwrap_err().to_string(), format!("columns {map:?}: {message}"));
    }
}

#[test]
fn mistakes_in_options_are_told() {
    let map = || Columns::parse("start=a,latency=b").unwrap();
    for (delimiter, shown) in
        [('\n', "'\\n'"), ('"', "'\"'"), ('x', "'x'"), ('5', "'5'"), ('.', "'.'"), ('\u{b7}', "'\u{b7}'")]
    {
        let message =
            format!("delimiter {shown}; legal: one sign of ASCII, as , ; | or a tab, that fields aren't made of");
        assert_eq!(map().delimiter(delimiter).unwrap_err().to_string(), message);
    }
    let message = "zone \"Mars/Base\"; legal: an offset like +09:00, UTC, or a name like Europe/London";
    assert_eq!(map().zone("Mars/Base").unwrap_err().to_string(), message);
}
