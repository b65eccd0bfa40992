//! A random workflow, as a plan: it can be written as a definition, which the
//! engine reads, and evaluated by a model that knows nothing of the engine.
//! Step n of a plan has the id `s<n>`, and no two steps share a number.

mod choices;
mod text;

pub use choices::Choices;
pub use text::numbers;

/// A workflow.
pub struct Plan {
    /// Its name.
    pub name: &'static str,
    /// How many steps of a run and all below it run at once.
    pub run_step_concurrency: Option<u32>,
    /// Its `timeout`.
    pub timeout_ms: Option<u32>,
    /// Its steps.
    pub body: Body,
}

/// A graph of steps.
pub struct Body {
    /// The steps, in the order of the definition.
    pub steps: Vec<Step>,
    /// The fields of its `output`, if it has one.
    pub output: Option<Vec<Read>>,
}

/// A node of the graph.
pub struct Step {
    /// What its id is made of.
    pub number: usize,
    /// What it waits for, with the conditions on the edges.
    pub needs: Vec<(usize, Option<Condition>)>,
    /// Its `when`.
    pub when: Option<Condition>,
    /// What it does.
    pub kind: Kind,
    /// Its `retry`: tries after user, platform and timeout failures.
    pub retry: [u32; 3],
    /// Its `timeout`.
    pub timeout_ms: Option<u32>,
    /// Its `failure_mode`, if it is not the usual one.
    pub failure_mode: Option<FailureMode>,
    /// Its `tags`.
    pub tags: Vec<&'static str>,
}

/// What its failure means for the run, beside the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureMode {
    /// Nothing.
    Ignore,
    /// Its end.
    Immediately,
}

/// What a step does.
pub enum Kind {
    /// Calls a component with these params.
    Call(Vec<Read>),
    /// Runs a body for each element of the product of these lists. The
    /// variable of list k of step n is `v<n>_<k>`.
    Foreach(Vec<List>, Window, Body),
    /// Runs a body so many times. The variable of step n is `w<n>`.
    While(u32, Body),
    /// Runs the other workflow.
    Sub,
    /// Waits for so many seconds, then gives this number.
    Sleep(u32, u32),
    /// Waits for a signal.
    Gate,
    /// Gives this number.
    Noop(u32),
}

/// How many iterations run at once.
pub struct Window {
    /// The most.
    pub concurrency: u32,
    /// Whether the slowest holds back the others.
    pub is_strict: bool,
}

/// A condition on an edge, or a `when`.
pub enum Condition {
    /// Always the same.
    Fixed(bool),
    /// The step succeeded.
    Succeeded(Target),
    /// The step's value is larger; fails if the step has none.
    Above(Target, u32),
}

/// A value that a param reads.
pub enum Read {
    /// The step's value, 0 if it has none.
    Guarded(Target),
    /// The step's value; fails if the step has none.
    Bare(Target),
    /// A loop variable.
    Loop(String),
    /// The workflow's only param.
    Param,
}

/// What a `foreach` runs over.
pub enum List {
    /// The numbers from 0 to here.
    Fixed(u32),
    /// The list that a call gave, empty if it gave none.
    Of(usize),
}

/// A step that can be read. The value of a call is the number in its output,
/// that of a `foreach` is how many iterations it has.
#[derive(Clone, Copy)]
pub struct Target {
    /// The step.
    pub number: usize,
    /// What its output is like.
    pub shape: Shape,
}

/// What an output is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object with a number and a list.
    Object,
    /// A list of iterations.
    List,
    /// The variable of a `while`.
    Variable,
    /// Whatever another workflow gives: nobody looks at it, its value is 1.
    Unknown,
}

/// The tags that steps may have.
pub const TAGS: [&str; 3] = ["cpu", "disk", "net"];

/// What steps of a plan may do.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// The most steps of the workflow's own body.
    pub steps_max: u32,
    /// How deep `foreach` steps may be nested.
    pub depth_max: u32,
    /// Whether there may be timeouts, and failures that end a run at once.
    pub has_timeouts: bool,
    /// Whether steps may run the other workflow.
    pub has_subworkflows: bool,
    /// Whether steps may have tags.
    pub has_tags: bool,
}

impl Plan {
    /// A random plan.
    pub fn random(choices: &mut Choices, bounds: Bounds) -> Self {
        let timed = bounds.has_timeouts && choices.chance(15);
        let timeout_ms = timed.then(|| 1_000 + choices.below(60_000));
        let mut author = Author { choices, bounds, numbers: 0 };
        let body = author.body(&Seen::default(), 0);
        Self { name: "random", run_step_concurrency: None, timeout_ms, body }
    }
}

/// Writes a plan.
struct Author<'a> {
    choices: &'a mut Choices,
    bounds: Bounds,
    numbers: usize,
}

/// What can be read at one place of a plan.
#[derive(Clone, Default)]
struct Seen {
    steps: Vec<Target>,
    loop_variables: Vec<String>,
}

