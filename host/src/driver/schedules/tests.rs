//! Turns without the task that gives them out: one that panics.

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::driver::Apply;
use crate::server::assemble;
use crate::store::{Paging, TickOutcome};
use segno_engine::definition::read_schedule;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: u64 = 60_000;

const QUICK: &str = "workflow: quick\nsteps: [{ id: end, noop: true }]\n";

fn minutely(name: &str) -> NewSchedule {
    let document = read_schedule("every: 1m", &[]).unwrap();
    NewSchedule {
        name: name.to_owned(),
        workflow: "quick".to_owned(),
        version: VersionSelector::Active,
        spec: document.schedule,
        paused: None,
        note: None,
    }
}

/// The instants of a schedule for which there are runs.
fn runs(driver: &Driver, id: &Id) -> Vec<u64> {
    let page = driver.store().ticks(&id.0, &id.1, &Paging::first(9)).unwrap();
    assert!(page.items.iter().all(|tick| matches!(tick.outcome, TickOutcome::Run(_))));
    page.items.iter().rev().map(|tick| tick.at.0 / MINUTE).collect()
}

#[tokio::test]
async fn a_turn_that_panics_ends_alone_and_loses_no_instant() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("data"), "unused".into());
    let hand = ManualClock::at(Timestamp(0));
    let driver = assemble(&config, Clock::Manual(Arc::clone(&hand))).unwrap();
    let tenant: TenantId = "t".parse().unwrap();
    let apply = Apply { source: QUICK, active: true, by: "ada" };
    driver.apply_workflow(&tenant, apply).await.unwrap();
    let ids = ["bad", "good"].map(|name| (tenant.clone(), name.to_owned()));
    for (_, name) in &ids {
        driver.create_schedule(&tenant, minutely(name), "ada").await.unwrap();
    }
    let number_ticks = |from: u64| {
        let mut all = driver.0.schedules.lock();
        all.get_mut(&ids[0]).unwrap().record.ticks = (from, from);
    };
    // There is no tick behind this one.
    number_ticks(u64::MAX);
    hand.advance(Duration::from_secs(60));
    driver.give_turns().await.unwrap();
    driver.store().barrier().durable().await.unwrap();
    assert_eq!((runs(&driver, &ids[0]), runs(&driver, &ids[1])), (vec![], vec![1]));
    // It is looked at again by itself.
    number_ticks(1);
    hand.advance(Duration::from_secs(60));
    driver.give_turns().await.unwrap();
    driver.store().barrier().durable().await.unwrap();
    assert_eq!((runs(&driver, &ids[0]), runs(&driver, &ids[1])), (vec![1, 2], vec![1, 2]));
}
