//! The machine against a model that looks at every combination.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn pending(sequence: u64, fits: &[(usize, i64)]) -> Pending {
    let fits = fits.iter().map(|(part, value)| (*part, vec![Scalar::Integer(*value)])).collect();
    Pending { name: "tick".to_owned(), sequence, fits }
}

/// What a trigger that consumes its sets does with a signal.
fn offer(join: &mut Join, signal: Pending) -> Option<Vec<u64>> {
    let (place, _) = join.add(signal);
    let set = join.sets_with(place, 1).pop()?;
    let used = set.iter().map(|place| join.remove(*place).map(|pending| pending.sequence));
    used.collect()
}

#[test]
fn a_set_takes_the_oldest_of_each_part() {
    let mut join = Join::new(2);
    assert_eq!(offer(&mut join, pending(1, &[(0, 7)])), None);
    assert_eq!(offer(&mut join, pending(2, &[(0, 7)])), None);
    assert_eq!(offer(&mut join, pending(3, &[(1, 8)])), None);
    assert_eq!(offer(&mut join, pending(4, &[(1, 7)])), Some(vec![1, 4]));
    assert_eq!(offer(&mut join, pending(5, &[(0, 8)])), Some(vec![5, 3]));
    assert_eq!(offer(&mut join, pending(6, &[(1, 7)])), Some(vec![2, 6]));
    assert!(join.is_empty() && join.waiting.is_empty());
}

#[test]
fn a_signal_serves_one_part_of_a_set() {
    let mut join = Join::new(2);
    let both = &[(0, 1), (1, 1)];
    assert_eq!(offer(&mut join, pending(1, both)), None);
    assert_eq!(offer(&mut join, pending(2, both)), Some(vec![2, 1]));
    // The first fits both parts, the second only one: the first makes room.
    assert_eq!(offer(&mut join, pending(3, both)), None);
    assert_eq!(offer(&mut join, pending(4, &[(0, 1)])), Some(vec![4, 3]));
}

#[test]
fn a_set_that_is_kept_makes_way_for_the_next() {
    let mut join = Join::new(2);
    join.add(pending(1, &[(0, 1)]));
    let (second, _) = join.add(pending(2, &[(1, 1)]));
    assert_eq!(join.sets_with(second, 9), [[1, 2]], "say that its condition is false");
    join.add(pending(3, &[(0, 1)]));
    let (fourth, _) = join.add(pending(4, &[(1, 1)]));
    assert_eq!(join.sets_with(fourth, 9), [[1, 4], [3, 4]]);
    join.remove(3);
    join.remove(4);
    let (fifth, _) = join.add(pending(5, &[(0, 1)]));
    assert_eq!(join.sets_with(fifth, 9), [[5, 2]], "the one that was left over");
    join.remove(2);
    assert_eq!(join.sets_with(fifth, 9), [[0; 0]; 0], "its partner is no longer kept");
}

#[test]
fn many_sets_are_found_as_far_as_somebody_wants() {
    let mut join = Join::new(3);
    for sequence in 1..=2_000 {
        join.add(pending(sequence, &[(0, 1), (1, 1)]));
    }
    let (last, _) = join.add(pending(2_001, &[(2, 1)]));
    let sets = join.sets_with(last, 100);
    assert_eq!((sets.len(), sets[0].as_slice()), (100, [1, 2, 2_001].as_slice()));
    assert_eq!(sets[99], [1, 101, 2_001]);
}

#[test]
fn the_oldest_makes_room() {
    let mut join = Join::new(2);
    for sequence in 1..=PENDING_MAX as u64 {
        assert_eq!(join.add(pending(sequence, &[(0, sequence as i64)])).1, None);
    }
    let (_, dropped) = join.add(pending(99_999, &[(0, 0)]));
    assert_eq!(dropped, Some((1, pending(1, &[(0, 1)]))));
    assert_eq!(join.len(), PENDING_MAX);
}

/// Pending signals, oldest first; a signal is used with the first combination,
/// in the order of parts and ages, that has it.
#[derive(Default)]
struct Model(Vec<Pending>);

