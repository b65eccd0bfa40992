//! Names that fit our rules, made of names that may not.

use std::collections::{BTreeMap, BTreeSet};

/// The longest name of ours.
const NAME_BYTES_MAX: usize = 63;

/// What a name is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Lower-case letters, digits and dashes.
    Workflow,
    /// As for a workflow, and underscores.
    Step,
    /// Letters, digits and underscores.
    Variable,
}

impl Rule {
    /// `name` with what does not fit replaced.
    pub(super) fn fitted(self, name: &str) -> String {
        let separator = if self == Self::Workflow { '-' } else { '_' };
        let mut out = String::new();
        for c in name.chars() {
            let c = if self == Self::Variable { c } else { c.to_ascii_lowercase() };
            let fits = match self {
                Self::Workflow => c.is_ascii_alphanumeric() || c == '-',
                Self::Step => c.is_ascii_alphanumeric() || c == '-' || c == '_',
                Self::Variable => c.is_ascii_alphanumeric() || c == '_',
            };
            out.push(if fits { c } else { separator });
        }
        let starts = match self {
            Self::Workflow | Self::Step => out.starts_with(|c: char| c.is_ascii_alphanumeric()),
            Self::Variable => out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'),
        };
        let is_reserved =
            self == Self::Variable && ["in", "true", "false", "null"].contains(&out.as_str());
        if !starts || is_reserved {
            out.insert_str(0, if self == Self::Variable { "p_" } else { "s" });
        }
        out.truncate(NAME_BYTES_MAX);
        out
    }
}

/// Names of one kind: theirs, and ours for them.
#[derive(Debug)]
pub(super) struct Names {
    rule: Rule,
    ours: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Names {
    /// No names yet.
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, ours: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// Our name for `name`, the same each time.
    pub(super) fn of(&mut self, name: &str) -> String {
        if let Some(ours) = self.ours.get(name) {
            return ours.clone();
        }
        let ours = self.free(&self.rule.fitted(name));
        self.ours.insert(name.to_owned(), ours.clone());
        ours
    }

    /// A name that nothing has yet, `wanted` if that is free.
    pub(super) fn free(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            let end = format!("_{number}")
                .replace('_', if self.rule == Rule::Variable { "_" } else { "-" });
            let room = NAME_BYTES_MAX - end.len();
            name = format!("{}{end}", &wanted[..wanted.len().min(room)]);
            number += 1;
        }
        name
    }
}
