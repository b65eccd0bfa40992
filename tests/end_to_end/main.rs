//! End to end: the real binary, real components, real kills. Everything goes
//! through the command line and HTTP, as a user's would.

mod actions;
mod actions_starts;
mod actions_steps;
mod actions_views;
mod architecture;
mod crash;
mod durable;
mod guests;
mod hostile;
mod kill;
mod lineage;
mod main_job;
mod rehearsal;
mod schedules;
mod server;
mod signals;
mod triggers;
mod webhooks;
mod workflows;
mod wrong_input;
