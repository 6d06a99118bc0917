//! The walk: breadth first through every world there is within the bounds, each visited once.
//!
//! Breadth first, so that the first broken promise has the shortest way to it. Afterwards backwards from the settled
//! worlds: from every world one of them must be reachable, or something waits for ever.

use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use crate::model::{Do, Model, Stop};
use crate::promises::is_settled;
use crate::world::{Version, World};

/// What a whole walk found in order.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) depth: usize,
    /// Every world within the bounds was visited.
    pub(crate) whole: bool,
    pub(crate) settled: usize,
    pub(crate) episodes: usize,
    pub(crate) steps: usize,
    pub(crate) took: Duration,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states, transitions, depth, whole, settled, episodes, steps, took } = self;
        let whole = if *whole { "all there are" } else { "cut off there" };
        write!(
            f,
            "{states} states, {transitions} transitions, depth {depth} ({whole}), {settled} settled, {episodes} episodes, \
             {steps} steps of the lifecycle, {:.1} s",
            took.as_secs_f64()
        )
    }
}

/// A broken promise and the shortest way to it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) why: String,
    pub(crate) trace: Vec<Do>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.why)?;
        self.trace.iter().enumerate().try_for_each(|(n, what)| writeln!(f, "  {:>2}. {what:?}", n + 1))
    }
}

/// Worlds by number, and a table of numbers to find one again: the table holds no second copy.
struct Known {
    worlds: Vec<World>,
    table: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Known {
    fn new() -> Self {
        Self { worlds: Vec::new(), table: vec![FREE; 1 << 16] }
    }

    /// Its number, and whether it is new.
    fn number(&mut self, world: &World) -> (u32, bool) {
        if self.worlds.len() * 2 > self.table.len() {
            self.grow();
        }
        let mut at = hash_of(world) & (self.table.len() - 1);
        loop {
            match self.table[at] {
                FREE => break,
                n if self.worlds[n as usize] == *world => return (n, false),
                _ => at = (at + 1) & (self.table.len() - 1),
            }
        }
        let n = u32::try_from(self.worlds.len()).expect("fewer worlds than that");
        self.table[at] = n;
        self.worlds.push(*world);
        (n, true)
    }

    fn grow(&mut self) {
        let size = self.table.len() * 4;
        self.table = vec![FREE; size];
        for (n, world) in (0u32..).zip(&self.worlds) {
            let mut at = hash_of(world) & (size - 1);
            while self.table[at] != FREE {
                at = (at + 1) & (size - 1);
            }
            self.table[at] = n;
        }
    }
}

/// A quick hash; equality decides.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

fn hash_of(world: &World) -> usize {
    let mut hash = Quick::default();
    world.hash(&mut hash);
    hash.finish() as usize
}

/// Everything that can happen from these first versions on, until about so many states are known: what lies beyond those
/// is then not judged.
pub(crate) fn walk(model: &mut Model, firsts: &[Version], most: usize) -> Result<Summary, Found> {
    let began = Instant::now();
    let mut known = Known::new();
    let mut parents: Vec<u32> = Vec::new();
    for first in firsts {
        let start = model.start(*first);
        let (n, new) = known.number(&start);
        parents.extend(new.then_some(n));
    }
    let (mut edges, mut ends) = (Vec::<u32>::new(), Vec::<usize>::new());
    let (mut depth, mut level_ends) = (0, known.worlds.len());
    let mut choices = Vec::new();
    let mut at = 0;
    while at < known.worlds.len() && known.worlds.len() < most {
        if at == level_ends {
            (depth, level_ends) = (depth + 1, known.worlds.len());
        }
        let world = known.worlds[at];
        choices.clear();
        model.enabled(&world, &mut choices);
        for what in &choices {
            match model.apply(&world, *what) {
                Ok(next) => {
                    let (n, new) = known.number(&next);
                    parents.extend(new.then_some(at as u32));
                    edges.extend((n as usize != at).then_some(n));
                }
                Err(Stop::Refused | Stop::Outside) => {}
                Err(Stop::Broken(why)) => {
                    let mut trace = way(model, &known, &parents, at);
                    trace.push(*what);
                    return Err(Found { why, trace });
                }
            }
        }
        ends.push(edges.len());
        at += 1;
    }
    let whole = ends.len() == known.worlds.len();
    let settled: Vec<bool> = known.worlds.iter().map(|w| is_settled(model, w)).collect();
    // Nobody has looked yet where the last ones lead.
    let good: Vec<bool> = settled.iter().enumerate().map(|(n, is)| *is || n >= at).collect();
    ends.resize(known.worlds.len(), edges.len());
    if let Some(lost) = first_that_cannot_settle(&edges, &ends, &good) {
        let why = format!("from here nothing is ever settled: {:?}", known.worlds[lost]);
        return Err(Found { why, trace: way(model, &known, &parents, lost) });
    }
    Ok(Summary {
        states: known.worlds.len(),
        transitions: edges.len(),
        depth,
        whole,
        settled: settled.iter().filter(|s| **s).count(),
        episodes: model.ledger.len(),
        steps: model.ledger.steps(),
        took: began.elapsed(),
    })
}

/// What happened on the way to a world; a first world is its own parent.
fn way(model: &mut Model, known: &Known, parents: &[u32], to: usize) -> Vec<Do> {
    let mut trace = Vec::new();
    let mut at = to;
    while parents[at] as usize != at {
        let before = known.worlds[parents[at] as usize];
        let mut choices = Vec::new();
        model.enabled(&before, &mut choices);
        let leads = |what: &Do| model.apply(&before, *what).is_ok_and(|next| next == known.worlds[at]);
        trace.extend(choices.into_iter().find(leads));
        at = parents[at] as usize;
    }
    trace.reverse();
    trace
}

/// Backwards from the settled worlds: the first one that is not reached.
fn first_that_cannot_settle(edges: &[u32], ends: &[usize], settled: &[bool]) -> Option<usize> {
    let mut starts = vec![0u32; ends.len() + 1];
    for to in edges {
        starts[*to as usize + 1] += 1;
    }
    for n in 0..ends.len() {
        starts[n + 1] += starts[n];
    }
    let (mut fill, mut back) = (starts.clone(), vec![0u32; edges.len()]);
    let mut edge = 0;
    for (from, end) in ends.iter().enumerate() {
        while edge < *end {
            let slot = &mut fill[edges[edge] as usize];
            back[*slot as usize] = from as u32;
            *slot += 1;
            edge += 1;
        }
    }
    let mut reached = settled.to_vec();
    let mut open: Vec<usize> = (0..settled.len()).filter(|n| settled[*n]).collect();
    while let Some(n) = open.pop() {
        for from in &back[starts[n] as usize..starts[n + 1] as usize] {
            if !std::mem::replace(&mut reached[*from as usize], true) {
                open.push(*from as usize);
            }
        }
    }
    reached.iter().position(|r| !r)
}
