//! What a follower of a run knows: folds happenings, and says each as a line.
//! Pure: moments come from the server, and the present is an argument.

use super::stream::{Cause, Happening};
use crate::cli::ink::Ink;
use crate::cli::measure::{between, percent, time_of_day, unix_ms};

/// In how many parts a long step is told, where nothing can be drawn over.
const PARTS: u64 = 10;

/// The steps of a run, as far as something has happened to them.
#[derive(Debug, Default)]
pub(super) struct Board {
    lanes: Vec<Lane>,
    started: String,
    /// Why the run is being stopped.
    stop: &'static str,
    tells_parts: bool,
}

/// A step that has started.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Its id.
    pub(super) step: String,
    /// What it is doing.
    pub(super) state: State,
    /// Parts that are finished.
    pub(super) done: u64,
    /// Parts in all; 0 if nobody knows.
    pub(super) total: u64,
    /// Iterations that did not succeed.
    failed: u64,
    /// The present part.
    pub(super) message: String,
    started: String,
    told: u64,
}

/// What ended a wait.
fn woken(wake: &serde_json::Value) -> String {
    let signal = wake.get("signal").or_else(|| wake.get("run_signal"));
    if let Some(name) = signal.and_then(|signal| signal["name"].as_str()) {
        return format!("signal {name}");
    }
    match wake["run"]["run"].as_str() {
        Some(run) => format!("{run} is over"),
        None => "its moment has come".to_owned(),
    }
}

/// Why a run is being stopped.
fn stopped(stop: &serde_json::Value) -> &'static str {
    let is = |what: &str| stop == what || stop.get(what).is_some();
    match () {
        () if is("timed_out") => "timed out",
        () if is("killed") => "killed",
        () if is("failed") => "a step failed",
        () => "cancelled",
    }
}

/// What a step is doing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It runs.
    #[default]
    Running,
    /// It waits, for this.
    Waiting(String),
    /// Nothing any more.
    Over,
}

/// One line about something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When.
    pub(super) at: String,
    /// To which step, or to the run.
    pub(super) who: String,
    /// What.
    pub(super) what: String,
    /// How that is meant.
    pub(super) ink: Ink,
    /// How long it took, in milliseconds.
    pub(super) took_ms: Option<u64>,
    /// Anything more.
    pub(super) more: String,
}

impl Board {
    /// A board that also tells how far steps are, line by line, if it is to.
    pub(super) fn new(tells_parts: bool) -> Self {
        Self { tells_parts, ..Self::default() }
    }

    /// The steps that are under way, in the order in which they started.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| lane.state != State::Over)
    }

    /// How long the run has been running.
    pub(super) fn elapsed_ms(&self, now_ms: u64) -> Option<u64> {
        Some(now_ms.saturating_sub(unix_ms(&self.started)?))
    }

    /// Takes in what happened, and says it if it is worth a line.
    pub(super) fn note(&mut self, event: &Happening) -> Option<Line> {
        match event.kind.as_str() {
            "run_started" => {
                self.started.clone_from(&event.at);
                None
            }
            "run_succeeded" => Some(self.of_run(event, "succeeded", Ink::Good)),
            "run_failed" => Some(self.of_run(event, "failed", Ink::Bad)),
            "run_stopped" => Some(self.of_run(event, self.stop, Ink::Bad)),
            "stop_requested" => {
                self.stop = stopped(&event.stop);
                Some(self.of_run(event, "stopping", Ink::Waiting).because(self.stop))
            }
            "run_paused" => Some(self.of_run(event, "paused", Ink::Waiting).wanted(event)),
            "run_resumed" => Some(self.of_run(event, "resumed", Ink::Busy).wanted(event)),
            "run_retried" => Some(self.of_run(event, "retried", Ink::Busy).wanted(event)),
            _ if event.step.is_empty() => None,
            kind => {
                let tells_parts = self.tells_parts;
                let lane = self.lane(event);
                match kind {
                    "progress" => lane.progress(event, tells_parts),
                    "iteration_ended" => lane.iteration_ended(event, tells_parts),
                    _ => lane.changed(event),
                }
            }
        }
    }

    fn of_run(&self, event: &Happening, what: &str, ink: Ink) -> Line {
        Line {
            at: event.at.clone(),
            who: "run".to_owned(),
            what: what.to_owned(),
            ink,
            took_ms: between(&self.started, &event.at),
            more: event.failure.as_ref().map(said).unwrap_or_default(),
        }
    }

    fn lane(&mut self, event: &Happening) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.step == event.step);
        let place = known.unwrap_or_else(|| {
            let (step, started) = (event.step.clone(), event.at.clone());
            self.lanes.push(Lane { step, started, ..Lane::default() });
            self.lanes.len() - 1
        });
        &mut self.lanes[place]
    }
}

