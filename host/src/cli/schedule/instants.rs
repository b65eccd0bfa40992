//! Instants and what became of them, as tables.

use super::answer::{Instant, Tick};
use crate::cli::ink::Ink;
use crate::cli::measure::{between, day_and_time, duration};
use crate::cli::table::{Cell, Table};

/// Instants in the zone of their schedule and in UTC.
pub(super) fn instants(all: Vec<Instant>, timezone: &str) -> Table {
    let is_utc = timezone == "UTC";
    let mut table = Table::default();
    if !all.is_empty() {
        table = Table::new(["LOCAL", "UTC", "STARTS", "REMARK"]);
    }
    for Instant { at, local, starts_at, remark } in all {
        let late = between(&at, &starts_at).filter(|late| *late > 0);
        let offset = local.get(19..).filter(|_| !is_utc).unwrap_or_default();
        table.row([
            format!("{} {}", day_and_time(&local), offset.trim_start_matches(".000")).trim().into(),
            day_and_time(&at).into(),
            late.map(|late| format!("+{}", duration(late))).unwrap_or_default().into(),
            Cell::inked(remark.unwrap_or_default(), Ink::Faint),
        ]);
    }
    table
}

/// What became of instants.
pub(super) fn ticks(all: Vec<Tick>) -> Table {
    let mut table = Table::new(["INSTANT", "COUNT#", "OUTCOME", "RUN", "DECIDED", "WHY"]);
    for tick in all {
        let Tick { at, last, count, outcome, run, run_name, reason, decided_at, backfill, by } =
            tick;
        let until = last.filter(|_| count > 1);
        let at = match until {
            Some(last) => format!("{} … {}", day_and_time(&at), day_and_time(&last)),
            None => day_and_time(&at),
        };
        let why = [
            reason,
            backfill.map(|number| format!("backfill {number}")),
            by.map(|by| format!("by {by}")),
        ];
        let why: Vec<_> = why.into_iter().flatten().collect();
        table.row([
            at.into(),
            count.to_string().into(),
            Cell::inked(&outcome, ink(&outcome)),
            run_name.or(run).unwrap_or_default().into(),
            day_and_time(&decided_at).into(),
            why.join(", ").into(),
        ]);
    }
    table
}

fn ink(outcome: &str) -> Ink {
    match outcome {
        "run" => Ink::Plain,
        "failed" => Ink::Bad,
        _ => Ink::Faint,
    }
}
