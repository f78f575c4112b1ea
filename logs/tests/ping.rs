//! Pings as they are printed.

use proptest::prelude::*;
use trip99_logs::{Ping, PingCounts, PingOptions, Row};

const S_NS: u64 = 1_000_000_000;

fn read(text: &str) -> Result<(Vec<Row>, PingCounts), String> {
    read_bytes(text.as_bytes(), PingOptions::default())
}

fn read_bytes(text: &[u8], options: PingOptions) -> Result<(Vec<Row>, PingCounts), String> {
    let mut ping = Ping::new(text, "p.txt".to_owned(), options);
    let rows = ping.by_ref().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok((rows, ping.counts()))
}

/// Start and latency of each row, in microseconds.
fn rows_us(text: &str) -> Vec<(u64, Option<u64>)> {
    let rows = read(text).unwrap().0;
    rows.iter().map(|row| (row.start_ns / 1000, row.latency_ns.map(|latency_ns| latency_ns / 1000))).collect()
}

#[test]
fn a_stamp_is_that_of_the_reply() {
    let text = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n\
        [1700000000.100543] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.543 ms\n\
        [1700000002.300000] no answer yet for icmp_seq=2\n\
        [1700000003.500000] From 10.0.0.9 icmp_seq=3 Destination Host Unreachable\n\
        [1700000003.410000] 64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=10.0 ms\n\
        [1700000003.410900] 64 bytes from 10.0.0.1: icmp_seq=4 ttl=64 time=10.9 ms (DUP!)\n\
        [1700000005.500000] no answer yet for icmp_seq=5\n\
        \n\
        --- 10.0.0.1 ping statistics ---\n\
        8 packets transmitted, 2 received, +1 duplicates, 75% packet loss, time 7003ms\n";
    let base = 1_700_000_000_100_000;
    let expected = [
        (base, Some(543)),
        (base + 1_100_000, None),
        (base + 2_200_000, None),
        (base + 3_300_000, Some(10_000)),
        (base + 4_300_000, None),
        (base + 5_300_000, None),
        (base + 6_300_000, None),
    ];
    assert_eq!(rows_us(text), expected);
    assert_eq!(read(text).unwrap().1, PingCounts { replies: 2, lost: 5, duplicates: 1, late: 0 });
    let (row, _) = read("[1700000000.123456] 64 bytes from a: icmp_seq=5 ttl=64 time=0.543 ms").unwrap();
    assert_eq!((row[0].start_ns, row[0].latency_ns), (1_700_000_000_122_913_000, Some(543_000)));
}

#[test]
fn without_stamps_the_interval_tells() {
    let text = "64 bytes from a: icmp_seq=7 ttl=64 time=1 ms\n64 bytes from a: icmp_seq=10 ttl=64 time=2 ms\n\
                64 bytes from a: icmp_seq=9 ttl=64 time=900 ms\nno answer yet for icmp_seq=11\n";
    let expected =
        [(0, Some(1_000)), (1_000_000, None), (2_000_000, Some(900_000)), (3_000_000, Some(2_000)), (4_000_000, None)];
    assert_eq!(rows_us(text), expected);
    let rows = read_bytes(text.as_bytes(), PingOptions { interval_ns: S_NS / 5 }).unwrap().0;
    assert!(rows.iter().zip(0..).all(|(row, n)| row.start_ns == n * S_NS / 5));
}

#[test]
fn icmp_seq_wraps() {
    let line = |n: u64| format!("64 bytes from a: icmp_seq={} ttl=64 time=1 ms\n", n % 65536);
    let text: String = (65_000..=200_000).filter(|n| !(65_530..65_540).contains(n)).map(line).collect();
    let (rows, counts) = read(&text).unwrap();
    assert_eq!(counts, PingCounts { replies: 134_991, lost: 10, ..PingCounts::default() });
    assert!(rows.iter().zip(0..).all(|(row, n)| row.start_ns == n * S_NS));
    assert!(rows.iter().zip(65_000..).all(|(row, n)| row.latency_ns.is_none() == (65_530..65_540).contains(&n)));
}

