//! Values that read each other by name: in which order each has what it reads,
//! and whether that goes round in a circle.

use super::draft::Use;
use super::graph::Graph;
use super::node::Mark;
use super::problem::Problems;
use std::collections::{BTreeMap, BTreeSet};

/// The most values that are put in order.
pub(super) const VALUES_MAX: usize = 128;

/// A value with a name.
pub(super) struct Named<'n> {
    pub(super) name: &'n str,
    pub(super) mark: Mark,
    pub(super) path: String,
    /// The names of those that it reads.
    pub(super) reads: BTreeSet<String>,
    /// Whether it reads all others.
    pub(super) reads_all: bool,
}

impl<'n> Named<'n> {
    /// The value whose expressions are `uses`, read as params of a workflow.
    pub(super) fn of_params(place: (&'n str, Mark, String), uses: &[Use]) -> Self {
        let reads = uses.iter().flat_map(|used| used.references.params.iter().cloned());
        let reads_all = uses.iter().any(|used| used.references.reads_params);
        Self { name: place.0, mark: place.1, path: place.2, reads: reads.collect(), reads_all }
    }

    /// The value whose expressions are `uses`, read as `self`.
    pub(super) fn of_own(place: (&'n str, Mark, String), uses: &[Use]) -> Self {
        let reads = uses.iter().flat_map(|used| used.references.own.iter().cloned());
        let reads_all = uses.iter().any(|used| used.references.reads_own);
        Self { name: place.0, mark: place.1, path: place.2, reads: reads.collect(), reads_all }
    }
}

/// The places of the values in an order in which each comes after those that it
/// reads, otherwise as they are. Circles are reported; then there is no such
/// order, and each is somewhere. There have to be at most [`VALUES_MAX`].
pub(super) fn sort(values: &[Named<'_>], problems: &mut Problems) -> Vec<usize> {
    let places: BTreeMap<&str, usize> =
        values.iter().enumerate().map(|(place, value)| (value.name, place)).collect();
    let needs = |(place, value): (usize, &Named<'_>)| -> Vec<usize> {
        let named = value.reads.iter().filter_map(|name| places.get(name.as_str()).copied());
        let others = (0..values.len()).filter(|other| value.reads_all && *other != place);
        named.chain(others).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let needs: Vec<Vec<usize>> = values.iter().enumerate().map(needs).collect();
    let order = order(&needs);
    for circle in Graph::of_needs(needs).circles {
        report(values, &circle, problems);
    }
    order
}

fn report(values: &[Named<'_>], circle: &[usize], problems: &mut Problems) {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = circle.iter().map(|place| values[*place].name).collect();
    if names.len() > SHOWN {
        names.splice(SHOWN / 2..names.len() - SHOWN / 2, ["…"]);
    }
    let (Some(first), Some(place)) = (names.first().copied(), circle.first()) else { return };
    names.push(first);
    let Named { mark, path, .. } = &values[*place];
    let message = format!("params read each other in a circle: {}", names.join(" -> "));
    problems.add(*mark, path, message, "give one of them a value that reads none of these");
}

fn order(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(needs.len());
    let mut is_seen = vec![false; needs.len()];
    for first in 0..needs.len() {
        let mut way = vec![(first, 0)];
        while let Some((place, next)) = way.pop() {
            if next == 0 && std::mem::replace(&mut is_seen[place], true) {
                continue;
            }
            match needs[place].get(next) {
                Some(need) => way.extend([(place, next + 1), (*need, 0)]),
                None => order.push(place),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn each_comes_after_what_it_reads_and_else_the_order_stays() {
        assert_eq!(order(&[vec![], vec![], vec![]]), [0, 1, 2]);
        assert_eq!(order(&[vec![2], vec![], vec![1]]), [1, 2, 0]);
        assert_eq!(order(&[vec![1, 2], vec![2], vec![], vec![0]]), [2, 1, 0, 3]);
    }

    #[test]
    fn a_circle_leaves_none_out() {
        let mut found = order(&[vec![1], vec![0], vec![2]]);
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2]);
    }
}
