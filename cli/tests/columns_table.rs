//! The table `[columns]` of a TOML file, in place of the options that say what a log's columns are.

mod common;
use common::{fails, finish, json, run, start, unexpected, write};

/// What `trip99 trace` makes of a log, and its messages.
fn trace(args: &str, log: &str) -> String {
    let (status, out, err) = finish(start(&format!("trace {args}")), log);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{args}");
    out
}

const JMETER: &str = "timeStamp,elapsed,label,success\n\
                      1700000000130,40,order,true\n\
                      1700000000000,120,order,true\n\
                      1700000000140,900,order,false\n\
                      1700000000145,LOSS,order,true\n\
                      1700000000150,1,login,true\n";
const MADE: &str = "start_ns,latency_ns,ok\n1700000000000000000,120000000,1\n1700000000130000000,40000000,1\n\
                    1700000000140000000,900000000,0\n1700000000145000000,,1\n";

#[test]
fn a_table_says_what_the_options_say() {
    let table = "probes = 3\n\n[columns]\nstart = \"timeStamp:ms\"\nlatency = \"elapsed:ms\"\nok = \"success=true\"\n";
    for (name, more) in [
        ("list.toml", "lost = [\"LOSS\", \"-\"]\nwhere = { label = \"order\" }\nsort = true\n"),
        ("text.toml", "lost = \"-,LOSS\"\nreorder = \"130ms\"\nwhere.label = \"order\"\ndelimiter = \",\"\n"),
        ("number.toml", "lost = [\"LOSS\"]\nreorder = 130000000\nno-header = false\nwhere = { label = \"order\" }\n"),
    ] {
        write(name, &format!("{table}{more}"));
        assert_eq!(trace(&format!("- --config {name}"), JMETER), MADE, "{name}");
    }
    let by_options =
        "--columns start=timeStamp:ms,latency=elapsed:ms,ok=success=true --lost LOSS --where label=order --sort";
    assert_eq!(trace(&format!("- {by_options}"), JMETER), MADE);
    // A replay takes settings and table of one file.
    let expected = json(&format!("{by_options} --probes 3 --threshold 50ms --spike-count 1"), JMETER);
    assert_eq!(json("--config list.toml --threshold 50ms --spike-count 1", JMETER), expected);
    assert!(expected.contains("\"asked\":4,"), "{expected}");
    // The file of the new settings has one, and that of the old ones has none.
    let both = run("replay - --format json --against list.toml", JMETER);
    assert!(both.contains("\"asked\":4,"), "{both}");

    let numbers =
        "[columns]\nstart = 1\nlatency = 2\nno_header = true\nzone = \"UTC\"\ndelimiter = \"tab\"\nwhere = { 3 = 7 }\n";
    write("numbers.toml", numbers);
    let log = "2023-11-14T22:13:20\t5\t7\n2023-11-14T22:13:21\t5\t8\n";
    assert_eq!(trace("- --config numbers.toml", log), "start_ns,latency_ns,ok\n1700000000000000000,5,1\n");
    write("comma.toml", "[columns]\nstart = \"t, UTC:s\"\nlatency = \"took=all:ms\"\n");
    assert_eq!(
        trace("- --config comma.toml", "\"t, UTC\";took=all\n1;5\n"),
        "start_ns,latency_ns,ok\n1000000000,5000000,1\n"
    );
}

