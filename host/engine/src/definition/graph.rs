//! How the steps of a body wait for each other: who needs whom, directly and
//! through others, and whether that goes round in a circle.

use super::draft::DraftBody;

/// The needs of a body's steps, by place.
pub(super) struct Graph {
    /// The steps that each step needs directly.
    needs: Vec<Vec<usize>>,
    /// For each step, the steps that it needs directly or through others: a bit
    /// for each.
    before: Vec<Vec<u64>>,
    /// Steps whose needs are not fully known, so that nothing can be said about
    /// what they may not read.
    unclear: Vec<bool>,
    /// The circles, each from its first step on.
    pub(super) circles: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of `body`. Needs that name no step of it are left out.
    pub(super) fn of(body: &DraftBody) -> Self {
        let places = body.places();
        let place = |id: &str| places.get(id).copied();
        let resolve = |number: usize| {
            let named = body.steps[number].needs.iter();
            named.filter_map(|need| place(&need.id)).filter(|place| *place != number).collect()
        };
        let unclear = |number: usize| {
            let step = &body.steps[number];
            step.needs.iter().any(|need| place(&need.id).is_none_or(|place| place == number))
        };
        let count = body.steps.len();
        Self::new((0..count).map(resolve).collect(), (0..count).map(unclear).collect())
    }

    /// The graph in which each node needs those at these places.
    pub(super) fn of_needs(needs: Vec<Vec<usize>>) -> Self {
        let unclear = vec![false; needs.len()];
        Self::new(needs, unclear)
    }

    fn new(needs: Vec<Vec<usize>>, unclear: Vec<bool>) -> Self {
        let count = needs.len();
        let before = vec![vec![0; count.div_ceil(64)]; count];
        let mut graph = Self { needs, before, unclear, circles: Vec::new() };
        graph.sort();
        graph
    }

    /// Whether `step` waits for `other`, directly or through others.
    pub(super) fn waits_for(&self, step: usize, other: usize) -> bool {
        self.before[step][other / 64] >> (other % 64) & 1 == 1
    }

    /// Whether it is not known all that `step` waits for.
    pub(super) fn is_unclear(&self, step: usize) -> bool {
        self.unclear[step]
    }

    /// Goes through the steps in an order in which every step comes after its
    /// needs. Where there is none, a circle is noted and cut.
    fn sort(&mut self) {
        let count = self.needs.len();
        let mut waiting: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut needed_by = vec![Vec::new(); count];
        for (step, needs) in self.needs.iter().enumerate() {
            needs.iter().for_each(|need| needed_by[*need].push(step));
        }
        let mut ready: Vec<usize> = (0..count).filter(|step| waiting[*step] == 0).collect();
        let mut done = vec![false; count];
        loop {
            while let Some(step) = ready.pop() {
                if std::mem::replace(&mut done[step], true) {
                    continue;
                }
                self.collect_before(step);
                ready.extend(needed_by[step].iter().filter(|next| {
                    waiting[**next] = waiting[**next].saturating_sub(1);
                    waiting[**next] == 0
                }));
            }
            let Some(first) = done.iter().position(|done| !done) else { return };
            let circle = self.circle(first, &done);
            for step in &circle {
                self.unclear[*step] = true;
            }
            ready.clone_from(&circle);
            self.circles.push(circle);
        }
    }

    fn collect_before(&mut self, step: usize) {
        for need in self.needs[step].clone() {
            self.unclear[step] |= self.unclear[need];
            let inherited = self.before[need].clone();
            let before = &mut self.before[step];
            before.iter_mut().zip(inherited).for_each(|(word, more)| *word |= more);
            before[need / 64] |= 1 << (need % 64);
        }
    }

    /// The circle that is reached from `start` through steps that are not done:
    /// all of those need another such step.
    fn circle(&self, start: usize, done: &[bool]) -> Vec<usize> {
        let mut way: Vec<usize> = Vec::new();
        let mut seen = vec![None; done.len()];
        let mut step = start;
        while seen[step].is_none() {
            seen[step] = Some(way.len());
            way.push(step);
            match self.needs[step].iter().find(|need| !done[**need]) {
                Some(need) => step = *need,
                None => return way,
            }
        }
        let mut circle = way.split_off(seen[step].unwrap_or(0));
        let first = circle.iter().enumerate().min_by_key(|(_, step)| **step);
        let turn = first.map_or(0, |(place, _)| place);
        circle.rotate_left(turn);
        circle
    }
}
