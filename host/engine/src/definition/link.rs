//! Whether the parts of a definition fit together: ids are unique, needs lead
//! to steps and not round in circles, and an expression reads only what is
//! there when it is evaluated.

use super::draft::{Draft, DraftBody, DraftLoop, DraftNeed, DraftRule, DraftStep, Use};
use super::graph::Graph;
use super::node::shown;
use super::problem::Problems;
use super::site::Site;
use crate::workflow::StepParams;
use std::collections::{BTreeMap, BTreeSet};

/// For each loop, by its path, the outer steps that its body reads.
pub(super) type OuterSteps = BTreeMap<String, BTreeSet<String>>;

/// Reports what does not fit. Returns what each loop reads from outside.
pub(super) fn check(draft: &Draft, problems: &mut Problems) -> OuterSteps {
    let mut homes = Homes::new();
    note_homes(&draft.body, None, &mut homes, problems);
    let mut linker = Linker { draft, homes, problems, outer_steps: OuterSteps::new() };
    let around = Surroundings { outside: None, visible: BTreeSet::new(), variables: Vec::new() };
    for used in &draft.uses {
        linker.names(used, &[]);
    }
    linker.body(&draft.body, &around);
    linker.outer_steps
}

/// For each id its step, and the loop that it is in.
type Homes<'d> = BTreeMap<&'d str, (&'d DraftStep, Option<&'d DraftStep>)>;

/// Notes where each step is; reports ids that are there twice.
fn note_homes<'d>(
    body: &'d DraftBody,
    inside: Option<&'d DraftStep>,
    homes: &mut Homes<'d>,
    problems: &mut Problems,
) {
    for step in &body.steps {
        if let Some(id) = &step.id {
            match homes.get(id.as_str()) {
                None => {
                    homes.insert(id, (step, inside));
                }
                Some((first, _)) => {
                    let line = first.mark.line;
                    let message =
                        format!("the id {} is taken by the step on line {line}", shown(id));
                    let remedy = format!("give the step on line {} another id", step.mark.line);
                    problems.add(step.mark, &step.path, message, remedy);
                }
            }
        }
        if let Some(looped) = step.looped() {
            note_homes(&looped.body, Some(step), homes, problems);
        }
    }
}

/// What is around a body.
struct Surroundings<'d> {
    /// The step whose body it is, and whether it is unclear what that waits for.
    outside: Option<(&'d DraftStep, bool)>,
    /// The outer steps that are complete before the body starts.
    visible: BTreeSet<&'d str>,
    /// The loop variables.
    variables: Vec<&'d str>,
}

/// What an expression may read.
#[derive(Clone, Copy)]
enum Reach {
    /// What the step at this place waits for.
    Before(usize),
    /// The step at the first place, and what it waits for: a condition on the
    /// need of the step at the second.
    UpTo(usize, usize),
    /// Every step of the body.
    All,
}

/// A body while it is being checked.
struct Scene<'s, 'd> {
    places: BTreeMap<&'d str, usize>,
    graph: Graph,
    around: &'s Surroundings<'d>,
}

struct Linker<'d, 'p> {
    draft: &'d Draft,
    homes: Homes<'d>,
    problems: &'p mut Problems,
    outer_steps: OuterSteps,
}

