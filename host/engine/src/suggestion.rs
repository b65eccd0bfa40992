//! "Did you mean": the known name that is closest to a misspelt one. Says
//! nothing rather than something far-fetched.

/// The longest word that is compared; longer ones get no suggestion, so that a
/// hostile definition cannot make the comparison expensive.
const WORD_BYTES_MAX: usize = 64;

/// The candidate that differs from `word` by the fewest slips of the hand, if
/// there is one that is close enough to be what was meant. Of two that are
/// equally close, the first.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let farthest = word.len().div_ceil(3).min(3).min(word.len() - usize::from(!word.is_empty()));
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= farthest)
        .filter(|candidate| candidate.len() <= WORD_BYTES_MAX)
        .map(|candidate| (slips(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(slips, _)| *slips <= farthest)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// What there is to choose from, as a remedy.
pub(crate) fn listed(known: &[&str]) -> String {
    const SHOWN: usize = 12;
    match known {
        [] => "there are none".to_owned(),
        [only] => format!("there is only {only}"),
        known if known.len() > SHOWN => format!("there are {}, …", known[..SHOWN].join(", ")),
        known => format!("there are {}", known.join(", ")),
    }
}

/// How many letters have to be added, dropped, replaced or swapped with their
/// neighbour to turn one word into the other.
fn slips(from: &[u8], to: &[u8]) -> usize {
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1; to.len() + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(!letter.eq_ignore_ascii_case(other));
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == to[j - 1] && from[i - 1] == *other {
                best = best.min(before_last[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before_last = last;
        last = row;
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["load", "per-year", "report"];
        assert_eq!(closest("lod", known), Some("load"));
        assert_eq!(closest("laod", known), Some("load"));
        assert_eq!(closest("per_year", known), Some("per-year"));
        assert_eq!(closest("Report", known), Some("report"));
        assert_eq!(closest("store", known), None);
        assert_eq!(closest("", known), None);
        assert_eq!(closest(&"l".repeat(1_000), known), None);
    }
}
