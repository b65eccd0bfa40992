//! Segno's pure core: what a workflow is, and how a run of it moves.
//!
//! [`definition::check`] turns an author's text into a [`workflow::Workflow`].
//! Three functions carry its runs: [`decide::decide`] looks at a run and a
//! command and says what follows; [`run::Run::apply`] is the only thing that
//! changes a run; [`run::Run::outstanding`] says what must be in flight for a
//! run in this state. There is no IO, clock, randomness or async here: time is
//! an argument.

pub mod apply;
pub mod command;
pub mod decide;
pub mod definition;
pub mod effect;
pub mod event;
pub mod expression;
pub mod failure;
pub mod fork;
pub mod grant;
pub mod id;
pub mod import;
pub mod params;
pub mod payload;
pub mod permit;
pub mod retry;
pub mod rollup;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod setting;
pub mod settle;
pub mod signal;
pub mod strategy;
pub mod template;
pub mod usage;
pub mod wait;
pub mod webhook;
pub mod workflow;

mod suggestion;