impl<'d> Linker<'d, '_> {
    /// Checks a body. Returns the ids of the outer steps that are read in it.
    fn body(&mut self, body: &'d DraftBody, around: &Surroundings<'d>) -> BTreeSet<String> {
        let scene = Scene { places: body.places(), graph: Graph::of(body), around };
        for circle in &scene.graph.circles {
            self.circle(body, circle);
        }
        let mut read = BTreeSet::new();
        for (number, step) in body.steps.iter().enumerate() {
            for used in &step.uses {
                self.own(used, step);
                self.used(used, Reach::Before(number), &scene, &mut read);
            }
            for need in &step.needs {
                let place = self.need(step, need, number, &scene);
                if let (Some((_, used)), Some(place)) = (&need.condition, place) {
                    self.used(used, Reach::UpTo(place, number), &scene, &mut read);
                }
            }
            if let Some(looped) = step.looped() {
                let around = inner_surroundings(step, number, looped, &scene);
                if let DraftRule::While { condition: Some(condition), .. } = &looped.rule {
                    let (_, used) = condition.as_ref();
                    self.names(used, &around.variables);
                    self.steps(used, Reach::Before(number), &scene, &mut read);
                }
                let inner = self.body(&looped.body, &around);
                read.extend(inner.iter().cloned());
                self.outer_steps.insert(step.path.clone(), inner);
            }
        }
        for used in &body.uses {
            self.used(used, Reach::All, &scene, &mut read);
        }
        read.retain(|id| !scene.places.contains_key(id.as_str()));
        read
    }

    fn circle(&mut self, body: &DraftBody, circle: &[usize]) {
        const SHOWN: usize = 8;
        let id = |place: &usize| body.steps[*place].id.as_deref().unwrap_or("?");
        let mut ids: Vec<&str> = circle.iter().map(id).collect();
        if ids.len() > SHOWN {
            ids.splice(SHOWN / 2..ids.len() - SHOWN / 2, ["…"]);
        }
        let (Some(first), Some(place)) = (ids.first().copied(), circle.first()) else { return };
        let second = circle.get(1).map(id);
        ids.push(first);
        let step = &body.steps[*place];
        let need = step.needs.iter().find(|need| Some(need.id.as_str()) == second);
        let mark = need.map_or(step.mark, |need| need.mark);
        let path = format!("{}.needs", step.path);
        let message = format!("steps wait for each other in a circle: {}", ids.join(" -> "));
        self.problems.add(mark, &path, message, "remove one of these needs");
    }

    /// Checks that a need is a step of this body. Returns its place.
    fn need(
        &mut self,
        step: &DraftStep,
        need: &DraftNeed,
        number: usize,
        scene: &Scene<'_, 'd>,
    ) -> Option<usize> {
        let DraftNeed { id, mark, path, .. } = need;
        let place = scene.places.get(id.as_str()).copied();
        if place == Some(number) || step.id.as_ref() == Some(id) {
            self.problems.add(*mark, path, "a step cannot wait for itself", "remove this need");
            return None;
        }
        if place.is_some() {
            return place;
        }
        let (message, remedy) = match (self.homes.get(id.as_str()), scene.around.outside) {
            (None, _) => {
                (format!("unknown step {}", shown(id)), self.similar_step(id, scene, false))
            }
            (Some(_), Some((outside, _))) if self.encloses(id, outside).is_some() => {
                let outside = outside.id.as_deref().unwrap_or("the loop");
                let message = format!("step {} is outside of this loop", shown(id));
                (message, format!("move it to the needs of {outside}"))
            }
            (Some((_, inside)), _) => self.inside_another(id, *inside, "wait for"),
        };
        self.problems.add(*mark, path, message, remedy);
        None
    }

    /// Checks what an expression reads, and adds the steps to `read`.
    fn used(
        &mut self,
        used: &Use,
        reach: Reach,
        scene: &Scene<'_, 'd>,
        read: &mut BTreeSet<String>,
    ) {
        self.names(used, &scene.around.variables);
        self.steps(used, reach, scene, read);
    }

    /// Checks the steps that an expression reads, and adds them to `read`.
    fn steps(
        &mut self,
        used: &Use,
        reach: Reach,
        scene: &Scene<'_, 'd>,
        read: &mut BTreeSet<String>,
    ) {
        for id in used.references.steps.iter().filter(|_| used.site.reads_steps()) {
            if let Some((message, remedy)) = self.step_read(id, reach, scene) {
                self.problems.add(used.mark, &used.path, message, remedy);
            }
            read.insert(id.clone());
        }
    }

    /// Checks what an expression reads besides steps.
    fn names(&mut self, used: &Use, variables: &[&str]) {
        for (message, remedy) in used.site.refused(&used.references) {
            self.problems.add(used.mark, &used.path, message, remedy);
        }
        if let Some(known) = &self.draft.param_names {
            for name in used.references.params.iter().filter(|name| !known.contains(name)) {
                let known = || known.iter().map(String::as_str).collect();
                let otherwise = Some("declare it under `params`");
                let remedy = self.problems.did_you_mean(name, otherwise, known);
                let message = format!("unknown parameter params.{name}");
                self.problems.add(used.mark, &used.path, message, remedy);
            }
        }
        self.loop_read(used, variables);
    }

    /// Checks the params of the step that what it does reads.
    fn own(&mut self, used: &Use, step: &DraftStep) {
        let mut known = match &step.params {
            _ if !matches!(used.site, Site::Work | Site::Done) => return,
            None => Vec::new(),
            Some(StepParams::Each(params)) => params.iter().map(|it| it.name.clone()).collect(),
            Some(StepParams::Whole(params)) => match params.fields() {
                Some(fields) => fields,
                None => return,
            },
        };
        if used.site == Site::Done {
            known.push("output".to_owned());
        }
        for name in used.references.own.iter().filter(|name| !known.contains(name)) {
            let all = || known.iter().map(String::as_str).collect();
            let otherwise = Some("add it to the `params` of the step");
            let remedy = self.problems.did_you_mean(name, otherwise, all);
            let message = format!("unknown param self.{name} of this step");
            self.problems.add(used.mark, &used.path, message, remedy);
        }
    }

    fn loop_read(&mut self, used: &Use, variables: &[&str]) {
        let names = &used.references.loop_variables;
        if variables.is_empty() && (used.references.reads_loop || !names.is_empty()) {
            let name = names.first().map(|name| format!(".{name}")).unwrap_or_default();
            let message = format!("loop{name} is read outside of a loop");
            let remedy = "move it into the steps of a loop, or use params";
            self.problems.add(used.mark, &used.path, message, remedy);
            return;
        }
        for name in names.iter().filter(|name| !variables.contains(&name.as_str())) {
            let remedy = self.problems.did_you_mean(name, None, || variables.to_vec());
            let message = format!("unknown loop variable loop.{name}");
            self.problems.add(used.mark, &used.path, message, remedy);
        }
    }

    /// Why the step `id` may not be read here, and the remedy.
    fn step_read(
        &mut self,
        id: &str,
        reach: Reach,
        scene: &Scene<'_, 'd>,
    ) -> Option<(String, String)> {
        if let Some(place) = scene.places.get(id) {
            return not_complete(id, *place, reach, &scene.graph);
        }
        if scene.around.visible.contains(id) {
            return None;
        }
        let Some((_, inside)) = self.homes.get(id).copied() else {
            return Some((
                format!("unknown step {}", shown(id)),
                self.similar_step(id, scene, true),
            ));
        };
        if let Some(refusal) = inside.and_then(|inside| own_inside(id, inside, reach, scene)) {
            return Some(refusal);
        }
        let Some((outside, is_unclear)) = scene.around.outside else {
            return Some(self.inside_another(id, inside, "read"));
        };
        match self.encloses(id, outside) {
            Some(_) if is_unclear => None,
            Some(outer) if outer == id => {
                let message = format!("step {} is the loop that this runs in", shown(id));
                Some((message, "read it in a step that needs it".to_owned()))
            }
            Some(outer) => {
                let message =
                    format!("step {} may not be complete when this is evaluated", shown(id));
                Some((message, format!("add {} to the needs of {outer}", shown(id))))
            }
            None => Some(self.inside_another(id, inside, "read")),
        }
    }

    /// The step around `inner`, or `inner` itself, that is in the same body as
    /// the step `id`; `None` if there is none.
    fn encloses(&self, id: &str, inner: &'d DraftStep) -> Option<&'d str> {
        let (_, home) = self.homes.get(id)?;
        let mut around = inner;
        loop {
            let (_, outer) = self.homes.get(around.id.as_deref()?)?;
            match (outer, home) {
                (None, None) => return around.id.as_deref(),
                (Some(outer), Some(home)) if std::ptr::eq(*outer, *home) => {
                    return around.id.as_deref();
                }
                (Some(outer), _) => around = outer,
                (None, Some(_)) => return None,
            }
        }
    }

    fn inside_another(&self, id: &str, inside: Option<&DraftStep>, verb: &str) -> (String, String) {
        let outer = inside.and_then(|inside| inside.id.as_deref()).unwrap_or("a loop");
        let message = format!("step {} runs in each iteration of {outer}", shown(id));
        let rule = inside.and_then(DraftStep::looped).map(|looped| &looped.rule);
        let whole = match rule {
            Some(DraftRule::Foreach { .. }) if verb == "read" => {
                ", whose output is a list with the output of each"
            }
            _ => "",
        };
        (message, format!("{verb} {outer} instead{whole}"))
    }

    fn similar_step(&mut self, id: &str, scene: &Scene<'_, 'd>, may_be_outer: bool) -> String {
        self.problems.did_you_mean(id, None, || {
            let outer = scene.around.visible.iter().filter(|_| may_be_outer);
            scene.places.keys().chain(outer).copied().collect()
        })
    }
}

