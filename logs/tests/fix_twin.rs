//! FIX logs at random: against a naive twin, and with anything in them.

use proptest::prelude::*;
use std::io::Read;
use trip99_logs::fix::{self, FixOptions, Unpaired};
use trip99_logs::{LogError, Row, RowKind};

/// 2026-03-02 00:00:00 UTC.
const BASE_NS: u64 = 1_772_409_600_000_000_000;
const MS_NS: u64 = 1_000_000;
const GIVE_UP_MS: u64 = 9;

/// A message of one of two sessions. Its MsgSeqNum is its index.
#[derive(Clone, Debug)]
struct Message {
    step_ms: u64,
    msg_type: &'static str,
    session: usize,
    ours: bool,
    again: bool,
    id: &'static str,
    ref_seq: Option<usize>,
    ref_id: &'static str,
    ref_type: &'static str,
    unavailable: bool,
}

fn messages(min_step_ms: u64) -> impl Strategy<Value = Vec<Message>> {
    let msg_type = prop::sample::select(vec!["D", "D", "D", "F", "G", "8", "8", "8", "9", "3", "j", "A", "5", "0"]);
    let id = || prop::sample::select(vec!["a", "a", "b", "b", "c", "d", ""]);
    let ref_type = prop::sample::select(vec!["", "", "D", "F", "0"]);
    // A few answers are ours: they answer nothing. No orders are theirs: then the side wouldn't be clear.
    let of_type = (msg_type, 0..10).prop_map(|(msg_type, odd)| match msg_type {
        "D" | "F" | "G" => (msg_type, true),
        "A" | "5" | "0" => (msg_type, odd < 5),
        _ => (msg_type, odd < 1),
    });
    let refs = (prop::option::of(0..12_usize), id(), ref_type, any::<bool>());
    let message = (min_step_ms..4, of_type, 0..10, 0..8, id(), refs).prop_map(
        |(step_ms, (msg_type, ours), session, again, id, (ref_seq, ref_id, ref_type, unavailable))| Message {
            step_ms,
            msg_type,
            session: usize::from(session == 0),
            ours,
            again: again == 0,
            id,
            ref_seq,
            ref_id,
            ref_type,
            unavailable,
        },
    );
    prop::collection::vec(message, 0..24)
}

fn text(messages: &[Message], of_side: impl Fn(bool) -> bool) -> String {
    let (mut text, mut ms) = (String::new(), 0);
    for (index, message) in messages.iter().enumerate() {
        ms += message.step_ms;
        let venue = ["VENUE", "OTHER"][message.session];
        let (sender, target) = if message.ours { ("US", venue) } else { (venue, "US") };
        let mut line = format!(
            "20260302-00:00:00.{ms:03} : 8=FIX.4.4|35={}|49={sender}|56={target}|34={index}|",
            message.msg_type
        );
        if !message.id.is_empty() && !["3", "j"].contains(&message.msg_type) {
            line += &format!("11={}|", message.id);
        }
        if message.again {
            line += "43=Y|";
        }
        if ["3", "j"].contains(&message.msg_type) {
            line += &message.ref_seq.map_or(String::new(), |seq| format!("45={}|", index.saturating_sub(seq)));
            line += &format!(
                "372={}|379={}|380={}|",
                message.ref_type,
                message.ref_id,
                if message.unavailable { 4 } else { 1 }
            )
            .replace("372=|", "")
            .replace("379=|", "");
        }
        if of_side(message.ours) {
            text += &(line + "10=000|\n");
        }
    }
    text
}

type Read2 = Result<(Vec<Row>, Unpaired), String>;

fn read(texts: &[String]) -> Read2 {
    let options = FixOptions { give_up_ns: GIVE_UP_MS * MS_NS, ..FixOptions::default() };
    let files = texts.iter().map(|text| {
        let input: Box<dyn Read> = Box::new(std::io::Cursor::new(text.clone().into_bytes()));
        ("f.log".to_owned(), input)
    });
    let message = |error: LogError| error.to_string();
    let mut rows = fix::read(files.collect(), options).map_err(message)?;
    let read = rows.by_ref().collect::<Result<_, _>>().map_err(message)?;
    Ok((read, rows.unpaired().clone()))
}

/// A call of the twin: all are kept, in one list.
struct Call {
    index: usize,
    session: usize,
    id: &'static str,
    start_ms: u64,
    kind: RowKind,
    /// Its end: latency and `ok`; lost without a latency.
    end: Option<(Option<u64>, bool)>,
    answered: bool,
}