impl Model {
    /// Every set of a signal, in the order in which they are tried.
    fn sets(&self, parts: usize, signal: &Pending) -> Vec<Vec<u64>> {
        let sequence = signal.sequence;
        let of_fit = |(part, values): &(usize, JoinValues)| {
            let mut sets = vec![Vec::new()];
            for at in 0..parts {
                let able = |candidate: &&Pending| {
                    (candidate.sequence == sequence) == (at == *part)
                        && candidate.fits.contains(&(at, values.clone()))
                };
                let able: Vec<u64> =
                    self.0.iter().filter(able).map(|pending| pending.sequence).collect();
                let longer = |set: &Vec<u64>| {
                    let free = able.iter().filter(|next| !set.contains(next));
                    free.map(|next| [set.as_slice(), &[*next]].concat()).collect::<Vec<_>>()
                };
                sets = sets.iter().flat_map(longer).collect();
            }
            sets
        };
        signal.fits.iter().flat_map(of_fit).collect()
    }

    fn offer(&mut self, parts: usize, signal: Pending) -> Option<Vec<u64>> {
        self.0.push(signal.clone());
        let found = self.sets(parts, &signal).into_iter().next();
        if let Some(set) = &found {
            self.0.retain(|pending| !set.contains(&pending.sequence));
        }
        found
    }
}

/// For each signal the parts that it fits, each with a value.
fn signals(parts: usize) -> impl Strategy<Value = Vec<Vec<(usize, i64)>>> {
    let fits = proptest::collection::btree_map(0..parts, 0..3_i64, 1..=parts.min(3));
    vec(fits.prop_map(|fits| fits.into_iter().collect()), 0..14)
}

proptest! {
    #[test]
    fn sets_are_those_of_the_model(
        (parts, given) in (1..5_usize).prop_flat_map(|parts| (Just(parts), signals(parts))),
        restarts in vec(any::<bool>(), 14),
    ) {
        let (mut join, mut model) = (Join::new(parts), Model::default());
        let mut used = BTreeSet::new();
        for (number, fits) in given.iter().enumerate() {
            if restarts[number] {
                let mut again = Join::new(parts);
                join.pending().for_each(|(place, one)| again.restore(place, one.clone()));
                join = again;
            }
            let signal = pending(number as u64, fits);
            let set = offer(&mut join, signal.clone());
            prop_assert_eq!(&set, &model.offer(parts, signal));
            for (part, sequence) in set.iter().flatten().enumerate() {
                prop_assert!(used.insert(*sequence), "used once");
                prop_assert!(given[*sequence as usize].iter().any(|(its, _)| *its == part));
            }
        }
        let left: Vec<_> = join.pending().map(|(_, one)| one.sequence).collect();
        let expected: Vec<_> = model.0.iter().map(|one| one.sequence).collect();
        prop_assert_eq!(left, expected);
    }

    /// A trigger that keeps what does not hold tries every set once.
    #[test]
    fn every_set_is_tried_once(
        (parts, given) in (1..4_usize).prop_flat_map(|parts| (Just(parts), signals(parts))),
        limit in 0..9_usize,
    ) {
        let (mut join, mut model) = (Join::new(parts), Model::default());
        for (number, fits) in given.iter().take(9).enumerate() {
            let signal = pending(number as u64 + 1, fits);
            model.0.push(signal.clone());
            let mut expected = model.sets(parts, &signal);
            let (place, _) = join.add(signal);
            prop_assert_eq!(place, number as u64 + 1);
            prop_assert_eq!(&join.sets_with(place, usize::MAX), &expected);
            expected.truncate(limit);
            prop_assert_eq!(&join.sets_with(place, limit), &expected);
        }
    }

    /// With a name for each part, the same signals make as many sets for a
    /// value as its rarest part has, whichever name comes first.
    #[test]
    fn which_name_comes_first_does_not_matter(
        mut given in vec((0..3_usize, 0..2_i64), 0..40),
        swaps in vec((0..40_usize, 0..40_usize), 20),
    ) {
        let count = |given: &[(usize, i64)]| {
            let mut join = Join::new(3);
            let mut sets = [0, 0];
            for (number, fit) in given.iter().enumerate() {
                if offer(&mut join, pending(number as u64, &[*fit])).is_some() {
                    sets[fit.1 as usize] += 1;
                }
            }
            sets
        };
        let of = |part, value| given.iter().filter(|fit| **fit == (part, value)).count();
        let rarest = |value| (0..3).map(|part| of(part, value)).min().unwrap();
        let expected = [rarest(0), rarest(1)];
        prop_assert_eq!(count(&given), expected);
        for (one, other) in swaps {
            if one < given.len() && other < given.len() {
                given.swap(one, other);
            }
        }
        prop_assert_eq!(count(&given), expected);
    }
}
