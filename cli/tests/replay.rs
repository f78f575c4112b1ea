//! Replays of small traces, worked out by hand: every line of the report, and the ways to write trace and settings.

mod common;
mod schema;
use common::{SPIKE, SPIKE_ROWS, figure, finish, json, lines, run, settings, start, without_warnings, write};
use serde_json::Value;

fn check(options: &str, rows: &str, report: &str) {
    assert_eq!(json(options, &lines(rows)), format!("{report}\n"));
}

// Small figures stand for nanoseconds: with a threshold of 100, trials must take at most 80.

#[test]
fn a_spike_trips_and_good_trials_recover() {
    // 100 isn't slow and ends the first run of slow calls; the third of the next run comes back at 1000 + 150. P99 of 6
    // samples is the 6th smallest. The row at 1500 is refused, so its latency doesn't matter. The pause of 1000 ends at
    // 2150, before the row at 2150 asks. That trial, of 80, is good; it keeps the row at 2200 out, and is back at 2230
    // before the next row asks. The second trial is back at 2240. P99 of 2 samples is the 2nd smallest.
    check(
        SPIKE,
        SPIKE_ROWS,
        r#"{"t_ns":1150,"from":"closed","to":"open","reason":"spike","samples":6,"slow":5,"overdue":0,"quantile_ns":150,"observed":150,"limit":100,"attempt":0,"retry_at_ns":2150}
{"t_ns":2150,"from":"open","to":"half_open","reason":"retry","samples":6,"slow":5,"overdue":0,"quantile_ns":150,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"t_ns":2240,"from":"half_open","to":"closed","reason":"recovered","samples":2,"slow":0,"overdue":0,"quantile_ns":80,"observed":2,"limit":2,"attempt":0,"retry_at_ns":null}
{"asked":11,"allowed":9,"refused":2,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":1000,"half_open_ns":90,"end_ns":2305,"state":"closed"}"#,
    );
}

#[test]
fn a_call_that_never_comes_back_stalls() {
    // Sent at 10, it stalls at 510, before the row at 510 asks: it counts with its age of 500 beside the samples of 50
    // and 30. One trial, of ten, ends the trace.
    check(
        "--threshold 100 --stall-limit 500 --backoff-base 1000",
        "start_ns,latency_ns 0,50 10, 20,30 510,5 1600,5",
        r#"{"t_ns":510,"from":"closed","to":"open","reason":"stall","samples":3,"slow":1,"overdue":1,"quantile_ns":500,"observed":500,"limit":500,"attempt":0,"retry_at_ns":1510}
{"t_ns":1510,"from":"open","to":"half_open","reason":"retry","samples":2,"slow":0,"overdue":0,"quantile_ns":50,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"asked":5,"allowed":4,"refused":1,"free":0,"unknown":0,"lost":1,"trips":1,"reopens":0,"open_ns":1000,"half_open_ns":95,"end_ns":1605,"state":"half_open"}"#,
    );
}

#[test]
fn no_timer_fires_after_the_last_step() {
    check(
        "--threshold 100 --stall-limit 500",
        "start_ns,latency_ns 0,50 10, 400,60",
        r#"{"asked":3,"allowed":3,"refused":0,"free":0,"unknown":0,"lost":1,"trips":0,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":460,"state":"closed"}"#,
    );
}

#[test]
fn calls_that_are_overdue_count_at_their_age() {
    // Calls become overdue 101 after their start. At 161 there are 3 samples, too few; at 171 the median of 10, 30, 101
    // and 111 is the 2nd smallest; at 181 that of 10, 30, 101, 111 and 121 is the 3rd, and slow.
    check(
        "--threshold 100 --quantile 0.5 --min-samples 4 --min-slow 1 --spike-count 0 --backoff-base 1000",
        "start_ns,latency_ns 0,10 20,30 60, 70, 80, 300,5",
        r#"{"t_ns":181,"from":"closed","to":"open","reason":"latency","samples":5,"slow":3,"overdue":3,"quantile_ns":101,"observed":101,"limit":100,"attempt":0,"retry_at_ns":1181}
{"asked":6,"allowed":5,"refused":1,"free":0,"unknown":0,"lost":3,"trips":1,"reopens":0,"open_ns":119,"half_open_ns":0,"end_ns":300,"state":"open"}"#,
    );
}

#[test]
fn a_completion_at_a_deadline_is_late() {
    // At 501 the third call is overdue first, then comes back.
    check(
        "--threshold 100 --min-samples 3 --min-slow 1 --backoff-base 1000",
        "start_ns,latency_ns 0,100 200,100 400,101",
        r#"{"t_ns":501,"from":"closed","to":"open","reason":"latency","samples":3,"slow":1,"overdue":1,"quantile_ns":101,"observed":101,"limit":100,"attempt":0,"retry_at_ns":1501}
{"asked":3,"allowed":3,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":501,"state":"open"}"#,
    );
}

#[test]
fn with_a_sampling_rate_only_samples_trip() {
    // The first and the third call enter the window; overdue calls don't count.
    check(
        "--threshold 100 --sample-every 2 --min-samples 2 --min-slow 1 --spike-count 0 --backoff-base 1000",
        "start_ns,latency_ns 0,150 200,150 400,150",
        r#"{"t_ns":550,"from":"closed","to":"open","reason":"latency","samples":2,"slow":2,"overdue":0,"quantile_ns":150,"observed":150,"limit":100,"attempt":0,"retry_at_ns":1550}
{"asked":3,"allowed":3,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":550,"state":"open"}"#,
    );
}

#[test]
fn bad_trials_reopen_for_longer_each_time() {
    // The third failure in a row comes back at 90. The trials: one fails at 1110; one is late at 3200 + 81, before it
    // comes back; one is late at 7000 + 81. Pauses: 1000, 2000, and twice 3000, the most; its attempt is the last.
    // Open for 1000 + 2000 + 3000 and from 7081 to 7090; half-open for 20 + 171 + 800.
    check(
        "--threshold 100 --consecutive-failures 3 --backoff-base 1000 --backoff-max 3000",
        "start_ns,latency_ns,ok 0,10,0 20,10,1 40,10,0 60,10,0 80,10,0 1090,20,0 3200,81,1 7000,90,0",
        r#"{"t_ns":90,"from":"closed","to":"open","reason":"consecutive_failures","samples":5,"slow":0,"overdue":0,"quantile_ns":10,"observed":3,"limit":3,"attempt":0,"retry_at_ns":1090}
{"t_ns":1090,"from":"open","to":"half_open","reason":"retry","samples":5,"slow":0,"overdue":0,"quantile_ns":10,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"t_ns":1110,"from":"half_open","to":"open","reason":"probe_failed","samples":1,"slow":0,"overdue":0,"quantile_ns":20,"observed":20,"limit":0,"attempt":1,"retry_at_ns":3110}
{"t_ns":3110,"from":"open","to":"half_open","reason":"retry","samples":1,"slow":0,"overdue":0,"quantile_ns":20,"observed":0,"limit":0,"attempt":1,"retry_at_ns":null}
{"t_ns":3281,"from":"half_open","to":"open","reason":"probe_slow","samples":0,"slow":0,"overdue":0,"quantile_ns":0,"observed":81,"limit":80,"attempt":2,"retry_at_ns":6281}
{"t_ns":6281,"from":"open","to":"half_open","reason":"retry","samples":1,"slow":0,"overdue":0,"quantile_ns":81,"observed":0,"limit":0,"attempt":2,"retry_at_ns":null}
{"t_ns":7081,"from":"half_open","to":"open","reason":"probe_slow","samples":0,"slow":0,"overdue":0,"quantile_ns":0,"observed":81,"limit":80,"attempt":2,"retry_at_ns":10081}
{"asked":8,"allowed":8,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":3,"open_ns":6009,"half_open_ns":991,"end_ns":7090,"state":"open"}"#,
    );
}

#[test]
fn a_share_of_failures_trips_and_old_samples_leave() {
    // 1 of 2 and 2 of 4 aren't more than half; 3 of 5 are, at 90. At 1090 the latest sample is 1000 old: all have left.
    check(
        "--threshold 100 --failure-rate 0.5 --min-samples 2 --consecutive-failures 0 --window-age 1000 --backoff-base 1000",
        "start_ns,latency_ns,ok 0,10,1 20,10,0 40,10,1 60,10,0 80,10,0 1200,5,1",
        r#"{"t_ns":90,"from":"closed","to":"open","reason":"failure_rate","samples":5,"slow":0,"overdue":0,"quantile_ns":10,"observed":600000,"limit":500000,"attempt":0,"retry_at_ns":1090}
{"t_ns":1090,"from":"open","to":"half_open","reason":"retry","samples":0,"slow":0,"overdue":0,"quantile_ns":0,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"asked":6,"allowed":6,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":1000,"half_open_ns":115,"end_ns":1205,"state":"half_open"}"#,
    );
}

#[test]
fn time_closed_forgives_an_attempt() {
    // Closed at 1102, the trip at 1301 is attempt 0 + 1. Closed at 3302, that at 8302, 5000 later, is 1 + 1 - 1.
    check(
        "--threshold 100 --spike-count 1 --probes 1 --backoff-base 1000 --stable-after 5000",
        "start_ns,latency_ns 0,101 1101,1 1200,101 3301,1 8201,101",
        r#"{"t_ns":101,"from":"closed","to":"open","reason":"spike","samples":1,"slow":1,"overdue":0,"quantile_ns":101,"observed":101,"limit":100,"attempt":0,"retry_at_ns":1101}
{"t_ns":1101,"from":"open","to":"half_open","reason":"retry","samples":1,"slow":1,"overdue":0,"quantile_ns":101,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"t_ns":1102,"from":"half_open","to":"closed","reason":"recovered","samples":1,"slow":0,"overdue":0,"quantile_ns":1,"observed":1,"limit":1,"attempt":0,"retry_at_ns":null}
{"t_ns":1301,"from":"closed","to":"open","reason":"spike","samples":2,"slow":1,"overdue":0,"quantile_ns":101,"observed":101,"limit":100,"attempt":1,"retry_at_ns":3301}
{"t_ns":3301,"from":"open","to":"half_open","reason":"retry","samples":2,"slow":1,"overdue":0,"quantile_ns":101,"observed":0,"limit":0,"attempt":1,"retry_at_ns":null}
{"t_ns":3302,"from":"half_open","to":"closed","reason":"recovered","samples":1,"slow":0,"overdue":0,"quantile_ns":1,"observed":1,"limit":1,"attempt":1,"retry_at_ns":null}
{"t_ns":8302,"from":"closed","to":"open","reason":"spike","samples":2,"slow":1,"overdue":0,"quantile_ns":101,"observed":101,"limit":100,"attempt":1,"retry_at_ns":10302}
{"asked":5,"allowed":5,"refused":0,"free":0,"unknown":0,"lost":0,"trips":3,"reopens":0,"open_ns":3000,"half_open_ns":2,"end_ns":8302,"state":"open"}"#,
    );
}

#[test]
fn from_half_open_trials_go_out_as_far_as_allowed() {
    // The third row at 1000 is one too many. At 1010 a trial is back, and the third goes out; at 1015 no fourth may.
    check(
        "--start half-open --threshold 100 --probes 3 --trials-in-flight 2",
        "start_ns,latency_ns 1000,10 1000,20 1000,30 1010,25 1015,5 1040,5",
        r#"{"t_ns":1035,"from":"half_open","to":"closed","reason":"recovered","samples":3,"slow":0,"overdue":0,"quantile_ns":25,"observed":3,"limit":3,"attempt":0,"retry_at_ns":null}
{"asked":6,"allowed":4,"refused":2,"free":0,"unknown":0,"lost":0,"trips":0,"reopens":0,"open_ns":0,"half_open_ns":35,"end_ns":1045,"state":"closed"}"#,
    );
}

#[test]
fn a_trial_that_never_comes_back_reopens() {
    check(
        "--start half-open --threshold 100 --backoff-base 1000",
        "start_ns,latency_ns 5000, 5091,1",
        r#"{"t_ns":5081,"from":"half_open","to":"open","reason":"probe_slow","samples":0,"slow":0,"overdue":0,"quantile_ns":0,"observed":81,"limit":80,"attempt":0,"retry_at_ns":6081}
{"asked":2,"allowed":1,"refused":1,"free":0,"unknown":0,"lost":1,"trips":0,"reopens":1,"open_ns":10,"half_open_ns":81,"end_ns":5091,"state":"open"}"#,
    );
}

#[test]
fn trials_without_a_result_reopen() {
    // Each is given up before it is late, and from 5000 on one is always out. So 100 later there still is no result. The second is
    // given up at 5110, while the breaker is open.
    check(
        "--start half-open --threshold 100 --probe-timeout 100 --trials-in-flight 2 --backoff-base 1000",
        "start_ns,latency_ns,kind 5000,60,withdrawn 5050,60,withdrawn 5105,1,ask",
        r#"{"t_ns":5100,"from":"half_open","to":"open","reason":"probe_lost","samples":0,"slow":0,"overdue":0,"quantile_ns":0,"observed":100,"limit":100,"attempt":0,"retry_at_ns":6100}
{"asked":3,"allowed":2,"refused":1,"free":0,"unknown":0,"lost":0,"trips":0,"reopens":1,"open_ns":10,"half_open_ns":100,"end_ns":5110,"state":"open"}"#,
    );
}

#[test]
fn calls_of_no_length_come_back_before_the_next_row_asks() {
    check(
        "--start half-open --probes 2",
        "start_ns,latency_ns 7,0 7,0 7,0",
        r#"{"t_ns":7,"from":"half_open","to":"closed","reason":"recovered","samples":2,"slow":0,"overdue":0,"quantile_ns":0,"observed":2,"limit":2,"attempt":0,"retry_at_ns":null}
{"asked":3,"allowed":3,"refused":0,"free":0,"unknown":0,"lost":0,"trips":0,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":7,"state":"closed"}"#,
    );
}

#[test]
fn at_one_instant_calls_come_back_in_sending_order() {
    // Both at 10: the failure trips, and the answer after it is no longer judged.
    check(
        "--threshold 100 --consecutive-failures 1 --backoff-base 1000",
        "start_ns,latency_ns,ok 0,10,0 5,5,1",
        r#"{"t_ns":10,"from":"closed","to":"open","reason":"consecutive_failures","samples":1,"slow":0,"overdue":0,"quantile_ns":10,"observed":1,"limit":1,"attempt":0,"retry_at_ns":1010}
{"asked":2,"allowed":2,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":10,"state":"open"}"#,
    );
}

#[test]
fn the_summary_has_the_longest_of_several_pauses() {
    // Open from 101, closed at 1102; open from 1301, closed at 3302.
    let trace = lines("start_ns,latency_ns 0,101 1101,1 1200,101 3301,1 8201,5");
    let text = run("replay - --threshold 100 --spike-count 1 --probes 1 --backoff-base 1000", &trace);
    assert_eq!(figure(&text, "longest pause"), "2.001 µs");
}

#[test]
fn the_summary_has_the_share_of_asks_at_which_a_verdict_was_possible() {
    // One lost call, then 200 of 1 µs from 50 s on, each 1 ms after the one before. The lost call is overdue from 0.2 s to
    // 60 s, so 49 samples arm the breaker: the first 50 asks find fewer. The ask at 105 s finds all 200, and the ask at
    // 120 s finds that they have expired. That leaves 152 of 203.
    let calls = (0..200).map(|call| format!("{},1000\n", 50_000_000_000u64 + call * 1_000_000));
    let trace = format!("start_ns,latency_ns\n0,\n{}105000000000,1000\n120000000000,1000\n", calls.collect::<String>());
    let text = run("replay - --stall-limit 0 --min-samples 50 --quantile 0.9", &trace);
    assert_eq!(figure(&text, "armed"), "152  74.9 %: a verdict was possible");
}

#[test]
fn a_shadow_refuses_nothing() {
    // Open from 350, yet the call at 500 is made, and is the third sample. That at 1300 comes back at 1390, after the
    // pause: it is stale. That at 1360 is the trial, late at 1360 + 81. That at 1370 is a sample, but no trial.
    check(
        "--shadow --threshold 100 --spike-count 2 --probes 1 --backoff-base 1000",
        "start_ns,latency_ns 0,150 200,150 500,10 1300,90 1360,85 1370,20 2000,5",
        r#"{"t_ns":350,"from":"closed","to":"open","reason":"spike","samples":2,"slow":2,"overdue":0,"quantile_ns":150,"observed":150,"limit":100,"attempt":0,"retry_at_ns":1350}
{"t_ns":1350,"from":"open","to":"half_open","reason":"retry","samples":3,"slow":2,"overdue":0,"quantile_ns":150,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"t_ns":1441,"from":"half_open","to":"open","reason":"probe_slow","samples":1,"slow":0,"overdue":0,"quantile_ns":20,"observed":81,"limit":80,"attempt":1,"retry_at_ns":3441}
{"asked":7,"allowed":7,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":1,"open_ns":1564,"half_open_ns":91,"end_ns":2005,"state":"open"}"#,
    );
}

#[test]
fn a_trace_may_go_on_to_the_end_of_time() {
    // With the defaults: the first call stalls after 1 s, the breaker pauses for 1 s, and at the end of time the call
    // comes back, stale.
    check(
        "",
        "start_ns,latency_ns 9223372036854775808,9223372036854775807 9223372036854775813,5",
        r#"{"t_ns":9223372037854775808,"from":"closed","to":"open","reason":"stall","samples":2,"slow":1,"overdue":1,"quantile_ns":1000000000,"observed":1000000000,"limit":1000000000,"attempt":0,"retry_at_ns":9223372038854775808}
{"t_ns":9223372038854775808,"from":"open","to":"half_open","reason":"retry","samples":1,"slow":0,"overdue":0,"quantile_ns":5,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"asked":2,"allowed":2,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":1000000000,"half_open_ns":9223372034854775807,"end_ns":18446744073709551615,"state":"half_open"}"#,
    );
}

#[test]
fn a_row_that_is_free_begins_in_any_state() {
    // The first call trips at 150. While the breaker is open the row at 500 asks in vain; the free one at 200 is back at 230, and
    // enters the window. Half-open from 1150 on: a free call that is back after 90 reopens, as it took more than 80. That at 1200
    // is no trial, so it isn't late at 1281.
    check(
        "--threshold 100 --spike-count 1 --probes 1 --backoff-base 1000",
        "start_ns,latency_ns,kind 0,150,ask 200,30,free 500,5, 1200,,free 1210,90,free",
        r#"{"t_ns":150,"from":"closed","to":"open","reason":"spike","samples":1,"slow":1,"overdue":0,"quantile_ns":150,"observed":150,"limit":100,"attempt":0,"retry_at_ns":1150}
{"t_ns":1150,"from":"open","to":"half_open","reason":"retry","samples":2,"slow":1,"overdue":0,"quantile_ns":150,"observed":0,"limit":0,"attempt":0,"retry_at_ns":null}
{"t_ns":1300,"from":"half_open","to":"open","reason":"probe_slow","samples":1,"slow":0,"overdue":0,"quantile_ns":90,"observed":90,"limit":80,"attempt":1,"retry_at_ns":3300}
{"asked":2,"allowed":1,"refused":1,"free":3,"unknown":0,"lost":1,"trips":1,"reopens":1,"open_ns":1000,"half_open_ns":150,"end_ns":1300,"state":"open"}"#,
    );
}

#[test]
fn a_row_that_was_withdrawn_counts_neither_way() {
    // The only trial is given up at 1050, before the row at 1050 asks. That one is good. Of the last two one is given up at 1900,
    // and one never ends.
    check(
        "--start half-open --threshold 100 --probes 1",
        "start_ns,latency_ns,ok,kind 1000,50,0,withdrawn 1020,5,1, 1050,10,1,ask 1100,800,1,withdrawn 1200,,0,withdrawn",
        r#"{"t_ns":1060,"from":"half_open","to":"closed","reason":"recovered","samples":1,"slow":0,"overdue":0,"quantile_ns":10,"observed":1,"limit":1,"attempt":0,"retry_at_ns":null}
{"asked":5,"allowed":4,"refused":1,"free":0,"unknown":0,"lost":1,"trips":0,"reopens":0,"open_ns":0,"half_open_ns":60,"end_ns":1900,"state":"closed"}"#,
    );
}

#[test]
fn a_row_that_is_given_up_is_overdue_until_then() {
    // The first call, of 201, is overdue from 101 to 201, when it is given up. So at 250, with two samples, there is no verdict. The
    // last call is overdue at 501, beside two samples.
    check(
        "--threshold 100 --min-samples 3 --min-slow 1 --backoff-base 1000",
        "start_ns,latency_ns,kind 0,201,withdrawn 210,10, 240,10, 400,300,withdrawn",
        r#"{"t_ns":501,"from":"closed","to":"open","reason":"latency","samples":3,"slow":1,"overdue":1,"quantile_ns":101,"observed":101,"limit":100,"attempt":0,"retry_at_ns":1501}
{"asked":4,"allowed":4,"refused":0,"free":0,"unknown":0,"lost":0,"trips":1,"reopens":0,"open_ns":199,"half_open_ns":0,"end_ns":700,"state":"open"}"#,
    );
}

#[test]
fn a_row_that_was_refused_and_would_not_be_now_is_not_sent() {
    // The first row is granted the only trial, and gives it back at once: the second has it. What a refused row says of its call
    // doesn't matter. The row at 1190 is refused, as it was.
    check(
        "--start half-open --threshold 100 --probes 1 --spike-count 1 --backoff-base 1000",
        "start_ns,latency_ns,ok,kind 1000,99999,0,refused 1000,10,,ask 1020,,0,refused 1030,150,1,ask 1190,,,refused",
        r#"{"t_ns":1010,"from":"half_open","to":"closed","reason":"recovered","samples":1,"slow":0,"overdue":0,"quantile_ns":10,"observed":1,"limit":1,"attempt":0,"retry_at_ns":null}
{"t_ns":1180,"from":"closed","to":"open","reason":"spike","samples":2,"slow":1,"overdue":0,"quantile_ns":150,"observed":150,"limit":100,"attempt":0,"retry_at_ns":2180}
{"asked":5,"allowed":4,"refused":1,"free":0,"unknown":2,"lost":0,"trips":1,"reopens":0,"open_ns":10,"half_open_ns":10,"end_ns":1190,"state":"open"}"#,
    );
}

#[test]
fn text_shows_rows_of_other_kinds_if_there_are_any() {
    let text = |rows: &str| run("replay -", &lines(rows));
    let shown = text("start_ns,latency_ns,kind 0,5,free 1,5,free 2,5,refused 3,,");
    assert_eq!(figure(&shown, "free"), "2  rows that don't ask");
    assert!(figure(&shown, "unknown").starts_with("1  of the allowed"), "{shown}");
    assert_eq!(figure(&shown, "lost"), "1  never came back");
    assert_eq!((figure(&shown, "asked"), figure(&shown, "allowed")), ("2  over 6 ns".to_owned(), "2".to_owned()));
    let shown = text("start_ns,latency_ns 0,5 1,5");
    assert!(["free", "unknown", "lost"].iter().all(|name| !shown.contains(&format!("\n  {name} "))), "{shown}");
}

#[test]
fn a_header_alone_is_a_trace() {
    check(
        "",
        "start_ns,latency_ns,ok",
        r#"{"asked":0,"allowed":0,"refused":0,"free":0,"unknown":0,"lost":0,"trips":0,"reopens":0,"open_ns":0,"half_open_ns":0,"end_ns":0,"state":"closed"}"#,
    );
}

#[test]
fn a_trace_may_be_written_in_several_ways() {
    let options = "--threshold 100 --stall-limit 500";
    let expected = json(options, "start_ns,latency_ns,ok\n0,10,1\n20,,1\n30,5,1\n700,5,1\n");
    assert!(expected.contains(r#""t_ns":520,"#) && expected.contains(r#""asked":4,"#), "{expected}");
    for trace in [
        "start_ns,latency_ns\n0,10\n20,\n30,5\n700,5\n",
        "start_ns,latency_ns,ok\n0,10,1\n20,,1\n30,5,1\n700,5,1",
        "start_ns,latency_ns,ok\r\n0,10,1\r\n20,,1\r\n30,5,1\r\n700,5,1\r\n",
        "\u{feff}start_ns,latency_ns,ok\n0,10,1\n20,,1\n30,5,1\n700,5,1\n",
        "\u{feff}latency_ns,start_ns\r\n10,0\r\n,20\r\n5,30\r\n5,700",
        "ok,latency_ns,start_ns\n1,10,0\n1,,20\n1,5,30\n1,5,700\n",
    ] {
        assert_eq!(json(options, trace), expected, "{trace:?}");
    }
    // Kinds that are the default, and an empty `ok`.
    assert_eq!(json(options, "kind,start_ns,latency_ns,ok\nask,0,10,\n,20,,\n,30,5,1\nask,700,5,1\n"), expected);
    write("several.csv", "start_ns,latency_ns,ok\n0,10,1\n20,,1\n30,5,1\n700,5,1\n");
    assert_eq!(without_warnings(&run(&format!("replay several.csv --format json {options}"), "")), expected);
}

#[test]
fn sorting_keeps_the_order_of_equal_starts() {
    // One trial at a time: of four rows at each start the first is good and goes out; any other would reopen.
    let options = "--start half-open --threshold 100 --probes 1000";
    let row = |start: u64, rank: u64| format!("{},{}\n", start * 1000, if rank == 0 { 5 } else { 90 });
    let header = "start_ns,latency_ns\n".to_owned();
    let sorted = (0..50).flat_map(|start| (0..4).map(move |rank| row(start, rank)));
    let shuffled = (0..4).flat_map(|rank| (0..50).map(move |start| row(start * 7 % 50, rank)));
    let expected = json(options, &sorted.fold(header.clone(), |trace, row| trace + &row));
    assert!(expected.starts_with(r#"{"asked":200,"allowed":50,"refused":150,"#), "{expected}");
    assert_eq!(json(&format!("--sort {options}"), &shuffled.fold(header, |trace, row| trace + &row)), expected);
}

#[test]
fn a_file_of_settings_equals_the_options() {
    let options = settings().map(|(name, value)| format!(" --{}={value}", name.replace('_', "-")));
    let run = |args: &str| {
        let (status, out, err) = finish(start(args), &lines(SPIKE_ROWS));
        assert_eq!(status, Some(0), "{err}");
        (out, err)
    };
    let (expected, warning) = run(&options.fold("replay -".to_owned(), |args, option| args + &option));
    let halts = "warning: --latch-after is 3; a replay ignores it, as nobody is there to resume\n";
    assert!(warning.contains(halts), "{warning}");
    for dash in ["_", "-"] {
        let toml = settings().map(|(name, value)| {
            let bare = value == "true" || value.parse::<f64>().is_ok();
            let quote = if bare { "" } else { "\"" };
            format!("{} = {quote}{value}{quote} # a comment\n", name.replace('_', dash))
        });
        write("every.toml", &toml.collect::<String>());
        // As text, which shows settings too.
        let (out, warning) = run("replay - --config every.toml");
        assert_eq!(out, expected, "{dash}");
        let told = |line: &str| line.starts_with("warning: every.toml: line ") && line.contains("ignores it");
        assert!(warning.lines().any(told), "{warning}");
    }
}

#[test]
fn options_override_a_file_of_settings() {
    let toml = "threshold = 150\nspike-count = 2\nprobes = 2\nbackoff_base = \"1us\"\nshadow = true";
    write("override.toml", toml);
    let trace = lines(SPIKE_ROWS);
    let expected = json(SPIKE, &trace);
    assert_ne!(json("--config override.toml", &trace), expected);
    let options = "--config override.toml --threshold 100 --spike-count 3 --shadow=false";
    assert_eq!(json(options, &trace), expected);
    assert_eq!(json(&format!("{options} --threshold 7 --threshold 100"), &trace), expected, "the last one counts");
}

#[test]
fn a_replay_tracks_all_calls_and_has_no_jitter() {
    // The second call stalls; while it is sent the first is still in flight.
    let options = "--threshold 100 --stall-limit 500";
    let trace = lines("start_ns,latency_ns 0,450 10, 700,5");
    let expected = json(options, &trace);
    assert!(expected.starts_with(r#"{"t_ns":510,"#) && expected.contains(r#""retry_at_ns":1000000510}"#), "{expected}");
    write("lifted.toml", "max_in_flight = 1\njitter = 1.0\njitter_seed = 3\n");
    for more in ["--max-in-flight 1", "--jitter 1", "--jitter 0 --jitter-seed 9", "--config lifted.toml"] {
        assert_eq!(json(&format!("{options} {more}"), &trace), expected, "{more}");
    }
}

#[test]
fn text_shows_settings_transitions_summary_and_timeline() {
    write("text.csv", &lines(SPIKE_ROWS));
    let text = run(&format!("replay text.csv {SPIKE}"), "");
    assert_eq!(run(&format!("replay text.csv --format text {SPIKE}"), ""), text);
    assert!(!text.contains('\x1b'), "{text}");
    let has = |words: &[&str]| text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    for words in [
        &["trip99 replay", "text.csv"][..],
        &["latency", "P99 over 100 ns", "60 s", "once there are 20, at least 6 of them slow"],
        &["failures", "50", "5 in a row"],
        &["spike", "3 in a row over 100 ns"],
        &["stall", "1 s"],
        &["recovery", "2 good trials", "80 ns"],
        &["backoff", "1 µs", "60 s"],
        &["asked", "11", "2.305 µs"],
        &["allowed", "9"],
        &["refused", "2", "18.2"],
        &["half-open", "90 ns", "3.9"],
        &["longest pause", "1.09 µs"],
        &["at the end", "closed"],
    ] {
        assert_eq!(has(words), 1, "{words:?} in\n{text}");
    }
    let mut transitions = 0;
    for line in json(SPIKE, &lines(SPIKE_ROWS)).lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let words = ["from", "to", "reason"].map(|key| line[key].as_str().unwrap_or("asked"));
        assert_eq!(has(&words), 1, "{words:?} in\n{text}");
        transitions += usize::from(line["asked"].is_null());
    }
    assert_eq!((transitions, has(&["→"])), (3, 3), "{text}");
    for (row, evidence) in [("spike", "a call took 150 ns, limit 100 ns"), ("recovered", "2 good results of 2")] {
        let mut below = text.lines().skip_while(|line| !(line.contains('→') && line.contains(row))).skip(1);
        assert_eq!(below.next().map(str::trim), Some(evidence), "{text}");
    }
    // Closed for half of the time, open for most of the rest, at last half-open for a moment.
    let glyphs = |line: &&str| !line.is_empty() && line.chars().all(|glyph| "─█▒".contains(glyph));
    let mut timeline: Vec<char> = text.lines().map(str::trim).filter(glyphs).flat_map(str::chars).collect();
    timeline.dedup();
    assert_eq!(timeline, ['─', '█', '▒', '─'], "{text}");
}

#[test]
fn each_line_is_as_its_schema_says() {
    write("schema.toml", "threshold = 100\nspike_count = 2\nprobes = 2\nbackoff_base = 1000\n");
    let against = "--against schema.toml";
    for (options, name) in [("", schema::of("replay")), (against, "against")] {
        let rows = lines(SPIKE_ROWS);
        let args = format!("replay - --format json {SPIKE} --inject slow:x5:1us@+0s {options}");
        let out = run(&args, &rows);
        let values: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        values.iter().for_each(|value| schema::check(name, value));
        assert!(values.len() > 3, "{out}");
    }
}

/// Each field of each schema is told of.
#[test]
fn the_docs_know_every_field() {
    fn names(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(fields) => {
                if let Some(serde_json::Value::Object(properties)) = fields.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                fields.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = std::fs::read_to_string(docs.join("json.md")).unwrap();
    let (mut schemas, mut missing) = (0, Vec::new());
    for entry in std::fs::read_dir(docs.join("schema")).unwrap() {
        let path = entry.unwrap().path();
        // docs/audit.md tells of that one.
        if path.ends_with("record.json") {
            continue;
        }
        schemas += 1;
        let mut found = Vec::new();
        names(&serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(), &mut found);
        missing.extend(found.into_iter().filter(|name| !text.contains(&format!("`{name}`"))));
    }
    assert_eq!((schemas >= 9, missing), (true, vec![]));
}
