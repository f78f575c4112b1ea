//! A last line without a line end may have been cut off: what tells it, and what is made of it.

use trip99_logs::{Columns, Trace};

/// The rows, and what is odd.
fn read(text: &str) -> (usize, Vec<String>) {
    let trace = Trace::new(text.as_bytes(), "t.csv".to_owned(), true).unwrap();
    let notes = trace.notes();
    (trace.map(Result::unwrap).count(), notes.texts())
}

#[test]
fn of_a_trace() {
    let header = "start_ns,latency_ns,ok\n10,500,1\n20,600,1\n";
    for (text, rows, part) in [
        (
            format!("{header}30"),
            2,
            "line 4: the last line has no line end, and 1 of 3 fields: it was cut off, and is left out",
        ),
        (format!("{header}30,7"), 2, "line 4: the last line has no line end, and 2 of 3 fields"),
        (format!("{header}30,700,"), 3, "line 4: the last line has no line end, and ok is empty; was it cut off?"),
        (
            "start_ns,latency_ns\n10,500\n20,60".to_owned(),
            2,
            "line 3: the last line has no line end, and latency_ns is \"60\"",
        ),
        (
            "start_ns,latency_ns\n10,\n20,".to_owned(),
            2,
            "line 3: the last line has no line end, and latency_ns is empty",
        ),
    ] {
        let (count, notes) = read(&text);
        assert_eq!((count, notes.len()), (rows, 1), "{text}: {notes:?}");
        assert!(notes[0].starts_with(&format!("t.csv: {part}")), "{notes:?}");
    }
    // These are whole, as far as anybody can tell.
    for text in [
        format!("{header}30,7,1"),
        format!("{header}30,700,1\n"),
        format!("{header}30,700,\n"),
        format!("{header}30,700,\n40,700,"),
        "start_ns,latency_ns\n10,500\n20,600".to_owned(),
        "start_ns,latency_ns\n10,500\n20,60\n".to_owned(),
        "start_ns,latency_ns\n10,5\n20,".to_owned() + "\n",
        "start_ns,latency_ns".to_owned(),
    ] {
        assert_eq!(read(&text).1, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn of_a_table() {
    let read = |map: &str, text: &str| {
        let rows = Columns::parse(map).unwrap().read(text.as_bytes(), "t.csv").unwrap();
        let notes = rows.notes();
        let rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
        (rows.len(), notes.texts())
    };
    let map = "start=a:ms,latency=b:ms";
    for (map, text, rows, part) in [
        (
            map,
            "a,b\n10,500\n20",
            1,
            "line 3: the last line has no line end, and 1 of 2 fields: it was cut off, and is left out",
        ),
        (map, "a,b\n20", 0, "line 2: the last line has no line end, and 1 of 2 fields"),
        (
            map,
            "a,b\n10,500\n20,6",
            2,
            "line 3: the last line has no line end, and b (latency) is \"6\", shorter than each above it",
        ),
        (map, "a,b\n10,500\n20,", 2, "line 3: the last line has no line end, and b (latency) is empty"),
        (
            "start=a:ms,latency=b:ms,kind=c",
            "a,b,c\n10,500,free\n\"20\",6,",
            2,
            "line 3: the last line has no line end, and c (kind) is empty",
        ),
        (map, "a;b;c\n10;500;\"x\ny\"\n20;6;\"x\n", 2, ""),
        (map, "a;b;c\n10;500;\"x\ny\"\n20;\"6\n7", 1, "line 4: the last line has no line end, and 2 of 3 fields"),
    ] {
        let (count, notes) = read(map, text);
        assert_eq!((count, notes.len()), (rows, usize::from(!part.is_empty())), "{text}: {notes:?}");
        assert!(notes.iter().all(|note| note.starts_with(&format!("t.csv: {part}"))), "{notes:?}");
    }
    // These are whole, as far as anybody can tell.
    for text in [
        "a,b\n10,500\n20,600",
        "a,b\n10,500\n20,6\n",
        "a,b\n10,500\n20,\n",
        "a,b,c\n10,500,x\n20,6,",
        "a,b",
        "a,b\n10,500\n20,600\r\n",
    ] {
        assert_eq!(read(map, text).1, Vec::<String>::new(), "{text}");
    }
    // In the middle, or with a line end, too few fields are a mistake.
    for text in ["a,b\n10\n20,5", "a,b\n10\n", "a,b\n10,5,7", "a,b\n10\n20"] {
        let mut rows = Columns::parse(map).unwrap().read(text.as_bytes(), "t.csv").unwrap();
        let error = rows.next().unwrap().expect_err(text).to_string();
        assert!(error.starts_with("t.csv: line 2: ") && error.contains("fields; legal: 2 fields"), "{error}");
        assert!(rows.next().is_none());
    }
}