#[test]
fn options_win_over_the_table() {
    write(
        "table.toml",
        "[columns]\nstart = \"a:s\"\nlatency = \"b:s\"\nlost = \"x\"\nwhere = { c = \"1\" }\nreorder = \"1s\"\nzone = \"+01:00\"\ndelimiter = \",\"\n",
    );
    let log = "a,b,c\n2,1,1\n1,x,1\n2,y,2\n";
    let made = |rows: &str| format!("start_ns,latency_ns,ok\n{rows}");
    assert_eq!(trace("- --config table.toml", log), made("1000000000,,1\n2000000000,1000000000,1\n"));
    assert_eq!(
        trace("- --config table.toml --columns start=a:ms,latency=b:ms --reorder 1ms", log),
        made("1000000,,1\n2000000,1000000,1\n")
    );
    assert_eq!(trace("- --config table.toml --where c=2 --lost y", log), made("2000000000,,1\n"));
    fails("trace - --config table.toml --lost y", log, &["line 3: b (latency) is \"x\"", "legal: "]);
    fails("trace - --config table.toml --reorder 1ns", log, &["at most 1 ns before", "legal: "]);
    assert_eq!(trace("- --config table.toml --sort", log), made("1000000000,,1\n2000000000,1000000000,1\n"));
    assert_eq!(
        trace("- --config table.toml --delimiter ;", &log.replace(',', ";")),
        made("1000000000,,1\n2000000000,1000000000,1\n")
    );
    let dates = "a,b,c\n1970-01-01T01:00:01,1,1\n";
    write("dates.toml", "[columns]\nstart = \"a\"\nlatency = \"b\"\nzone = \"+01:00\"\n");
    assert_eq!(trace("- --config dates.toml", dates), made("1000000000,1,1\n"));
    assert_eq!(trace("- --config dates.toml --zone UTC", dates), made("3601000000000,1,1\n"));
    // A log of another form has no columns.
    assert_eq!(trace("- --config table.toml --every 1ms", "7\n"), made("0,7,1\n"));
    assert_eq!(trace("- --config table.toml --from trace", "start_ns,latency_ns\n0,7\n"), made("0,7,1\n"));
    write("plain.toml", "probes = 3\n");
    assert_eq!(trace("- --config plain.toml", "start_ns,latency_ns\n0,7\n"), made("0,7,1\n"));
}

#[test]
fn mistakes_in_the_table_are_told() {
    let map = "start = \"a\"\nlatency = \"b\"\n";
    for (table, parts) in [
        (
            "[columns]\nbegin = \"a\"\n",
            "wrong.toml: line 2: [columns] begin; legal: start, end, latency, ok, kind, no_header",
        ),
        ("[columns]\nstart = true\nlatency = []\n", "line 3: [columns] latency; legal: a column, as \"timeStamp:ms\""),
        ("[columns]\nstart = \"a\"\n", "wrong.toml: [columns]: no latency; legal: start=COLUMN:UNIT"),
        ("[columns]\n", "wrong.toml: [columns]: no start; legal: "),
        (&format!("[columns]\n{map}no_header = 1\n"), "line 4: [columns] no_header; legal: true or false"),
        (&format!("[columns]\n{map}sort = \"yes\"\n"), "line 4: [columns] sort; legal: true or false"),
        (&format!("[columns]\n{map}delimiter = 3\n"), "line 4: [columns] delimiter; legal: one sign"),
        (
            &format!("[columns]\n{map}delimiter = \"xx\"\n"),
            "wrong.toml: [columns]: delimiter is \"xx\"; legal: one sign",
        ),
        (&format!("[columns]\n{map}zone = \"Mars\"\n"), "wrong.toml: [columns]: zone \"Mars\"; legal: "),
        (&format!("[columns]\n{map}zone = 1\n"), "line 4: [columns] zone; legal: a zone"),
        (&format!("[columns]\n{map}lost = [[1]]\n"), "line 4: [columns] lost; legal: values"),
        (&format!("[columns]\n{map}lost = 0\n"), "line 4: [columns] lost; legal: values"),
        (&format!("[columns]\n{map}where = \"c=1\"\n"), "line 4: [columns] where; legal: columns with values"),
        (&format!("[columns]\n{map}where = {{ c = [1] }}\n"), "line 4: [columns] where; legal: columns with values"),
        (
            &format!("[columns]\n{map}reorder = \"soon\"\n"),
            "wrong.toml: [columns]: reorder is \"soon\"; legal: a duration",
        ),
        (
            &format!("[columns]\n{map}reorder = \"1s\"\nsort = true\n"),
            "wrong.toml: [columns]: sort and reorder at once; legal: ",
        ),
        ("[column]\nstart = \"a\"\n", "wrong.toml: line 1: column is not a setting; legal: "),
        ("columns = \"start=a\"\n", "wrong.toml: line 1: columns is of type string; legal: a table"),
    ] {
        write("wrong.toml", table);
        fails("trace - --config wrong.toml", "a,b\n1,2\n", &[parts]);
        fails("replay - --config wrong.toml", "a,b\n1,2\n", &[parts]);
    }
    for option in ["--delimiter ;", "--lost -", "--where a=1", "--no-header"] {
        fails(
            &format!("trace - {option}"),
            "a,b\n1,2\n",
            &[&option[..option.find(' ').unwrap_or(option.len())], "a [columns] table"],
        );
    }
    fails("trace - --config nowhere.toml", "a,b\n1,2\n", &["nowhere.toml", "legal: "]);
    let (_, _, err) = finish(start("trace - --config nowhere.toml"), "");
    assert_eq!(unexpected(&err).len(), 1);
}
