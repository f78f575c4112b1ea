//! Delimited text as others write it, read by a map of its columns.

use trip99_logs::{Columns, LogError, Row, RowKind, Trace, plain, reordered, sorted};

fn row(start_ns: u64, latency_ns: Option<u64>, ok: bool) -> Row {
    Row { start_ns, latency_ns, ok, kind: RowKind::Ask }
}

fn message(error: LogError) -> String {
    error.to_string()
}

fn read(columns: &Columns, text: &str) -> Result<Vec<Row>, String> {
    let rows = columns.read(text.as_bytes(), "t.csv").map_err(message)?;
    rows.map(|row| row.map_err(message)).collect()
}

fn parse(map: &str) -> Columns {
    Columns::parse(map).unwrap()
}

#[test]
fn a_results_file_of_jmeter_is_read() {
    let text = "timeStamp,elapsed,label,responseCode,success,failureMessage\n\
                1700000000000,120,login,200,true,\n\
                1700000000130,40,\"order, limit\",200,true,\n\
                1700000000200,35,\"say \"\"hi\"\"\",200,true,\n\
                1700000000260,60,\"multi\nline\",200,true,\n\
                1700000000140,900,order,504,false,\"no answer, gave up\"\n";
    let at = |ms: u64| (1_700_000_000_000 + ms) * 1_000_000;
    let mut expected = vec![
        row(at(0), Some(120_000_000), true),
        row(at(130), Some(40_000_000), true),
        row(at(140), Some(900_000_000), false),
        row(at(200), Some(35_000_000), true),
        row(at(260), Some(60_000_000), true),
    ];
    for map in [
        "start=timeStamp:ms,latency=elapsed:ms,ok=success=true",
        "start=timeStamp:ms, latency=elapsed:ms, ok=success",
        "ok=responseCode=200|201,latency=2:ms,start=1:ms",
    ] {
        let rows = parse(map).read(text.as_bytes(), "results.jtl").unwrap();
        assert_eq!(sorted(rows).collect::<Result<Vec<_>, _>>(), Ok(expected.clone()), "{map}");
        let rows = parse(map).read(text.as_bytes(), "results.jtl").unwrap();
        assert_eq!(reordered(rows, 120_000_000).collect::<Result<Vec<_>, _>>(), Ok(expected.clone()), "{map}");
    }
    let orders = parse("start=timeStamp:ms,latency=elapsed:ms,ok=success").only("label", "order").only("5", "false");
    assert_eq!(read(&orders, text), Ok(vec![expected.remove(2)]));
    let mut rows = orders.read(text.as_bytes(), "results.jtl").unwrap();
    assert_eq!((rows.by_ref().count(), rows.filtered()), (1, 4));
}

