//! An exact P99 on demand, beside the standard library's selection, Floyd and Rivest's, partitioning heaps, and the floor, which reads
//! every latency once, in vectors. They take turns, so that a ratio compares neighbours in time. `benches/README.md` says how to read
//! the figures.

mod common;
mod rivals;

use rivals::{Heaps, floyd_rivest};
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;
use trip99::{Breaker, Config, PPM};

const QUANTILE_PPM: u32 = 990_000;
/// How many samples come between two quantiles of a sliding window.
const SLIDE: usize = 16;
/// Virtual time from one sample to the next.
const STEP_NS: u64 = 100;
/// How many turns each contender has.
const TURNS: usize = 101;

/// A window of latencies of which the P99, or its floor, is measured.
trait Window {
    fn new(len: usize) -> Self;
    fn push(&mut self, latencies_ns: &[u64]);
    fn measure(&mut self) -> u64;
}

/// The library's quantile, by `quantile_at`.
struct Trip99 {
    breaker: Breaker,
    now_ns: u64,
}

impl Window for Trip99 {
    fn new(len: usize) -> Self {
        // The load never reaches this threshold, so the breaker stays closed at every window length.
        let config = Config {
            window_len: len as u32,
            spike_count: 0,
            ..Config::for_threshold(Duration::from_nanos(i64::MAX as u64))
        };
        Self { breaker: Breaker::new(config).expect("a legal config"), now_ns: 0 }
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        for &latency_ns in latencies_ns {
            self.now_ns += STEP_NS;
            self.breaker.record_at(self.now_ns, latency_ns);
        }
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        self.breaker.quantile_ns_at(self.now_ns, QUANTILE_PPM).expect("the window is full")
    }
}

/// A ring of latencies and nothing else, aligned as the library's.
struct Bare {
    /// There is room for the alignment in front.
    words: Vec<u64>,
    first: usize,
    next: usize,
}

impl Bare {
    fn new(len: usize) -> Self {
        let words = vec![u64::MAX; len + 16];
        Self { first: words.as_ptr().align_offset(128), words, next: 0 }
    }

    fn len(&self) -> usize {
        self.words.len() - 16
    }

    fn latencies_ns(&self) -> &[u64] {
        &self.words[self.first..][..self.len()]
    }

    /// The run must divide the window.
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.words[self.first + self.next..][..latencies_ns.len()].copy_from_slice(latencies_ns);
        self.next = (self.next + latencies_ns.len()) % self.len();
    }
}

/// The quantile's index among `len` sorted latencies.
fn rank(len: usize) -> usize {
    (len * QUANTILE_PPM as usize).div_ceil(PPM as usize) - 1
}

/// Copies the window, which selection would reorder, and selects at the same rank.
struct CopyAndSelect<const FLOYD_RIVEST: bool> {
    window: Bare,
    scratch: Vec<u64>,
}

type StdSelect = CopyAndSelect<false>;
type FloydRivest = CopyAndSelect<true>;

impl<const FLOYD_RIVEST: bool> Window for CopyAndSelect<FLOYD_RIVEST> {
    fn new(len: usize) -> Self {
        Self { window: Bare::new(len), scratch: vec![u64::MAX; len] }
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.window.push(latencies_ns);
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        self.scratch.copy_from_slice(self.window.latencies_ns());
        let rank = rank(self.scratch.len());
        if FLOYD_RIVEST { floyd_rivest(&mut self.scratch, rank) } else { *self.scratch.select_nth_unstable(rank).1 }
    }
}

/// Two heaps that part the window at the quantile. They are brought up to date when they are asked, so that this is timed, and a
/// sample costs no more than a bare one. The sample takes the place of the one that left.
struct PartitioningHeaps {
    window: Bare,
    heaps: Heaps,
    /// How many samples came since the last question.
    new: usize,
}

impl Window for PartitioningHeaps {
    fn new(len: usize) -> Self {
        let window = Bare::new(len);
        Self { heaps: Heaps::new(window.latencies_ns(), rank(len)), window, new: 0 }
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.window.push(latencies_ns);
        self.new = self.window.len().min(self.new + latencies_ns.len());
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        let len = self.window.len();
        for age in (1..=self.new).rev() {
            let slot = (self.window.next + len - age) % len;
            self.heaps.replace(slot, self.window.latencies_ns()[slot]);
        }
        self.new = 0;
        self.heaps.quantile()
    }
}

/// The floor: one pass that adds up the latencies.
struct ReadPass(Bare);

impl Window for ReadPass {
    fn new(len: usize) -> Self {
        Self(Bare::new(len))
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.0.push(latencies_ns);
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        sum(self.0.latencies_ns())
    }
}

#[inline(always)]
fn sum_inlined(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
}

