use super::*;
use std::sync::Mutex;

/// What rtrb's queue promises: a message is there when its sender's store of the tail is seen, and so is all that the
/// sender saw before.
#[derive(Clone)]
struct Modelled(Arc<Shared>);

struct Shared {
    messages: Mutex<Vec<Message>>,
    tail: AtomicU64,
    head: AtomicU64,
    abandoned: AtomicU64,
}

impl Modelled {
    fn new() -> Self {
        let [tail, head, abandoned] = [(); 3].map(|()| AtomicU64::new(0));
        Self(Arc::new(Shared { messages: Mutex::new(Vec::new()), tail, head, abandoned }))
    }

    fn push(&self, message: Message) {
        let mut messages = self.0.messages.lock().unwrap();
        messages.push(message);
        let len = messages.len() as u64;
        drop(messages);
        self.0.tail.store(len, Ordering::Release);
    }

    fn go(&self) {
        self.0.abandoned.store(1, Ordering::Release);
    }

    fn head(&self) -> usize {
        self.0.head.load(Ordering::Relaxed) as usize
    }
}

impl Queue for Modelled {
    fn slots(&self) -> usize {
        self.0.tail.load(Ordering::Acquire) as usize - self.head()
    }

    fn peek(&self) -> Option<Message> {
        self.0.messages.lock().unwrap().get(self.head()).copied()
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.peek();
        self.0.head.store(self.head() as u64 + 1, Ordering::Relaxed);
        message
    }

    fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::Acquire) == 1
    }
}

type Inspected = Queues<Modelled>;

fn queues() -> (Inspected, Modelled, Modelled) {
    let (begin, end) = (Modelled::new(), Modelled::new());
    (Queues { begin: begin.clone(), end: end.clone(), begin_noted: 0, end_noted: 0 }, begin, end)
}

type HasBegun = fn(&[u32], (u32, u16)) -> bool;

fn has_begun(in_flight: &[u32], (number, _): (u32, u16)) -> bool {
    in_flight.contains(&number)
}

/// Takes in what was noted. Each call's begin comes before its end, in whichever half's queue that is.
fn take_in(queues: &mut Inspected, has_begun: HasBegun, in_flight: &mut Vec<u32>, taken: &mut u32) {
    while let Some(message) = queues.next(|call| has_begun(in_flight, call)) {
        match message {
            Message::Begin { number, .. } => in_flight.push(number),
            _ => {
                let (ended, _) = message.ends().unwrap();
                let at = in_flight.iter().position(|&number| number == ended);
                in_flight.swap_remove(at.expect("an end before its begin"));
            }
        }
        *taken += 1;
    }
}

/// One thread begins two calls and abandons the first; another ends the second, which has an older stamp than its begin.
fn check_order(note: fn(&mut Inspected), has_begun: HasBegun) {
    loom::model(move || {
        let (mut queues, begin, end) = queues();
        let sent = Arc::new(AtomicU64::new(0));
        let sender = {
            let sent = Arc::clone(&sent);
            loom::thread::spawn(move || {
                begin.push(Message::Begin { start_ns: 10, number: 0, generation: 1, trial: None });
                begin.push(Message::Begin { start_ns: 20, number: 1, generation: 1, trial: None });
                sent.store(1, Ordering::Release); // the ticket goes to the receiver
                begin.push(Message::Abandon { now_ns: 30, number: 0, generation: 1 });
            })
        };
        let receiver = loom::thread::spawn(move || {
            if sent.load(Ordering::Acquire) == 1 {
                end.push(Message::End { end_ns: 5, start_ns: 20, number: 1, generation: 1, ok: true });
                return 4;
            }
            3
        });
        let (mut in_flight, mut taken) = (Vec::new(), 0);
        note(&mut queues);
        take_in(&mut queues, has_begun, &mut in_flight, &mut taken);
        sender.join().unwrap();
        let told = receiver.join().unwrap();
        note(&mut queues);
        take_in(&mut queues, has_begun, &mut in_flight, &mut taken);
        assert_eq!((taken, in_flight.len()), (told, told as usize % 2), "a message is lost");
    });
}

#[test]
fn whatever_is_noted_has_its_begin() {
    check_order(Queues::note, has_begun);
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "an end before its begin")]
fn who_notes_the_begins_first_would_take_an_end_without_its_begin() {
    check_order(
        |queues| {
            queues.begin_noted = queues.begin.slots();
            queues.end_noted = queues.end.slots();
        },
        has_begun,
    );
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "an end before its begin")]
fn stamps_alone_would_put_an_end_before_its_begin() {
    check_order(Queues::note, |_, _| true);
}

/// Both halves tell something and go, while the owner listens and looks whether they are done.
fn check_done(are_done: fn(&Inspected) -> bool) {
    loom::model(move || {
        let (mut queues, begin, end) = queues();
        let lane = loom::thread::spawn(move || {
            begin.push(Message::Begin { start_ns: 1, number: 0, generation: 1, trial: None });
            begin.go();
            end.push(Message::End { end_ns: 2, start_ns: 1, number: 0, generation: 1, ok: true });
            end.go();
        });
        let (mut in_flight, mut taken) = (Vec::new(), 0);
        for _ in 0..2 {
            queues.note();
            take_in(&mut queues, has_begun, &mut in_flight, &mut taken);
            if are_done(&queues) {
                assert_eq!(taken, 2, "a message is thrown away");
            }
        }
        lane.join().unwrap();
    });
}

#[test]
fn a_lane_is_done_when_all_it_sent_is_taken() {
    check_done(Queues::are_done);
}

/// Shows that the model finds what it looks for.
#[test]
#[should_panic(expected = "a message is thrown away")]
fn the_other_order_would_throw_messages_away() {
    check_done(|queues| {
        [&queues.begin, &queues.end].into_iter().all(|queue| queue.slots() == 0 && queue.is_abandoned())
    });
}
