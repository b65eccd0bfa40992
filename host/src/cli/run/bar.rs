//! The one line that a terminal draws over: which steps run, how far they are
//! and for how long.

use super::board::{Board, Lane, State};
use crate::cli::ink::Ink;
use crate::cli::measure::{duration, percent};
use crate::cli::terminal::printable;

/// How long a bar is.
const WIDTH: u64 = 24;

/// Steps that are named; the rest is counted.
const STEPS_MAX: usize = 3;

/// What turns while something runs.
const TURNING: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How long one of them is shown.
const TURN_MS: u64 = 100;

/// The line, at this moment.
pub(super) fn text(board: &Board, now_ms: u64, colours: bool) -> String {
    let turn = (now_ms / TURN_MS) as usize % TURNING.len();
    let mut text = Ink::Busy.paint(TURNING[turn], colours);
    let lanes: Vec<&Lane> = board.under_way().collect();
    for (place, lane) in lanes.iter().take(STEPS_MAX).enumerate() {
        text += if place == 0 { " " } else { "  · " };
        text += &step(lane, now_ms, colours);
    }
    if lanes.len() > STEPS_MAX {
        text += &format!("  · {} more", lanes.len() - STEPS_MAX);
    }
    if lanes.is_empty() {
        let elapsed = board.elapsed_ms(now_ms).map(duration).unwrap_or_default();
        text += &format!(" {}", Ink::Faint.paint(&format!("waiting {elapsed}"), colours));
    }
    text
}

fn step(lane: &Lane, now_ms: u64, colours: bool) -> String {
    let mut words = vec![Ink::Strong.paint(&printable(&lane.step), colours)];
    if let State::Waiting(until) = &lane.state {
        words.push(Ink::Waiting.paint(until, colours));
    } else if lane.total > 0 {
        let percent = percent(lane.done, lane.total);
        words.push(bar(lane, colours));
        words.push(format!("{}/{} {percent}%", lane.done, lane.total));
    }
    if let Some(elapsed) = lane.elapsed_ms(now_ms) {
        words.push(Ink::Faint.paint(&duration(elapsed), colours));
    }
    words.push(printable(&lane.message));
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn bar(lane: &Lane, colours: bool) -> String {
    let full = percent(lane.done, lane.total) * WIDTH / 100;
    let line = |length: u64| "━".repeat(length as usize);
    let rest = if colours { line(WIDTH - full) } else { " ".repeat((WIDTH - full) as usize) };
    Ink::Busy.paint(&line(full), colours) + &Ink::Faint.paint(&rest, colours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_line_says_which_step_how_far_and_how_long() {
        let mut board = Board::default();
        let mut note = |event| board.note(&serde_json::from_value(event).unwrap());
        let at = "2012-12-12T08:30:00.000Z";
        note(json!({ "type": "foreach_started", "at": at, "step": "per-year", "count": 500 }));
        for index in 0..125 {
            note(
                json!({ "type": "iteration_ended", "at": at, "step": "per-year", "index": index, "status": "succeeded" }),
            );
        }
        note(json!({ "type": "step_started", "at": at, "step": "mail" }));
        let now = crate::cli::measure::unix_ms(at).unwrap() + 1_250;
        let line = text(&board, now, false);
        assert_eq!(
            line.split_once(' ').unwrap().1,
            "per-year ━━━━━━                   125/500 25% 1.25s  · mail 1.25s"
        );
    }

    #[test]
    fn a_run_that_has_not_begun_waits() {
        assert!(text(&Board::default(), 0, false).ends_with(" waiting "));
    }
}
