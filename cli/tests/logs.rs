//! Logs as people have them: read as they are, replayed and made traces.

mod common;
use common::{fails, finish, start, unexpected, write};

/// The trace that is made of a log, and what is told of how it was read.
fn trace(args: &str, log: &str) -> (String, String) {
    let (status, out, err) = finish(start(&format!("trace {args}")), log);
    assert_eq!(status, Some(0), "{args}: {err}");
    (out, err)
}

const PLAIN: &str =
    "start_ns,latency_ns,ok\n1700000000000000000,5000000,1\n1700000000010000000,5000001,0\n1700000000020000000,,1\n";

#[test]
fn a_trace_may_be_written_as_others_write_it() {
    for (options, log) in [
        ("-", PLAIN.to_owned()),
        ("- --from csv", PLAIN.replace(',', ";")),
        ("- --from csv", PLAIN.replace(',', ", ")),
        ("- --from csv", PLAIN.lines().map(|line| format!("\"{}\"\r\n", line.replace(',', "\",\""))).collect()),
        ("- --from csv", PLAIN.replace(",1\n", ",True\n").replace(",0\n", ",False\n")),
        (
            "- --columns start=t_s,latency=took:ms,ok=status=200 --lost LOSS",
            "t_s,who,took,status\n1700000000.000,a,5.0,200\n1700000000.01,\"b, c\",5.000001,500\n1.70000000002e9,d,LOSS,200\n".to_owned(),
        ),
        (
            "- --columns start=1:iso,latency=2:us,ok=3 --no-header --zone UTC",
            "2023-11-14T22:13:20,5000,ok\n2023-11-14T22:13:20.010,5000.001,error\n2023-11-14T22:13:20.02,,ok\n".to_owned(),
        ),
    ] {
        assert_eq!(trace(options, &log), (PLAIN.to_owned(), String::new()), "{options}\n{log}");
    }
}

#[test]
fn jmeters_results_are_read_with_a_map() {
    let log = "timeStamp,elapsed,label,responseMessage,success\n\
               1700000000130,40,order,OK,true\n\
               1700000000000,120,order,\"No, not\n really\",true\n\
               1700000000140,900,order,\"a \"\"quote\"\"\",false\n\
               1700000000150,1,login,OK,true\n";
    let made = "start_ns,latency_ns,ok\n1700000000000000000,120000000,1\n1700000000130000000,40000000,1\n\
                1700000000140000000,900000000,0\n";
    let map = "--columns start=timeStamp:ms,latency=elapsed:ms,ok=success --where label=order";
    for order in ["--sort", "--reorder 130ms"] {
        assert_eq!(trace(&format!("- {map} {order}"), log), (made.to_owned(), String::new()));
    }
    fails(&format!("trace - {map}"), log, &["legal: ", "--sort"]);
    fails(&format!("trace - {map} --reorder 129ms"), log, &["legal: ", "--sort"]);
}

#[test]
fn a_fix_log_is_read_as_it_is() {
    let line = |stamp: &str, fields: &str| format!("20260302-23:59:58.{stamp} : 8=FIX.4.4|{fields}|10=000|\n");
    let log = line("500", "35=D|49=US|56=VENUE|34=1|11=a")
        + &line("546", "35=8|49=VENUE|56=US|34=9|11=a")
        + &line("600", "35=F|49=US|56=VENUE|34=2|11=b")
        + &line("631", "35=9|49=VENUE|56=US|34=10|11=b")
        + &line("700", "35=D|49=US|56=VENUE|34=3|11=c");
    let made = "start_ns,latency_ns,ok,kind\n1772495998500000000,46000000,1,ask\n1772495998600000000,31000000,1,free\n\
                1772495998700000000,,1,ask\n";
    let (out, err) = trace("- --from fix", &log);
    assert_eq!((out.as_str(), err.as_str()), (made, "warning: calls that were never answered, or too late: 1\n"));
    for (file, text) in [
        ("in.log", line("546", "35=8|49=VENUE|56=US|34=9|11=a")),
        ("out.log", line("500", "35=D|49=US|56=VENUE|34=1|11=a")),
    ] {
        write(file, &text);
    }
    let (out, err) = trace("in.log out.log --from fix --zone +01:00", "");
    assert_eq!((out.as_str(), err.as_str()), ("start_ns,latency_ns,ok\n1772492398500000000,46000000,1\n", ""));
    let (_, out, _) = finish(start("replay - --from fix --format json"), &log);
    assert!(out.contains("\"asked\":2,\"allowed\":2,\"refused\":0,\"free\":1"));
}

#[test]
fn bare_latencies_begin_at_an_even_rate() {
    let (out, err) = trace("- --every 1ms --unit us", "210\n0.2ms\ntimeout\n");
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("start_ns,latency_ns,ok\n0,210000,1\n1000000,200000,1\n2000000,,1\n", "")
    );
}

#[test]
fn mistakes_of_options_are_told() {
    for (args, parts) in [
        ("- --from hlog", "fix"),
        ("- --columns start=a", "latency"),
        ("- --columns begin=a,latency=b", "begin"),
        ("- --every soon", "--every is \"soon\""),
        ("- --every 1ms --unit weeks", "--unit is weeks"),
        ("- --from fix --zone Europe/Paris", "an offset like +09:00"),
        ("- --from fix --zone +9", "an offset like +09:00"),
        ("- --columns start=a,latency=b --where a", "COLUMN=VALUE"),
        ("- --columns start=a,latency=b --delimiter xx", "one sign"),
        ("- --delimiter ;", "--columns"),
        ("- other.csv", "other.csv"),
        ("missing.csv", "missing.csv"),
    ] {
        fails(&format!("trace {args}"), "a,b\n1,2\n", &[parts, "legal"]);
    }
    let utf16: String = "start_ns,latency_ns\n0,5\n".chars().flat_map(|letter| [letter, '\0']).collect();
    fails("trace -", &utf16, &["UTF-16", "iconv -f UTF-16"]);
}

#[test]
fn replay_reads_what_trace_reads() {
    let table = "t,l\n0,5000000\n1000000000,5000000\n";
    let (status, out, err) = finish(start("replay - --format json --columns start=t,latency=l"), table);
    assert_eq!((status, unexpected(&err)), (Some(0), vec![]));
    assert!(out.contains("\"asked\":2"), "{out}");
}
