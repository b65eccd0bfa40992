//! What is set for workflows: their history, what a deletion leaves, limits of
//! tags, blockers and breakpoints.

use serde_json::json;

use super::super::{
    Breakpoint, DeletedWorkflow, Error, Key, NAME_BYTES_MAX, Paging, Properties, RunRecord,
    TagLimit, WorkflowAction, WorkflowChange, WorkflowRecord, Write,
};
use super::{Place, commit, on_every_backend, put, run, tenant};
use segno_engine::id::{TenantId, Timestamp};

on_every_backend! {
    a_workflow_without_properties_has_none
    changes_are_listed_newest_first
    a_deletion_leaves_the_numbers_and_the_history
    limits_of_tags_come_and_go
    blockers_are_listed_by_number
    breakpoints_belong_to_a_workflow
    the_longest_names_fit
    open_runs_of_one_workflow_are_found
}

fn a_workflow_without_properties_has_none(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let row = b"\x01{\"name\":\"old\",\"latest_version\":3,\"changed_at\":7}";
    commit(&store, vec![put(Key::workflow(&owner, "old").unwrap(), &row[..])]);
    let found = store.workflow(&owner, "old").unwrap().unwrap();
    assert_eq!(found, record("old", 3));
    assert_eq!(found.properties, Properties::default());
}

fn changes_are_listed_newest_first(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    assert_eq!(store.last_workflow_change(&owner, "report"), Ok(0));
    for sequence in [1, 2, 300] {
        let write = Write::workflow_change(&owner, "report", &change(sequence)).unwrap();
        commit(&store, vec![write]);
    }
    commit(&store, vec![Write::workflow_change(&owner, "repor", &change(9)).unwrap()]);
    let first = store.workflow_changes(&owner, "report", &Paging::first(2)).unwrap();
    assert_eq!(first.items, [change(300), change(2)]);
    let rest = Paging::first(2).after(first.next);
    let rest = store.workflow_changes(&owner, "report", &rest).unwrap();
    assert_eq!((rest.items, rest.next), (vec![change(1)], None));
    assert_eq!(store.last_workflow_change(&owner, "report"), Ok(300));
    assert_eq!(store.last_workflow_change(&tenant("b"), "report"), Ok(0));
}

fn a_deletion_leaves_the_numbers_and_the_history(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    commit(
        &store,
        vec![
            Write::workflow(&owner, &record("report", 2)).unwrap(),
            Write::workflow_change(&owner, "report", &change(1)).unwrap(),
        ],
    );
    let left = DeletedWorkflow { latest_version: 2, last_run_number: 7, deleted_at: Timestamp(9) };
    commit(&store, Write::workflow_deleted(&owner, "report", &left).unwrap());
    drop(store);
    let store = place.open();
    assert_eq!(store.workflow(&owner, "report"), Ok(None));
    assert_eq!(store.workflows(&owner, &Paging::first(9)).unwrap().items, []);
    assert_eq!(store.deleted_workflow(&owner, "report"), Ok(Some(left)));
    assert_eq!(store.last_workflow_change(&owner, "report"), Ok(1));
    assert_eq!(store.last_run_number(&owner, "report"), Ok(7));
    commit(&store, opened(&owner, "report", 8));
    assert_eq!(store.last_run_number(&owner, "report"), Ok(8));
}

fn limits_of_tags_come_and_go(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let limit = |tag: &str, max_allowed| TagLimit {
        tag: tag.into(),
        max_allowed,
        note: Some("two licences".into()),
        by: "ada".into(),
        at: Timestamp(4),
    };
    for (tag, max_allowed) in [("warehouse", 2), ("ünder way", 0), ("a", 5), ("a", 1)] {
        commit(&store, vec![Write::tag_limit(&owner, &limit(tag, max_allowed)).unwrap()]);
    }
    let all = [("a", 1), ("warehouse", 2), ("ünder way", 0)];
    let named = all.map(|(tag, max_allowed)| (tag.to_owned(), max_allowed));
    assert_eq!(store.tag_limits(&owner).unwrap(), named);
    let page = store.tag_limits_page(&owner, &Paging::first(9)).unwrap();
    assert_eq!(page.items, all.map(|(tag, max_allowed)| limit(tag, max_allowed)));
    assert_eq!(store.tag_limit(&owner, "warehouse"), Ok(Some(limit("warehouse", 2))));
    commit(&store, vec![Write::tag_limit_deleted(&owner, "warehouse").unwrap()]);
    assert_eq!(store.tag_limit(&owner, "warehouse"), Ok(None));
    assert_eq!(store.tag_limits(&tenant("b")).unwrap(), []);
    assert!(Write::tag_limit(&owner, &limit("a\nb", 1)).is_err());
}