/// What the body of the loop `step` has around it.
fn inner_surroundings<'d>(
    step: &'d DraftStep,
    number: usize,
    looped: &'d DraftLoop,
    scene: &Scene<'_, 'd>,
) -> Surroundings<'d> {
    let graph = &scene.graph;
    let before = scene.places.iter().filter(|(_, place)| graph.waits_for(number, **place));
    let outer = scene.around;
    let own = looped.variables.iter().map(|(name, _)| name.as_str());
    let is_unclear = graph.is_unclear(number) || outer.outside.is_some_and(|(_, unclear)| unclear);
    Surroundings {
        outside: Some((step, is_unclear)),
        visible: before.map(|(id, _)| *id).chain(outer.visible.iter().copied()).collect(),
        variables: outer.variables.iter().copied().chain(own).collect(),
    }
}

/// Why the step `id` may not be read if it is inside the loop whose expression
/// this is, and the remedy.
fn own_inside(
    id: &str,
    inside: &DraftStep,
    reach: Reach,
    scene: &Scene<'_, '_>,
) -> Option<(String, String)> {
    let place = scene.places.get(inside.id.as_deref()?)?;
    if !matches!(reach, Reach::Before(reader) if reader == *place) {
        return None;
    }
    let remedy = match inside.looped().map(|looped| &looped.rule) {
        Some(DraftRule::While { .. }) => "hand its result on to a loop variable in `output`",
        _ => "read a step that the loop needs",
    };
    Some((format!("step {} is inside this loop", shown(id)), remedy.to_owned()))
}

