//! What a workflow engine has to do, one test for each behaviour: real steps in
//! the real sandbox on the real store, and time that is moved by hand.
//!
//! The numbers are those of the list of behaviours that the project began with.
//!
//! | # | behaviour | test |
//! |--:|---|---|
//! | 1 | a step waits for all it needs | `graph::a_step_waits_for_all_it_needs` |
//! | 2 | a run survives its host | `attempts::a_run_survives_fifty_ends_of_its_host` |
//! | 3 | one attempt at a time, and no way back | `history::check`, for every run of every test |
//! | 4 | a start is idempotent | `starts::a_start_is_idempotent` |
//! | 5 | results have their statuses | `attempts::every_result_of_a_step_has_its_status_and_is_its_own` |
//! | 6 | back-off by kind of failure | `attempts::failed_attempts_back_off_by_kind`, `attempts::an_attempt_never_begins_before_its_back_off_is_over` |
//! | 7 | time-outs | `attempts::a_step_that_takes_too_long_is_really_ended`, `attempts::a_run_that_takes_too_long_ends_with_all_in_it`, `attempts::a_step_that_gives_no_heartbeat_is_ended_and_one_that_does_lives` |
//! | 8 | sequential | `starts::a_sequence_runs_one_after_the_other_in_order` |
//! | 9 | strictly sequential | `starts::a_strict_sequence_stops_behind_a_failure_until_somebody_says_so` |
//! | 10 | the first only | `starts::the_first_run_keeps_others_out` |
//! | 11 | the last only | `starts::the_last_run_ends_the_others` |
//! | 12 | so many at once; the latest of those that wait | `starts::so_many_runs_go_on_at_once`, `starts::of_those_that_wait_only_the_newest_is_kept` |
//! | 13 | conditions prune | `graph::a_branch_whose_conditions_do_not_hold_is_pruned_and_its_join_still_fires` |
//! | 14 | typed params and expressions | `params::params_have_types_and_expressions` |
//! | 15 | modes, and which value counts | `params::modes_say_who_may_change_a_param_and_the_nearest_value_counts` |
//! | 16 | steps read steps | `params::steps_read_what_others_before_them_were_given`, `samples::reading_on` |
//! | 17 | declared outputs | `params::what_a_step_gives_is_what_it_declares` |
//! | 18 | versions | `starts::versions_do_not_change_and_one_is_active` |
//! | 19 | properties | `starts::properties_change_without_a_version_and_count_from_the_next_admission` |
//! | 20 | a push is checked | `params::a_definition_with_a_mistake_is_refused_and_nothing_is_kept` |
//! | 21 | cancel, kill and skip go down | `actions::what_ends_a_run_ends_all_below_that_is_waited_for` |
//! | 22 | a run goes on or begins again | `actions::a_failed_run_goes_on_with_what_is_incomplete_or_begins_again`, `retries::*` |
//! | 23 | one step again | `actions::a_step_is_tried_again_in_the_run_while_it_is_open_and_takes_it_up_when_it_is_over` |
//! | 24 | products and concurrency | `loops::a_loop_runs_over_a_product_and_never_more_at_once_than_it_may` |
//! | 25 | nested loops | `loops::one_iteration_of_a_nested_loop_is_tried_again_and_no_other` |
//! | 26 | subworkflows | `loops::subworkflows_are_waited_for_or_not_and_get_what_they_may`, `loops::a_workflow_that_runs_itself_stops_ten_deep` |
//! | 27 | while | `loops::a_while_goes_on_until_its_condition_fails_or_it_has_gone_on_too_long` |
//! | 28 | failure modes | `graph::failure_modes_stop_the_others_or_let_them_finish_or_do_not_matter` |
//! | 29 | signals have one order | `signals::publications_at_once_have_one_dense_order_and_an_id_counts_once` |
//! | 30 | waits for signals | `signals::a_signal_from_before_the_step_releases_it_and_tests_compare`, `signals::somebody_lets_a_step_go_on_without_its_signal` |
//! | 31 | triggers with signals | `triggers::*` |
//! | 32 | steps publish | `signals::what_a_step_publishes_is_there_before_it_has_succeeded`, `signals::a_step_in_a_loop_publishes_and_a_carried_one_does_not` |
//! | 32 | lineage | `triggers::lineage_leads_from_a_signal_to_who_published_it_and_who_used_it` |
//! | 33 | cron, zones, changes of the clocks | `schedules::a_cron_rule_fires_in_its_zone_across_a_change_of_the_clocks` |
//! | 34 | catch-up, each instant once | `schedules::what_was_missed_while_the_host_was_down_is_caught_up_once`, `schedules::instants_of_an_inactive_workflow_are_skipped_and_not_caught_up` |
//! | 35 | permits | `permits::*` |
//! | 36 | breakpoints | `actions::a_breakpoint_holds_every_iteration_until_it_is_let_go` |
//! | 37 | counts of leaves | `views::every_leaf_below_a_run_is_counted_once_by_its_status` |
//! | 38 | the timeline | `views::everything_that_happens_is_in_the_timeline_once_with_who_wanted_it` |
//! | 39 | events without loss | `views::a_reader_of_events_that_comes_back_loses_none` |
//! | 40 | refusals, pages, deletion | `actions::what_does_not_fit_is_refused_with_what_would`, `actions::a_workflow_goes_when_its_runs_are_over_and_its_numbers_stay` |

mod actions;
mod attempts;
mod backfills;
mod graph;
mod guests;
mod history;
mod loops;
mod params;
mod permits;
mod retries;
mod samples;
mod schedule_changes;
mod schedule_stage;
mod schedules;
mod signals;
mod stage;
mod starts;
mod triggers;
mod views;
