use super::*;

fn begin(start_ns: u64, number: u32) -> Message {
    Message::Begin { start_ns, number, generation: 8, trial: None }
}

fn end(end_ns: u64, number: u32) -> Message {
    Message::End { end_ns, start_ns: 0, number, generation: 8, ok: true }
}

fn record(end_ns: u64) -> Message {
    Message::Record { end_ns, latency_ns: 0, ok: true, trial: None }
}

/// Takes all that there is, as the owner does; stamps tell what came.
fn drain(inbox: &mut Inbox) -> Vec<u64> {
    inbox.note();
    let mut stamps_ns = Vec::new();
    while let Some(message) = inbox.next() {
        match message {
            Message::Begin { number, generation, start_ns, .. } => inbox.begin(number, generation, start_ns, false),
            _ => _ = message.ends().map(|(number, generation)| inbox.end(number, generation)),
        }
        stamps_ns.push(message.stamp_ns());
    }
    stamps_ns
}

fn lane(capacity: u32) -> (Inbox, LaneQueues) {
    Inbox::new(capacity, 7, Arc::new(LaneShared::default()))
}

#[test]
fn both_queues_are_taken_in_by_their_stamps() {
    let (mut inbox, mut queues) = lane(8);
    for (stamp_ns, number) in [(10, 8), (30, 1), (50, 2)] {
        queues.begin.push(begin(stamp_ns, number)).unwrap();
    }
    for message in [end(20, 8), end(30, 1), record(45), end(60, 2)] {
        queues.end.push(message).unwrap();
    }
    assert_eq!(drain(&mut inbox), [10, 20, 30, 30, 45, 50, 60]);
    assert_eq!(inbox.in_flight.len(), 0);
}

#[test]
fn a_begin_is_taken_before_its_end_whatever_their_stamps() {
    let (mut inbox, mut queues) = lane(8);
    for message in [begin(90, 3), record(80), begin(100, 4)] {
        queues.begin.push(message).unwrap();
    }
    for message in [record(70), end(50, 4), end(95, 3)] {
        queues.end.push(message).unwrap();
    }
    assert_eq!(drain(&mut inbox), [70, 90, 80, 100, 50, 95]);
    assert_eq!(inbox.in_flight.len(), 0);
}

#[test]
fn an_end_without_a_begin_hangs_nothing() {
    let (mut inbox, mut queues) = lane(4);
    queues.end.push(end(1, 2)).unwrap();
    queues.end.push(end(1, 99)).unwrap();
    assert_eq!(drain(&mut inbox), [1, 1]);
}

#[test]
fn numbers_come_back_when_their_ends_are_heard() {
    let (mut inbox, mut queues) = lane(2);
    assert_eq!([(); 3].map(|()| queues.numbers.pop().ok()), [Some(1), Some(2), None]);
    queues.begin.push(begin(1, 1)).unwrap();
    queues.end.push(end(2, 1)).unwrap();
    assert!(queues.numbers.is_empty());
    drain(&mut inbox);
    assert_eq!([(); 2].map(|()| queues.numbers.pop().ok()), [Some(1), None]);
}

#[test]
fn an_epoch_frees_the_numbers_of_its_calls_and_their_ends_end_no_other() {
    let (mut inbox, mut queues) = lane(2);
    let numbers = [(); 2].map(|()| queues.numbers.pop().unwrap());
    for number in numbers {
        queues.begin.push(begin(1, number)).unwrap();
    }
    drain(&mut inbox);
    queues.end.push(end(2, numbers[0])).unwrap(); // on its way
    inbox.clear();
    assert_eq!([(); 3].map(|()| queues.numbers.pop().ok()), [Some(1), Some(2), None]);
    queues.begin.push(Message::Begin { start_ns: 3, number: 1, generation: 9, trial: None }).unwrap();
    assert_eq!(drain(&mut inbox), [2, 3]);
    assert_eq!((inbox.in_flight.len(), queues.numbers.is_empty()), (1, true));
    queues.end.push(end(4, 1)).unwrap(); // later still
    drain(&mut inbox);
    assert_eq!((inbox.in_flight.len(), queues.numbers.is_empty()), (1, true));
    assert_eq!((inbox.end(1, 9), inbox.end(1, 9)), (Returned::Call, Returned::Unknown));
    assert_eq!([(); 2].map(|()| queues.numbers.pop().ok()), [Some(1), None]);
}

#[test]
fn a_call_from_before_the_epoch_takes_no_place() {
    let (mut inbox, mut queues) = lane(1);
    assert_eq!(queues.numbers.pop(), Ok(1));
    inbox.begin_stale(1, 8);
    assert_eq!((queues.numbers.pop(), inbox.end(1, 8), inbox.in_flight.len()), (Ok(1), Returned::Unknown, 0));
    assert!(queues.numbers.is_empty());
}

#[test]
fn a_lane_is_done_when_both_halves_are_gone_and_nothing_is_left() {
    let (mut inbox, LaneQueues { mut begin, end, numbers: _ }) = lane(4);
    begin.push(self::begin(1, 1)).unwrap();
    drop(begin);
    assert!(!inbox.is_done());
    drop(end);
    assert!(!inbox.is_done(), "something is told");
    drain(&mut inbox);
    assert!(!inbox.is_done(), "a call is in flight");
    inbox.end(1, 8);
    assert!(inbox.is_done());
}