impl Author<'_> {
    fn body(&mut self, around: &Seen, depth: u32) -> Body {
        let most = if depth == 0 { self.bounds.steps_max } else { 3 };
        let count = 1 + self.choices.below(most) as usize;
        let mut steps: Vec<Step> = Vec::new();
        // What each step may read: those that it needs, and what they may read.
        let mut above: Vec<Vec<Target>> = Vec::new();
        for place in 0..count {
            let needed: Vec<usize> = (0..place).filter(|_| self.choices.chance(35)).collect();
            let mut seen: Vec<Target> = needed.iter().flat_map(|n| above[*n].clone()).collect();
            seen.extend(needed.iter().map(|place| target(&steps[*place])));
            seen.sort_by_key(|target| target.number);
            seen.dedup_by_key(|target| target.number);
            let mut all = around.clone();
            all.steps.extend(&seen);
            let needs = needed.iter().map(|place| target(&steps[*place])).collect();
            steps.push(self.step(needs, &all, depth));
            above.push(seen);
        }
        let mut all = around.clone();
        all.steps.extend(steps.iter().map(target));
        let output = self.choices.chance(30).then(|| self.reads(&all));
        self.choices.shuffle(&mut steps);
        Body { steps, output }
    }

    fn step(&mut self, needs: Vec<Target>, seen: &Seen, depth: u32) -> Step {
        let number = self.numbers;
        self.numbers += 1;
        let needs = needs.into_iter().map(|need| (need.number, self.edge(need))).collect();
        let when = self.choices.chance(25).then(|| self.condition(seen));
        let kind = self.kind(number, seen, depth);
        let failure_mode = match self.choices.below(12) {
            10 => Some(FailureMode::Ignore),
            11 if self.bounds.has_timeouts => Some(FailureMode::Immediately),
            _ => None,
        };
        let timed = self.bounds.has_timeouts && self.choices.chance(30);
        let tags = self.tags(&kind);
        Step {
            number,
            needs,
            when,
            kind,
            retry: [(); 3].map(|()| self.choices.below(4)),
            timeout_ms: timed.then(|| 100 + self.choices.below(20_000)),
            failure_mode,
            tags,
        }
    }

    fn tags(&mut self, kind: &Kind) -> Vec<&'static str> {
        let may_have = self.bounds.has_tags && matches!(kind, Kind::Call(_));
        TAGS.into_iter().filter(|_| may_have && self.choices.chance(15)).collect()
    }

    fn kind(&mut self, number: usize, seen: &Seen, depth: u32) -> Kind {
        let may_loop = depth < self.bounds.depth_max;
        match self.choices.below(20) {
            15..=18 if may_loop => self.foreach(number, seen, depth),
            19 if may_loop => {
                let mut inside = seen.clone();
                inside.loop_variables.push(format!("w{number}"));
                let count = self.choices.below(4);
                Kind::While(count, self.body(&inside, depth + 1))
            }
            11 => Kind::Noop(self.choices.below(8)),
            12 => Kind::Sleep(1 + self.choices.below(20), self.choices.below(8)),
            13 => Kind::Gate,
            14 if self.bounds.has_subworkflows => Kind::Sub,
            _ => Kind::Call(self.reads(seen)),
        }
    }

    fn foreach(&mut self, number: usize, seen: &Seen, depth: u32) -> Kind {
        let count = 1 + usize::from(self.choices.chance(25));
        let calls =
            seen.steps.iter().filter(|step| step.shape == Shape::Object).map(|step| step.number);
        let calls: Vec<usize> = calls.collect();
        let lists = (0..count).map(|_| {
            let from_step = self.choices.chance(50).then(|| self.choices.pick(&calls).copied());
            match from_step.flatten() {
                Some(step) => List::Of(step),
                None => List::Fixed(self.choices.below(4)),
            }
        });
        let lists: Vec<List> = lists.collect();
        let mut inside = seen.clone();
        inside.loop_variables.extend((0..count).map(|list| format!("v{number}_{list}")));
        let concurrency = 1 + self.choices.below(4);
        let window = Window { concurrency, is_strict: self.choices.chance(30) };
        Kind::Foreach(lists, window, self.body(&inside, depth + 1))
    }

    fn reads(&mut self, seen: &Seen) -> Vec<Read> {
        (0..self.choices.below(4)).filter_map(|_| self.read(seen)).collect()
    }

    fn read(&mut self, seen: &Seen) -> Option<Read> {
        match self.choices.below(12) {
            0..=1 => Some(Read::Param),
            2..=5 => self.choices.pick(&seen.loop_variables).cloned().map(Read::Loop),
            6..=10 => self.choices.pick(&seen.steps).copied().map(Read::Guarded),
            _ => self.choices.pick(&seen.steps).copied().map(Read::Bare),
        }
    }

    fn edge(&mut self, need: Target) -> Option<Condition> {
        match self.choices.below(10) {
            0..=6 => None,
            7 => Some(Condition::Fixed(false)),
            _ => Some(Condition::Above(need, self.choices.below(6))),
        }
    }

    fn condition(&mut self, seen: &Seen) -> Condition {
        let step = self.choices.pick(&seen.steps).copied();
        match (self.choices.below(10), step) {
            (0..=5, Some(step)) => Condition::Succeeded(step),
            (6, Some(step)) => Condition::Above(step, self.choices.below(6)),
            (number, _) => Condition::Fixed(number % 2 == 1),
        }
    }
}

fn target(step: &Step) -> Target {
    let shape = match step.kind {
        Kind::Foreach(..) => Shape::List,
        Kind::While(..) => Shape::Variable,
        Kind::Sub => Shape::Unknown,
        Kind::Call(_) | Kind::Sleep(..) | Kind::Gate | Kind::Noop(_) => Shape::Object,
    };
    Target { number: step.number, shape }
}