/// In AVX2's vectors, if the machine has them. Those of the baseline x86-64 are half as wide.
fn sum(values: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn sum_avx2(values: &[u64]) -> u64 {
            sum_inlined(values)
        }
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was found.
            return unsafe { sum_avx2(values) };
        }
    }
    sum_inlined(values)
}

/// Times of the turns of one contender, in nanoseconds a quantile.
struct Times(Vec<f64>);

impl Times {
    fn median(&self) -> f64 {
        self.sorted()[self.0.len() / 2]
    }

    fn lower_quartile(&self) -> f64 {
        self.sorted()[self.0.len() / 4]
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// How long `work` takes for each of so many quantiles.
    fn take(&mut self, quantiles: usize, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.0.push(start.elapsed().as_nanos() as f64 / quantiles as f64);
    }
}

/// The median and the quartiles of the ratios. Each ratio is of two turns that were neighbours.
fn ratio(times: &Times, to: &Times) -> String {
    let mut ratios: Vec<f64> = times.0.iter().zip(&to.0).map(|(time, to)| time / to).collect();
    ratios.sort_by(f64::total_cmp);
    let quarter = ratios.len() / 4;
    format!("{:.2} ({:.2}-{:.2})", ratios[2 * quarter], ratios[quarter], ratios[ratios.len() - 1 - quarter])
}

/// The times of all contenders: floor, standard library, Floyd and Rivest, heaps, and the library's.
fn print_line(case: &str, len: usize, times: [&Times; 5]) {
    let [floor, std, floyd_rivest, heaps, ours] = times;
    let names = ["copy + std", "Floyd-Rivest", "heaps", "`quantile_at`"];
    let by_median = |&(_, a): &(&str, &Times), &(_, b): &(&str, &Times)| a.median().total_cmp(&b.median());
    let (fastest, _) =
        names.into_iter().zip([std, floyd_rivest, heaps, ours]).min_by(by_median).expect("there are some");
    print!("| {case} | {len} ");
    for times in times {
        print!("| {:.0} ({:.0}) ", times.median(), times.lower_quartile());
    }
    println!("| {} | {} | {fastest} |", ratio(ours, floor), ratio(ours, std));
}

/// Latencies that are made beforehand. After the last comes the first again.
struct Load {
    latencies_ns: Vec<u64>,
    next: usize,
}

impl Load {
    #[inline]
    fn take(&mut self, len: usize) -> &[u64] {
        if self.next + len > self.latencies_ns.len() {
            self.next = 0;
        }
        self.next += len;
        &self.latencies_ns[self.next - len..self.next]
    }
}

/// Slides by 16 samples before each quantile. The time of the slide alone is subtracted.
fn slid(case: &str, len: usize, latencies_ns: &[u64]) {
    /// Two windows in step. Only one is asked for the quantile.
    struct Contender<W> {
        asked: (W, Load),
        alone: (W, Load),
        times: Times,
    }

    impl<W: Window> Contender<W> {
        fn new(len: usize, latencies_ns: &[u64]) -> Self {
            let window = || {
                let mut load = Load { latencies_ns: latencies_ns.to_vec(), next: 0 };
                let mut window = W::new(len);
                window.push(load.take(len));
                (window, load)
            };
            Self { asked: window(), alone: window(), times: Times(Vec::new()) }
        }

        fn turn(&mut self, quantiles: usize) {
            let (mut with, mut without) = (Times(Vec::new()), Times(Vec::new()));
            let (window, load) = &mut self.alone;
            without.take(quantiles, || {
                for _ in 0..quantiles {
                    black_box(&mut *window).push(load.take(SLIDE));
                }
            });
            let (window, load) = &mut self.asked;
            with.take(quantiles, || {
                for _ in 0..quantiles {
                    black_box(&mut *window).push(load.take(SLIDE));
                    black_box(black_box(&mut *window).measure());
                }
            });
            self.times.0.push(with.median() - without.median());
        }
    }

    // Short turns: most are over before the scheduler takes the CPU away.
    let quantiles = ((1 << 18) / len).max(16);
    let mut floor = Contender::<ReadPass>::new(len, latencies_ns);
    let mut std = Contender::<StdSelect>::new(len, latencies_ns);
    let mut floyd_rivest = Contender::<FloydRivest>::new(len, latencies_ns);
    let mut heaps = Contender::<PartitioningHeaps>::new(len, latencies_ns);
    let mut ours = Contender::<Trip99>::new(len, latencies_ns);
    for _ in 0..TURNS {
        floor.turn(quantiles);
        std.turn(quantiles);
        floyd_rivest.turn(quantiles);
        heaps.turn(quantiles);
        ours.turn(quantiles);
        let answer = std.asked.0.measure();
        assert_eq!([floyd_rivest.asked.0.measure(), heaps.asked.0.measure(), ours.asked.0.measure()], [answer; 3]);
    }
    print_line(case, len, [&floor.times, &std.times, &floyd_rivest.times, &heaps.times, &ours.times]);
}

/// All samples have been replaced since the last quantile. `fill(turn)` makes the new ones.
fn replaced(case: &str, len: usize, fresh: bool, fill: impl Fn(usize) -> Vec<u64>) {
    struct Contender<W> {
        windows: Vec<W>,
        times: Times,
    }

    impl<W: Window> Contender<W> {
        fn new(len: usize) -> Self {
            Self { windows: Self::windows(len), times: Times(Vec::new()) }
        }

        /// Several windows side by side, so that reading the clock doesn't count.
        fn windows(len: usize) -> Vec<W> {
            (0..(4096 / len).max(1)).map(|_| W::new(len)).collect()
        }

        fn turn(&mut self, latencies_ns: &[u64], fresh: bool) {
            if fresh {
                self.windows = Self::windows(latencies_ns.len());
            }
            for window in &mut self.windows {
                window.push(latencies_ns);
            }
            let windows = &mut self.windows;
            self.times.take(windows.len(), || {
                for window in windows {
                    black_box(black_box(window).measure());
                }
            });
        }
    }

    let mut floor = Contender::<ReadPass>::new(len);
    let mut std = Contender::<StdSelect>::new(len);
    let mut floyd_rivest = Contender::<FloydRivest>::new(len);
    let mut heaps = Contender::<PartitioningHeaps>::new(len);
    let mut ours = Contender::<Trip99>::new(len);
    for turn in 0..TURNS {
        let latencies_ns = fill(turn);
        floor.turn(&latencies_ns, fresh);
        std.turn(&latencies_ns, fresh);
        floyd_rivest.turn(&latencies_ns, fresh);
        heaps.turn(&latencies_ns, fresh);
        ours.turn(&latencies_ns, fresh);
        let answer = std.windows[0].measure();
        assert_eq!(
            [floyd_rivest.windows[0].measure(), heaps.windows[0].measure(), ours.windows[0].measure()],
            [answer; 3]
        );
    }
    print_line(case, len, [&floor.times, &std.times, &floyd_rivest.times, &heaps.times, &ours.times]);
}

/// Musser's sequence ("Introspective Sorting and Selection Algorithms", 1997), which makes a median of the first, middle
/// and last value the worst pivot.
fn median_of_three_killer(len: usize) -> Vec<u64> {
    let half = len as u64 / 2;
    let first = (1..=half).map(|i| if i % 2 == 1 { i } else { half + i - 1 });
    first.chain((1..=half).map(|i| 2 * i)).collect()
}

fn patterns(len: usize) -> Vec<(&'static str, Vec<u64>)> {
    let ascending: Vec<u64> = (1..=len as u64).collect();
    let half = len as u64 / 2;
    vec![
        ("all equal", vec![20_000_000; len]),
        ("ascending", ascending.clone()),
        ("descending", ascending.into_iter().rev().collect()),
        ("organ pipe", (0..half).chain((0..half).rev()).collect()),
        ("four values", common::latencies_ns(len).iter().map(|ns| ns % 4).collect()),
        ("2 % slow", common::latencies_ns(len).iter().map(|ns| if ns % 50 == 0 { 250 } else { 1 }).collect()),
        ("median-of-3 killer", median_of_three_killer(len)),
    ]
}

fn main() {
    // `cargo bench -- WORD` runs the cases whose name has the word in it; cargo itself passes `--bench`.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let is_wanted = |case: &str| case.contains(&wanted);
    let random = common::latencies_ns(1 << 20);
    println!("Median (lower quartile) nanoseconds; ratios: median (quartiles) of {TURNS} turns.\n");
    println!(
        "| case | window | read pass | copy + std | copy + Floyd-Rivest | heaps | quantile_at | x read pass | x std | fastest |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    for len in [64, 256, 1024, 4096, 16_384, 65_536] {
        let run = |turn: usize| random[turn * len % random.len()..][..len].to_vec();
        if is_wanted("slid by 16") {
            slid("slid by 16", len, &random);
        }
        if is_wanted("replaced") {
            replaced("replaced", len, false, run);
        }
        if is_wanted("level shift") {
            replaced("level shift", len, false, |turn| run(turn).iter().map(|ns| ns << (turn % 3)).collect());
        }
        if is_wanted("first call") {
            replaced("first call", len, true, run);
        }
    }
    for len in [1024, 65_536] {
        for (name, latencies_ns) in patterns(len) {
            let case = format!("{name}, first call");
            if is_wanted(&case) {
                replaced(&case, len, true, |_| latencies_ns.clone());
            }
            let case = format!("{name}, slid by 16");
            if is_wanted(&case) {
                slid(&case, len, &latencies_ns);
            }
        }
    }
}