impl Lane {
    /// How long it has been under way.
    pub(super) fn elapsed_ms(&self, now_ms: u64) -> Option<u64> {
        Some(now_ms.saturating_sub(unix_ms(&self.started)?))
    }

    fn changed(&mut self, event: &Happening) -> Option<Line> {
        let failure = event.failure.as_ref().map(said).unwrap_or_default();
        let line = match event.kind.as_str() {
            "step_started" => self.line(event, "started", Ink::Busy).at_once(),
            "foreach_started" => {
                self.total = event.count;
                let plural = if event.count == 1 { "" } else { "s" };
                let iterations = format!("{} iteration{plural}", event.count);
                self.line(event, "started", Ink::Busy).at_once().because(&iterations)
            }
            "attempt_started" if event.attempt > 1 => {
                self.state = State::Running;
                let attempt = format!("attempt {}", event.attempt);
                self.line(event, "started", Ink::Busy).because(&attempt)
            }
            "attempt_suspended" => {
                let why = super::status::explain(&event.reason);
                self.state = State::Waiting(why.clone());
                self.line(event, "suspended", Ink::Waiting).because(&why)
            }
            "attempt_resumed" => {
                self.state = State::Running;
                self.line(event, "goes on", Ink::Busy).because(&woken(&event.wake))
            }
            "step_continued" => self.line(event, "continues", Ink::Busy).because("as new"),
            "child_started" => self.line(event, "started", Ink::Busy).because(&event.run),
            "attempt_failed" => return Some(self.attempt_failed(event, &failure)),
            "step_succeeded" => {
                let count = self.parts();
                self.over(event, "succeeded", Ink::Good).because(&count)
            }
            "step_failed" => self.over(event, "failed", Ink::Bad).because(&failure),
            "step_cancelled" => self.over(event, "cancelled", Ink::Faint).wanted(event),
            "step_unsatisfied" => {
                let why = super::status::explain(&event.reason);
                self.over(event, "unsatisfied", Ink::Faint).at_once().because(&why)
            }
            "loop_stop_requested" => self.line(event, "stopping", Ink::Waiting).because(&failure),
            _ => return self.acted(event, &failure),
        };
        Some(line)
    }

    /// What steps without a guest do, and what somebody did with a step.
    fn acted(&mut self, event: &Happening, failure: &str) -> Option<Line> {
        let why = super::status::explain(&event.reason);
        Some(match event.kind.as_str() {
            "while_started" => self.line(event, "started", Ink::Busy).at_once(),
            "wait_started" => {
                self.state = State::Waiting(why.clone());
                self.line(event, "waiting", Ink::Waiting).at_once().because(&why)
            }
            "attempt_held" => {
                let why = super::status::explain(&format!("permit:{}", event.permit));
                self.state = State::Waiting(why.clone());
                self.line(event, "queued", Ink::Waiting).because(&why)
            }
            "attempt_released" | "step_ready" => {
                self.state = State::Running;
                return None;
            }
            "subworkflow_started" => {
                self.line(event, "started", Ink::Busy).at_once().because(&event.run)
            }
            "step_unready" => return Some(self.attempt_failed(event, failure)),
            "step_paused" => {
                self.state = State::Waiting("a breakpoint".to_owned());
                self.line(event, "paused", Ink::Waiting).at_once().because("at a breakpoint")
            }
            "step_resumed" => {
                self.state = State::Running;
                self.line(event, "resumed", Ink::Busy).wanted(event)
            }
            "step_skipped" => self.over(event, "skipped", Ink::Faint).wanted(event),
            "step_killed" => self.over(event, "killed", Ink::Bad).wanted(event),
            "wait_bypassed" => self.over(event, "bypassed", Ink::Good).wanted(event),
            _ => return None,
        })
    }