#[test]
fn traces_are_read_however_they_are_written() {
    let plain_text = "start_ns,latency_ns,ok\n1700000000000000000,5000000,1\n1700000000010000000,5000000,1\n\
                      1700000000020000000,5000000,0\n1700000000030000000,,1\n1700000000040000000,5000000,1\n";
    let expected: Vec<Row> =
        Trace::new(plain_text.as_bytes(), "plain.csv".to_owned(), true).unwrap().map(Result::unwrap).collect();
    assert_eq!(expected.len(), 5);
    let quoted: String = plain_text
        .lines()
        .map(|line| line.split(',').map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    for text in [
        plain_text.to_owned(),
        quoted.clone(),
        format!("\u{feff}{quoted}"),
        plain_text.replace(',', ";"),
        plain_text.replace(',', "\t"),
        plain_text.replace(',', " | "),
        plain_text.replace(',', ", "),
        plain_text.replace('\n', "\r\n"),
        format!("\n\r\n{}", plain_text.replace('\n', "\r\n\r\n")),
        plain_text.trim_end().to_owned(),
        plain_text.replace(",1\n", ",true\n").replace(",0\n", ",false\n"),
        plain_text.replace(",1\n", ",True\n").replace(",0\n", ",False\n"),
        plain_text.replace("5000000", "5000000.0"),
        plain_text.replace("5000000", "5e6"),
    ] {
        assert_eq!(read(&Columns::of_trace(), &text), Ok(expected.clone()), "{text}");
    }
    let kinds = "kind;latency_ns;start_ns\nfree;5;1\n;;2\n";
    let expected = vec![Row { kind: RowKind::Free, ..row(1, Some(5), true) }, row(2, None, true)];
    assert_eq!(read(&Columns::of_trace(), kinds), Ok(expected));
}

#[test]
fn what_pandas_writes_is_read() {
    let text = ",sent,took_us,fine\n0,2024-05-01 12:00:00.000000001+00:00,400.0,True\n\
                1,2024-05-01 12:00:00.5+00:00,,False\n2,2024-05-01 12:00:01+00:00,4e2,False\n";
    let start_ns = 1_714_564_800_000_000_000;
    let expected = vec![
        row(start_ns + 1, Some(400_000), true),
        row(start_ns + 500_000_000, None, true),
        row(start_ns + 1_000_000_000, Some(400_000), false),
    ];
    assert_eq!(read(&parse("start=sent,latency=took_us,ok=fine"), text), Ok(expected.clone()));
    assert_eq!(read(&parse("start=sent:iso,latency=took_us:us,ok=fine=True"), text), Ok(expected));
    let mut rows = parse("start=sent,latency=took_us,ok=fine").read(text.as_bytes(), "t.csv").unwrap();
    assert_eq!((rows.by_ref().count(), rows.failed_without_latency()), (3, 1), "failed, but nobody knows when");
}

#[test]
fn stamps_may_be_those_of_the_end() {
    let text = "at:x,begun,took\n10,7,3\n10.5,8,LOSS\n11,8,-\n12,9,\n";
    let expected = vec![
        row(7_000_000_000, Some(3_000_000_000), true),
        row(10_500_000_000, None, true),
        row(11_000_000_000, None, true),
        row(12_000_000_000, None, true),
    ];
    assert_eq!(read(&parse("end=at:x:s,latency=took:s").lost(["LOSS", " - "]), text), Ok(expected));
    let text = "begun_s,back_s\n7,7.000000001\n8,timeout\n9,\n9.5,9.5\n";
    let expected = vec![
        row(7_000_000_000, Some(1), true),
        row(8_000_000_000, None, true),
        row(9_000_000_000, None, true),
        row(9_500_000_000, Some(0), true),
    ];
    assert_eq!(read(&parse("start=begun_s,end=back_s").lost(["timeout"]), text), Ok(expected));
}

#[test]
fn columns_have_numbers_too() {
    let text = "3;1,5;x\n4;;y\n";
    let wrong = read(&parse("start=1:ms,latency=2:ms").no_header(), text).unwrap_err();
    assert!(wrong.starts_with("t.csv: line 1: column 2 (latency) is \"1,5\"; legal: milliseconds"), "{wrong}");
    let rows = vec![row(3_000_000, Some(1_500_000), true), row(4_000_000, None, true)];
    assert_eq!(read(&parse("start=1:ms,latency=2:ms").no_header(), &text.replace(',', ".")), Ok(rows));
    assert_eq!(read(&parse("start=1,latency=2").no_header(), ""), Ok(vec![]));
    assert_eq!(read(&parse("start=1,latency=2"), "2,1\n5,6\n"), Ok(vec![row(6, Some(5), true)]), "names win");
    let colon = parse("start=1,latency=2").no_header().delimiter(':').unwrap();
    assert_eq!(read(&colon, "5:6\n"), Ok(vec![row(5, Some(6), true)]));
}

#[test]
fn zones_are_those_of_the_text_or_of_all() {
    let text = "t,d_ms\n2024-05-01T12:00:00,1\n2024-05-01T12:00:00Z,1\n";
    let noon_ns = 1_714_564_800_000_000_000;
    for (zone, start_ns) in
        [("UTC", noon_ns), ("+01:00", noon_ns - 3_600_000_000_000), ("Europe/London", noon_ns - 3_600_000_000_000)]
    {
        let map = parse("start=t,latency=d_ms").zone(zone).unwrap();
        let expected = vec![row(start_ns, Some(1_000_000), true), row(noon_ns, Some(1_000_000), true)];
        assert_eq!(read(&map, text), Ok(expected), "{zone}");
    }
}

#[test]
fn an_input_that_ends_early_is_an_error_of_its_line() {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(b"start_ns;latency_ns\n1;2\n3;4\n").unwrap();
    let packed = out.finish().unwrap();
    let rows = |len| {
        let text = plain(std::io::Cursor::new(packed[..len].to_vec()), "t.csv.gz").unwrap();
        Columns::of_trace().read(text, "t.csv.gz").unwrap().map(|row| row.map_err(message)).collect::<Vec<_>>()
    };
    assert_eq!(rows(packed.len()), [Ok(row(1, Some(2), true)), Ok(row(3, Some(4), true))]);
    let last = "t.csv.gz: line 4: the gzip data ends early: the file was cut off, or is still being written; legal: a readable file of CSV";
    assert_eq!(rows(packed.len() - 1), [Ok(row(1, Some(2), true)), Ok(row(3, Some(4), true)), Err(last.to_owned())]);
}

#[test]
fn memory_is_bounded() {
    let text = format!("start_ns,latency_ns\n1,2\n3,\"{}", "5,6\n".repeat(1 << 20));
    let wrong = "t.csv: line 3: longer than 1048576 bytes; legal: a few short fields, and an end to each quote";
    assert_eq!(read(&Columns::of_trace(), &text), Err(wrong.to_owned()));
    let mut rows = Columns::of_trace().read(text.as_bytes(), "t.csv").unwrap();
    assert_eq!(rows.by_ref().count(), 2, "the error is the last item");
    let wrong = "t.csv: line 1: longer than 1048576 bytes; legal: a few short fields, and an end to each quote";
    assert_eq!(read(&Columns::of_trace(), &"1".repeat(1 << 22)), Err(wrong.to_owned()));
}