fn blockers_are_listed_by_number(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for (workflow, number, id) in [("w", 300, 1), ("w", 2, 2), ("ww", 1, 3)] {
        commit(&store, vec![Write::blocker(&owner, workflow, number, run(id)).unwrap()]);
    }
    assert_eq!(store.blockers(&owner, "w").unwrap(), [(2, run(2)), (300, run(1))]);
    commit(&store, vec![Write::blocker_gone(&owner, "w", 2).unwrap()]);
    assert_eq!(store.blockers(&owner, "w").unwrap(), [(300, run(1))]);
    assert_eq!(store.blockers(&tenant("b"), "w").unwrap(), []);
}

fn breakpoints_belong_to_a_workflow(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    let breakpoint = |step: &str| Breakpoint {
        step: step.into(),
        note: None,
        by: "ada".into(),
        at: Timestamp(4),
    };
    for (workflow, step) in [("w", "load"), ("w", "check"), ("ww", "load")] {
        let write = Write::breakpoint(&owner, workflow, &breakpoint(step)).unwrap();
        commit(&store, vec![write]);
    }
    assert_eq!(store.breakpoints(&owner, "w").unwrap(), ["check", "load"]);
    let page = store.breakpoints_page(&owner, "w", &Paging::first(9)).unwrap();
    assert_eq!(page.items, ["check", "load"].map(breakpoint));
    let all = [("w", "check"), ("w", "load"), ("ww", "load")];
    let all = all.map(|(workflow, step)| (workflow.to_owned(), step.to_owned()));
    assert_eq!(store.all_breakpoints(&owner).unwrap(), all);
    commit(&store, vec![Write::breakpoint_deleted(&owner, "w", "load").unwrap()]);
    assert_eq!(store.breakpoint(&owner, "w", "load"), Ok(None));
    assert_eq!(store.breakpoint(&owner, "ww", "load"), Ok(Some(breakpoint("load"))));
}

fn the_longest_names_fit(place: &dyn Place) {
    let store = place.open();
    let owner = tenant(&"t".repeat(63));
    let name = "n".repeat(NAME_BYTES_MAX);
    let breakpoint =
        Breakpoint { step: name.clone(), note: None, by: "ada".into(), at: Timestamp(4) };
    commit(&store, vec![Write::breakpoint(&owner, &name, &breakpoint).unwrap()]);
    assert_eq!(store.breakpoint(&owner, &name, &name), Ok(Some(breakpoint.clone())));
    let too_long = Breakpoint { step: name.clone() + "n", ..breakpoint };
    let refused = Write::breakpoint(&owner, &name, &too_long);
    assert!(matches!(refused, Err(Error::Invalid { .. })));
}

fn open_runs_of_one_workflow_are_found(place: &dyn Place) {
    let store = place.open();
    let owner = tenant("a");
    for number in 1..=5 {
        commit(&store, opened(&owner, if number % 2 == 0 { "even" } else { "odd" }, number));
    }
    commit(&store, Write::run_ended(&owner, &run_record("odd", 3)));
    let open = |workflow, limit| -> Vec<u64> {
        let runs = store.open_runs_of(&owner, workflow, limit).unwrap();
        runs.iter().map(|run| run.number).collect()
    };
    assert_eq!(open("odd", 9), [1, 5]);
    assert_eq!(open("odd", 1), [1]);
    assert_eq!(open("none", 9), [0_u64; 0]);
}

fn opened(owner: &TenantId, workflow: &str, number: u8) -> Vec<Write> {
    Write::run_created(owner, &run_record(workflow, number)).unwrap()
}

fn run_record(workflow: &str, number: u8) -> RunRecord {
    RunRecord {
        run: run(number),
        workflow: workflow.into(),
        version: 1,
        number: number.into(),
        status: "running".into(),
        reason: None,
        created_at: Timestamp(1),
        started_at: None,
        ended_at: None,
        schedule: None,
        trigger: None,
    }
}

fn record(name: &str, latest_version: u64) -> WorkflowRecord {
    WorkflowRecord {
        name: name.into(),
        latest_version,
        active_version: None,
        changed_at: Timestamp(7),
        properties: Properties::default(),
    }
}

fn change(sequence: u64) -> WorkflowChange {
    let object = |owner: &str| json!({ "owner": owner }).as_object().cloned().unwrap();
    WorkflowChange {
        sequence,
        action: WorkflowAction::Changed,
        at: Timestamp(sequence),
        by: "ada".into(),
        before: object("weather-team"),
        after: object("rain-team"),
    }
}
