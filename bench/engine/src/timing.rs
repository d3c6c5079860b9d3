//! Times several pieces of work in turn, so that a slower moment of the machine falls on all alike.
//!
//! What is timed computes and does not wait, so the thread's own processor time is read: other programs on the machine
//! still cost it caches, but not the time in which it does not run.

use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

/// Rounds over all pieces; a figure is the median over them.
const ROUNDS: usize = 61;
/// A block is as many runs of a piece as take about this long: far above the clock's own cost, far below a scheduler's slice.
const BLOCK: Duration = Duration::from_millis(1);

/// For how long this thread has run.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// A piece of work that is timed beside others.
pub(crate) struct Piece<'a> {
    name: &'static str,
    block: Box<dyn FnMut(u64) -> Duration + 'a>,
    /// What is done before each block, untimed.
    settle: Box<dyn FnMut() + 'a>,
    most: u64,
}

impl<'a> Piece<'a> {
    /// A piece called `name`; what `work` gives back is kept from being optimised away.
    pub(crate) fn new<T>(name: &'static str, mut work: impl FnMut() -> T + 'a) -> Self {
        // the loop lies inside the box, so that no indirect call is timed with the work
        let block = move |runs| {
            let before = processor_time();
            for _ in 0..runs {
                black_box(work());
            }
            processor_time().saturating_sub(before)
        };
        Self { name, block: Box::new(block), settle: Box::new(|| ()), most: 1 << 24 }
    }

    /// The same piece in blocks of at most `most` runs, each after `settle`: for work that fills something up.
    pub(crate) fn settled(mut self, most: u64, settle: impl FnMut() + 'a) -> Self {
        self.settle = Box::new(settle);
        self.most = most;
        self
    }

    fn nanoseconds(&mut self, runs: u64) -> f64 {
        (self.settle)();
        (self.block)(runs).as_secs_f64() * 1e9 / runs.max(1) as f64
    }

    /// How many runs a block has.
    fn calibrate(&mut self) -> u64 {
        // the first run of some pieces starts threads and makes files
        (self.block)(1);
        let mut runs = 1;
        loop {
            (self.settle)();
            let took = (self.block)(runs);
            if took >= BLOCK || runs * 2 > self.most {
                return runs;
            }
            runs *= 2;
        }
    }
}

/// The median and the quartiles of one run of a piece, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Figure {
    /// The piece's name.
    pub(crate) name: &'static str,
    /// The median over the rounds.
    pub(crate) median: f64,
    /// The first and the third quartile over the rounds.
    pub(crate) quartiles: [f64; 2],
}

/// Times all pieces, interleaved.
pub(crate) fn time(mut pieces: Vec<Piece<'_>>) -> Vec<Figure> {
    let runs: Vec<u64> = pieces.iter_mut().map(Piece::calibrate).collect();
    let mut samples: Vec<Vec<f64>> = pieces.iter().map(|_| Vec::with_capacity(ROUNDS)).collect();
    for round in 0..ROUNDS {
        let mut turn: Vec<_> = pieces.iter_mut().zip(&runs).zip(&mut samples).collect();
        let turns = turn.len().max(1);
        turn.rotate_left(round % turns);
        for ((piece, runs), into) in turn {
            into.push(piece.nanoseconds(*runs));
        }
    }
    pieces.iter().zip(samples).map(|(piece, samples)| summarise(piece.name, samples)).collect()
}

fn summarise(name: &'static str, mut samples: Vec<f64>) -> Figure {
    samples.sort_by(f64::total_cmp);
    let at = |quarter: usize| samples.get(samples.len() * quarter / 4).copied().unwrap_or(f64::NAN);
    Figure { name, median: at(2), quartiles: [at(1), at(3)] }
}

/// The figures as JSON: `[{"name","median_ns","quartiles_ns"}]`.
pub(crate) fn to_json(figures: &[Figure]) -> serde_json::Value {
    let one = |figure: &Figure| {
        let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
        serde_json::json!({
            "name": figure.name,
            "median_ns": tenths(figure.median),
            "quartiles_ns": figure.quartiles.map(tenths),
        })
    };
    figures.iter().map(one).collect()
}
