//! The signals of a rehearsal: those to everyone in the order of arrival, those
//! for the run in a queue per name, and the URLs that were handed out.

use crate::sandbox::Signal;
use segno_engine::signal::{Params, Pattern};
use std::collections::{HashMap, HashSet, VecDeque};

/// All signals.
#[derive(Default)]
pub(super) struct Board {
    everyone: Vec<(Signal, Params)>,
    /// Places of those that the step was given.
    taken: HashSet<usize>,
    /// The last of each name that it was given before it continued as new.
    floors: HashMap<String, u64>,
    for_run: HashMap<String, VecDeque<Signal>>,
    for_run_count: u64,
    /// Which signal each URL publishes; none once it was used.
    urls: Vec<Option<String>>,
}

impl Board {
    /// Adds a signal to everyone and gives its place among its name; the place
    /// of the first where it is known.
    pub(super) fn publish(&mut self, mut signal: Signal, params: Params) -> u64 {
        let same = self.everyone.iter().filter(|(other, _)| other.name == signal.name);
        if let Some((known, _)) = same.clone().find(|(other, _)| other.id == signal.id) {
            return known.sequence;
        }
        signal.sequence = same.count() as u64 + 1;
        let sequence = signal.sequence;
        self.everyone.push((signal, params));
        sequence
    }

    /// How many signals to everyone there are.
    pub(super) fn len(&self) -> usize {
        self.everyone.len()
    }

    /// Behind which place of the name a wait looks that begins now.
    pub(super) fn begin(&self, name: &str, only_new: bool) -> u64 {
        if only_new {
            return self.everyone.iter().filter(|(signal, _)| signal.name == name).count() as u64;
        }
        self.floors.get(name).copied().unwrap_or_default()
    }

    /// The first signal behind `after` that fits, which the step is not given
    /// again.
    pub(super) fn take(&mut self, name: &str, wanted: &Pattern, after: u64) -> Option<Signal> {
        let place = self.everyone.iter().enumerate().position(|(place, (signal, params))| {
            signal.name == name
                && signal.sequence > after
                && !self.taken.contains(&place)
                && wanted.fits(params)
        })?;
        self.taken.insert(place);
        Some(self.everyone[place].0.clone())
    }

    /// Adds a signal for the run and gives its place among all of those.
    pub(super) fn publish_to_run(&mut self, mut signal: Signal) -> u64 {
        self.for_run_count += 1;
        signal.sequence = self.for_run_count;
        self.for_run.entry(signal.name.clone()).or_default().push_back(signal);
        self.for_run_count
    }

    /// The next signal of this name for the run.
    pub(super) fn take_for_run(&mut self, name: &str) -> Option<Signal> {
        self.for_run.get_mut(name)?.pop_front()
    }

    /// A new URL for a signal.
    pub(super) fn url(&mut self, name: &str) -> String {
        self.urls.push(Some(name.to_owned()));
        url(self.urls.len())
    }

    /// The signal that the URL publishes, once.
    ///
    /// # Errors
    /// There is no such URL, or it was used; says so.
    pub(super) fn use_url(&mut self, given: &str) -> Result<String, String> {
        let made = (1..=self.urls.len()).map(url).collect::<Vec<_>>();
        match made.iter().position(|known| known == given) {
            None if made.is_empty() => Err("the step has made no URL".to_owned()),
            None => Err(format!("the step has made {}", made.join(", "))),
            Some(place) => self.urls[place].take().ok_or_else(|| "it was used already".to_owned()),
        }
    }

    /// The step continues as new: what it was not given so far, and is older
    /// than what it was given, it will not see.
    pub(super) fn go_on(&mut self) {
        for place in &self.taken {
            let (signal, _) = &self.everyone[*place];
            let floor = self.floors.entry(signal.name.clone()).or_default();
            *floor = signal.sequence.max(*floor);
        }
    }
}

fn url(number: usize) -> String {
    format!("https://segno.test/v1/waitpoints/{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn publish(board: &mut Board, id: &str, order: &str) -> u64 {
        let params = Params::of(&json!({ "order": order })).unwrap();
        let signal = Signal {
            name: "paid".to_owned(),
            id: id.to_owned(),
            sequence: 0,
            params: params.to_value().to_string(),
            payload: "{}".to_owned(),
            published_at_ms: 1,
            this_run: false,
        };
        board.publish(signal, params)
    }

    #[test]
    fn a_signal_is_given_once_and_in_order() {
        let mut board = Board::default();
        assert_eq!(publish(&mut board, "a", "1"), 1);
        assert_eq!(publish(&mut board, "b", "2"), 2);
        assert_eq!(publish(&mut board, "a", "3"), 1, "it is the same signal");
        let any = Pattern::default();
        let taken = |board: &mut Board, after| board.take("paid", &any, after).map(|s| s.sequence);
        let only_new = board.begin("paid", true);
        assert_eq!(taken(&mut board, only_new), None);
        let second = Pattern::of(&json!({ "order": "2" })).unwrap();
        assert_eq!(board.take("paid", &second, 0).map(|signal| signal.sequence), Some(2));
        assert_eq!(taken(&mut board, 0), Some(1));
        assert_eq!(taken(&mut board, 0), None);
    }

    #[test]
    fn a_step_that_continues_as_new_sees_nothing_older() {
        let mut board = Board::default();
        for (id, order) in [("a", "1"), ("b", "2"), ("c", "3")] {
            publish(&mut board, id, order);
        }
        let second = Pattern::of(&json!({ "order": "2" })).unwrap();
        board.take("paid", &second, 0);
        board.go_on();
        let after = board.begin("paid", false);
        assert_eq!(board.take("paid", &Pattern::default(), after).map(|s| s.sequence), Some(3));
    }

    #[test]
    fn a_url_is_used_once() {
        let mut board = Board::default();
        assert_eq!(board.use_url("x"), Err("the step has made no URL".to_owned()));
        let url = board.url("approval");
        assert!(board.use_url("x").unwrap_err().ends_with(&url));
        assert_eq!(board.use_url(&url).as_deref(), Ok("approval"));
        assert_eq!(board.use_url(&url), Err("it was used already".to_owned()));
    }
}