    fn attempt_failed(&mut self, event: &Happening, failure: &str) -> Line {
        let attempt = format!("attempt {}: {failure}", event.attempt);
        let Some(retry_at) = &event.retry_at else {
            return self.over(event, "failed", Ink::Bad).because(&attempt);
        };
        self.state = State::Waiting(format!("again at {}", time_of_day(retry_at)));
        (self.done, self.total) = (0, 0);
        let again = match between(&event.at, retry_at) {
            Some(ms) => format!("again in {}", crate::cli::measure::duration(ms)),
            None => "again".to_owned(),
        };
        self.line(event, "waiting", Ink::Waiting).because(&format!("{attempt}; {again}"))
    }

    fn progress(&mut self, event: &Happening, tells_parts: bool) -> Option<Line> {
        (self.done, self.total) = (event.done, event.total);
        self.message.clone_from(&event.message);
        // Progress has no moment, and a line without one would stand out.
        (tells_parts && !event.at.is_empty() && self.has_come_further()).then(|| self.part(event))
    }

    fn iteration_ended(&mut self, event: &Happening, tells_parts: bool) -> Option<Line> {
        self.done += 1;
        let cause = event.failure.as_ref().map(said).unwrap_or_default();
        match event.status.as_str() {
            "failed" => {
                self.failed += 1;
                let more = format!("iteration {}: {cause}", event.index);
                Some(self.line(event, "running", Ink::Bad).because(&more))
            }
            _ => (tells_parts && self.has_come_further()).then(|| self.part(event)),
        }
    }

    /// Whether another tenth is finished since this was last asked.
    fn has_come_further(&mut self) -> bool {
        let part = self.done.saturating_mul(PARTS) / self.total.max(1);
        let further = part > self.told && self.done < self.total;
        self.told = part;
        further
    }

    fn part(&self, event: &Happening) -> Line {
        let percent = percent(self.done, self.total);
        let far = format!("{}/{} {percent}% {}", self.done, self.total, self.message);
        self.line(event, "running", Ink::Busy).because(far.trim_end())
    }

    fn parts(&self) -> String {
        match (self.total, self.failed) {
            (0, _) => String::new(),
            (total, 0) => format!("{total}/{total}"),
            (total, failed) => format!("{}/{total}, {failed} failed", total - failed),
        }
    }

    fn over(&mut self, event: &Happening, what: &str, ink: Ink) -> Line {
        self.state = State::Over;
        self.line(event, what, ink)
    }

    fn line(&self, event: &Happening, what: &str, ink: Ink) -> Line {
        Line {
            at: event.at.clone(),
            who: self.step.clone(),
            what: what.to_owned(),
            ink,
            took_ms: between(&self.started, &event.at),
            more: String::new(),
        }
    }
}

impl Line {
    fn because(self, why: &str) -> Self {
        let both = [self.more.as_str(), why];
        let more: Vec<_> = both.into_iter().filter(|text| !text.is_empty()).collect();
        Self { more: more.join("; "), ..self }
    }

    /// Says who wanted it.
    fn wanted(self, event: &Happening) -> Self {
        match event.by.as_str() {
            "" => self,
            by => self.because(&format!("by {by}")),
        }
    }

    fn at_once(self) -> Self {
        Self { took_ms: None, ..self }
    }
}

fn said(cause: &Cause) -> String {
    let Cause { reason, message } = cause;
    super::status::words(reason, message)
}

#[cfg(test)]
mod tests;