#[test]
fn where_a_ping_begins_and_ends() {
    let reply = "64 bytes from a: icmp_seq=3 ttl=64 time=1 ms\n";
    let end = "6 packets transmitted, 1 received, 83% packet loss\n";
    assert_eq!(rows_us(reply).len(), 1, "a piece of a log");
    assert_eq!(rows_us(&format!("{reply}{end}")).len(), 1, "a piece of a log, which has its end");
    assert_eq!(rows_us(&format!("PING a\n{reply}")).len(), 3);
    assert_eq!(rows_us(&format!("PING a\n{reply}{end}")).len(), 5, "the sixth may have been on its way");
    assert_eq!(rows_us(&format!("PING a\n{end}")).len(), 5, "not one came back");
    let from_0 = "PING a\nRequest timeout for icmp_seq 0\n64 bytes from a: icmp_seq=1 ttl=64 time=1.000 ms\n";
    assert_eq!(rows_us(from_0), [(0, None), (1_000_000, Some(1_000))]);
    let twice = rows_us(&format!("PING a\n{reply}{end}PING a\n{reply}"));
    assert_eq!(twice.iter().map(|(start_us, _)| start_us / 1_000_000).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!(rows_us("PING a\n99999999999999 packets transmitted\n"), [], "no number of packets");
}

#[test]
fn a_reply_may_be_too_late() {
    let line = |n: u64| format!("64 bytes from a: icmp_seq={n} ttl=64 time=1 ms\n");
    let text: String = (1..=1_500).filter(|n| *n != 10).map(line).collect();
    let (rows, counts) = read(&(text + &line(10))).unwrap();
    assert_eq!((rows.len(), counts), (1_500, PingCounts { replies: 1_499, lost: 1, duplicates: 0, late: 1 }));
}

#[test]
fn starts_ascend() {
    let flood = "[5.000100] 64 bytes from a: icmp_seq=1 ttl=64 time=0.050 ms\n[5.000101] 64 bytes from a: icmp_seq=2 ttl=64 time=0.052 ms\n";
    assert_eq!(rows_us(flood), [(5_000_050, Some(50)), (5_000_050, Some(52))]);
}

#[test]
fn mistakes_name_their_line_and_what_is_legal() {
    let reply = "64 bytes from a: icmp_seq=1 ttl=64 time=1 ms\n";
    let no_packet = "no packet in them; legal: what ping prints, best of ping -D -O";
    for (text, message) in [
        ("", format!("p.txt: 0 lines and {no_packet}")),
        ("start_ns,latency_ns\n1,2\n", format!("p.txt: 2 lines and {no_packet}")),
        (
            &format!("{reply}8 bytes from a: icmp_seq=2 ttl=64\n"),
            "p.txt: line 2: the reply has no time; legal: time=0.543 ms, which ping prints for packets of 16 bytes or more (-s)".to_owned(),
        ),
        (
            &format!("{reply}64 bytes from a: icmp_seq=2 ttl=64 time=x ms\n"),
            "p.txt: line 2: the time is \"x ms\"; legal: a decimal number and a unit, as in time=0.543 ms".to_owned(),
        ),
        (
            "64 bytes from a: icmp_seq=2 ttl=64 time=5",
            "p.txt: line 1: the time is \"5\"; legal: a decimal number and a unit, as in time=0.543 ms".to_owned(),
        ),
        (
            "64 bytes from a: icmp_seq=65536 ttl=64 time=5 ms",
            "p.txt: line 1: icmp_seq is \"65536 ttl=64 time=5 ms\"; legal: 0 to 65535".to_owned(),
        ),
        (
            &format!("{reply}[7.5] 64 bytes from a: icmp_seq=2 ttl=64 time=1 ms\n"),
            "p.txt: line 2: some replies have a stamp and some have none; legal: all or none, as with ping -D".to_owned(),
        ),
        (
            &format!("[7.5] {reply}\n[5.5] 64 bytes from a: icmp_seq=2 ttl=64 time=1 ms\n"),
            "p.txt: line 3: the packet was sent at 5499000000 ns since 1970, before 7499000000 of the packet above; legal: ascending stamps"
                .to_owned(),
        ),
        (
            "[0.5] 64 bytes from a: icmp_seq=2 ttl=64 time=700 ms\n",
            "p.txt: line 1: the stamp is 500000000 ns since 1970, and the time is longer; legal: the stamp of the reply, in seconds since 1970".to_owned(),
        ),
    ] {
        assert_eq!(read(text), Err(message), "{text}");
    }
    let slow = PingOptions { interval_ns: u64::MAX / 2 + 1 };
    let text = format!("PING a\n{reply}64 bytes from a: icmp_seq=2 ttl=64 time=1 ms\n");
    assert_eq!(
        read_bytes(text.as_bytes(), slow),
        Err("p.txt: line 3: a packet is at 9223372036854775808 ns; legal: up to 9223372036854775807, by a shorter interval".to_owned())
    );
}

fn any_line() -> impl Strategy<Value = String> {
    let stamp = prop_oneof![3 => Just(String::new()), 1 => "\\[[0-9]{1,11}(\\.[0-9]{1,7})?\\] "];
    let rest = prop_oneof![
        4 => "64 bytes from a: icmp_seq=[0-9]{1,5} ttl=64 time=[0-9]{0,6}(\\.[0-9]{1,4})? ?(ms|us|s|)( \\(DUP!\\))?",
        1 => "no answer yet for icmp_seq=[0-9]{1,5}",
        1 => Just("PING a (b)".to_owned()),
        1 => "[0-9]{1,20} packets transmitted",
        1 => "\\PC{0,20}",
    ];
    (stamp, rest).prop_map(|(stamp, rest)| stamp + &rest)
}

proptest! {
    #[test]
    fn no_bytes_panic(text: Vec<u8>, interval_ns: u64) {
        let _ = read_bytes(&text, PingOptions { interval_ns });
    }

    #[test]
    fn no_lines_panic_and_rows_ascend(lines in prop::collection::vec(any_line(), 0..20), interval_ns in 0..u64::MAX) {
        let text = lines.join("\n");
        let mut last_ns = 0;
        for row in Ping::new(text.as_bytes(), String::new(), PingOptions { interval_ns }).map_while(Result::ok) {
            prop_assert!(row.start_ns >= last_ns);
            prop_assert!(row.start_ns.checked_add(row.latency_ns.unwrap_or(0)).is_some());
            last_ns = row.start_ns;
        }
    }
}
