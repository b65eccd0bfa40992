//! The laws of durable waits: what suspends a step, what lets it go on, and what
//! becomes of the runs that it started.

use crate::expectation::wait_deadlines;
use crate::history::{History, Turn};
use crate::picture::Picture;
use crate::{config, histories};
use proptest::prelude::*;
use segno_engine::command::{Command, Outcome};
use segno_engine::decide::decide;
use segno_engine::event::Event;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::wait::{RunWait, Wake};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn exactly_the_moments_of_suspended_steps_are_deadlines(numbers in histories()) {
        let history = History::random(numbers);
        for run in history.turns.iter().map(|turn| &turn.after).chain([&history.begun]) {
            let moment = |step: u32| Some((run.wait_of(step)?.timer?.until, step));
            let mut expected: Vec<_> = (0..run.steps().len() as u32).filter_map(moment).collect();
            expected.sort_unstable();
            assert_eq!(wait_deadlines(run), expected, "{:#?}", Picture::of(run));
        }
    }

    #[test]
    fn a_wait_goes_on_when_one_of_its_conditions_holds_and_not_before(numbers in histories()) {
        for Turn { before, command, result, .. } in History::random(numbers).turns {
            let Ok((at, events)) = result else {
                continue;
            };
            for event in &events {
                let Event::AttemptResumed { step, attempt, wake } = event else {
                    continue;
                };
                let wait = before.wait_of(*step).expect("it waited");
                assert_eq!(before.steps()[*step as usize].attempt, *attempt);
                match (&command, wake) {
                    (Command::CheckDeadlines, Wake::Timer { index }) => {
                        let timer = wait.timer.expect("it waited for a moment");
                        assert!(timer.index == *index && timer.until <= at, "{event:?} at {at:?}");
                    }
                    (Command::EndChild { end, .. }, Wake::Run { index, run }) => {
                        assert!(wait.runs.contains(&RunWait { index: *index, run: *run }));
                        assert_eq!(end.run, *run);
                    }
                    (Command::Wake { sequence, wake: wanted, .. }, wake) => {
                        assert_eq!((wait.sequence, wanted), (*sequence, wake));
                    }
                    _ => panic!("{command:?} gave {event:?}"),
                }
            }
        }
    }

    #[test]
    fn a_step_that_continues_begins_afresh(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let Command::Continue { step, attempt, input, sequence, signals_taken, usage } = command
            else {
                continue;
            };
            let Ok((at, _)) = result else {
                continue;
            };
            let (old, new) = (&before.steps()[step as usize], &after.steps()[step as usize]);
            assert!(after.is_running(step, attempt + 1));
            assert_eq!(new.input.as_ref(), Some(&input));
            assert_eq!((new.sequence, &new.signals_taken), (sequence, &signals_taken));
            assert_eq!(new.continued, old.continued + 1);
            assert_eq!(new.usage, old.usage.plus(usage));
            assert_eq!((new.attempt_at, new.started_at), (at, old.started_at));
            // Its first failure is the first again: what was spent does not count.
            let failure = Failure::new(FailureKind::User, "user", "again");
            let outcome = Outcome::Failed { failure, delay_ms: None };
            let failed =
                Command::FinishAttempt { step, attempt: attempt + 1, outcome, usage };
            let events = decide(&after, &failed, at).expect("it runs");
            let retries = after.body().steps[step as usize].retry.fixed.user > 0;
            assert!(
                matches!(&events[0], Event::AttemptFailed { retry_at, .. } if retry_at.is_some() == retries),
                "{events:?}"
            );
        }
    }

    #[test]
    fn a_stopped_run_waits_for_the_runs_of_its_steps(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let Ok((_, events)) = result else {
                continue;
            };
            if after.stop().is_some() && !after.children().is_empty() {
                assert!(after.status().is_open(), "{:#?}", Picture::of(&after));
            }
            for (child, step) in after.children() {
                let is_new = events.iter().any(|event| match event {
                    Event::ChildStarted { child: new, .. }
                    | Event::SubworkflowStarted { child: new, .. } => new == child,
                    _ => false,
                });
                assert!(is_new || before.children().get(child) == Some(step));
            }
            for child in before.children().keys() {
                let ended =
                    matches!(&command, Command::EndChild { end, .. } if end.run == *child);
                let is_over = !after.status().is_open();
                let is_kept = after.children().contains_key(child);
                assert_eq!(is_kept, !ended && !is_over, "{events:?}");
            }
        }
    }
}