/// Looks through the whole list for every message.
fn naive(messages: &[Message]) -> (Vec<Row>, Unpaired) {
    let (mut calls, mut unpaired, mut now_ms) = (Vec::<Call>::new(), Unpaired::default(), 0);
    let mut logged_on: Vec<(usize, bool)> = Vec::new();
    let mut last_ms = [0; 2];
    for (index, message) in messages.iter().enumerate() {
        now_ms += message.step_ms;
        let session = message.session;
        for call in &mut calls {
            if call.end.is_none() && now_ms - call.start_ms > GIVE_UP_MS {
                call.end = Some((None, true));
            }
        }
        let mut fail_ms = None;
        match message.msg_type {
            "D" | "F" | "G" => {
                let open =
                    calls.iter().any(|call| call.end.is_none() && (call.session, call.id) == (session, message.id));
                if message.again || open {
                    unpaired.resends += 1;
                } else if message.id.is_empty() {
                    unpaired.without_id += 1;
                } else {
                    let kind = if message.msg_type == "F" { RowKind::Free } else { RowKind::Ask };
                    calls.push(Call {
                        index,
                        session,
                        id: message.id,
                        start_ms: now_ms,
                        kind,
                        end: None,
                        answered: false,
                    });
                }
            }
            "8" | "9" | "3" | "j" => take_answer(&mut calls, &mut unpaired, index, message, now_ms),
            "A" if !message.again => {
                if logged_on.contains(&(session, message.ours)) {
                    logged_on.retain(|(other, _)| *other != session);
                    fail_ms = Some(last_ms[session]);
                }
                logged_on.push((session, message.ours));
            }
            "5" if !message.again => {
                logged_on.retain(|(other, _)| *other != session);
                fail_ms = Some(now_ms);
            }
            _ => {}
        }
        for call in calls.iter_mut().filter(|call| call.end.is_none() && call.session == session) {
            call.end = fail_ms.map(|fail_ms| (Some(fail_ms - call.start_ms), false));
            unpaired.failed_by_session += u64::from(fail_ms.is_some());
        }
        last_ms[session] = now_ms;
    }
    let row = |call: &Call| {
        let (latency_ms, ok) = call.end.unwrap_or((None, true));
        let latency_ns = latency_ms.map(|latency_ms| latency_ms * MS_NS);
        Row { start_ns: BASE_NS + call.start_ms * MS_NS, latency_ns, ok, kind: call.kind }
    };
    let rows: Vec<Row> = calls.iter().map(row).collect();
    unpaired.lost = rows.iter().filter(|row| row.latency_ns.is_none()).count() as u64;
    (rows, unpaired)
}

fn take_answer(calls: &mut [Call], unpaired: &mut Unpaired, index: usize, message: &Message, now_ms: u64) {
    let is_reject = ["3", "j"].contains(&message.msg_type);
    // Before its first order nobody knows which side of a session is ours.
    let is_ours = message.ours && calls.iter().any(|call| call.session == message.session);
    if is_ours || (is_reject && message.ref_type == "0") {
        return;
    }
    let id = if is_reject { message.ref_id } else { message.id };
    let seq = message.ref_seq.filter(|_| is_reject).map(|seq| index.saturating_sub(seq));
    let by_seq =
        calls.iter().position(|call| call.end.is_none() && call.session == message.session && Some(call.index) == seq);
    let by_id = || calls.iter().position(|call| call.end.is_none() && (call.session, call.id) == (message.session, id));
    if let Some(at) = by_seq.or_else(by_id) {
        let call = &mut calls[at];
        call.end = Some((Some(now_ms - call.start_ms), !(message.msg_type == "j" && message.unavailable)));
        call.answered = true;
        return;
    }
    let of_id = calls.iter_mut().rev().find(|call| (call.session, call.id) == (message.session, id));
    match of_id {
        Some(call) if call.answered => {}
        Some(call) => {
            unpaired.late_answers += 1;
            call.answered = true;
        }
        None => {
            let to_order = if is_reject { ["D", "F"].contains(&message.ref_type) } else { !id.is_empty() };
            unpaired.unknown_answers += u64::from(to_order && !message.again);
        }
    }
}

fn any_field() -> impl Strategy<Value = String> {
    let tag = prop::sample::select(vec![
        "8", "35", "49", "56", "34", "11", "43", "97", "52", "45", "372", "379", "380", "10", "58",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec!["FIX.4.4", "D", "F", "8", "j", "A", "5", "U", "V", "Y", "a", "b", "4", "1"])
            .prop_map(str::to_owned),
        "20260302-00:00:0[0-9](\\.[0-9]{1,10})?",
        "\\PC{0,6}",
    ];
    (tag, value).prop_map(|(tag, value)| format!("{tag}={value}"))
}

fn any_line() -> impl Strategy<Value = String> {
    let stamp = prop_oneof!["", "[12][0-9]{3}0302-00:00:[0-6][0-9](\\.[0-9]{0,12})?Z? : ", "\\PC{0,20}"];
    let separator = prop::sample::select(vec!["\x01", "|", "^A"]);
    (stamp, separator, prop::collection::vec(any_field(), 0..10))
        .prop_map(|(stamp, separator, fields)| format!("{stamp}8=FIX.4.4{separator}{}", fields.join(separator)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn pairs_are_those_of_the_twin(messages in messages(0)) {
        prop_assume!(!messages.is_empty());
        prop_assert_eq!(read(&[text(&messages, |_| true)]), Ok(naive(&messages)));
    }

    #[test]
    fn two_files_are_one(messages in messages(1)) {
        prop_assume!(!messages.is_empty());
        let split = [text(&messages, |ours| !ours), text(&messages, |ours| ours)];
        prop_assert_eq!(read(&split), read(&[text(&messages, |_| true)]));
    }

    #[test]
    fn no_lines_panic_and_rows_ascend(lines in prop::collection::vec(any_line(), 0..20)) {
        let input: Box<dyn Read> = Box::new(std::io::Cursor::new(lines.join("\n").into_bytes()));
        let mut last_ns = 0;
        for row in fix::read(vec![(String::new(), input)], FixOptions::default()).unwrap().map_while(Result::ok) {
            prop_assert!(row.start_ns >= last_ns);
            prop_assert!(row.start_ns.checked_add(row.latency_ns.unwrap_or(0)).is_some());
            last_ns = row.start_ns;
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let input: Box<dyn Read> = Box::new(std::io::Cursor::new([b"8=FIX".to_vec(), bytes].concat()));
        let _ = fix::read(vec![(String::new(), input)], FixOptions::default()).unwrap().count();
    }
}