/// Why the step at `place` of the same body may not be read, and the remedy.
fn not_complete(id: &str, place: usize, reach: Reach, graph: &Graph) -> Option<(String, String)> {
    let id = shown(id);
    let (reader, is_readable, is_unclear) = match reach {
        Reach::All => return None,
        Reach::Before(reader) => (reader, graph.waits_for(reader, place), graph.is_unclear(reader)),
        Reach::UpTo(needed, reader) => (
            reader,
            place == needed || graph.waits_for(needed, place),
            graph.is_unclear(needed) || graph.is_unclear(reader),
        ),
    };
    if is_readable {
        return None;
    }
    if place == reader {
        let message = format!("step {id} reads its own result");
        return Some((message, "read a step that it needs".to_owned()));
    }
    if is_unclear {
        return None;
    }
    if graph.waits_for(place, reader) {
        let message = format!("step {id} runs only after this one");
        return Some((message, format!("move the expression to a step that needs {id}")));
    }
    Some(match reach {
        Reach::UpTo(..) => (
            format!("a condition on a need reads that step and what it needs, not {id}"),
            format!("use `when` for it, and add {id} to `needs`"),
        ),
        Reach::Before(_) | Reach::All => (
            format!("step {id} may not be complete when this is evaluated"),
            format!("add {id} to `needs`"),
        ),
    })
}
