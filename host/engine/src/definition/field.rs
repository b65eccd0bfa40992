//! Reading a map key by key. Every reader reports what does not fit and gives
//! `None`, so that the rest of the definition is still looked at.

use super::draft::Use;
use super::node::{Entry, Kind, Mark, Node, shown};
use super::problem::Problems;
use super::quantity;
use super::site::Site;
use crate::expression::{Expression, Names, closing_brace};
use crate::template::{Broken, Place, Template, way};
use std::ops::RangeInclusive;

/// A map of a definition.
pub(super) struct Fields<'n> {
    entries: &'n [Entry],
    pub(super) mark: Mark,
    pub(super) path: String,
}

/// A value of a definition, and the way there.
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    /// Where its key stands; where it stands itself if it has none.
    pub(super) key_mark: Mark,
    pub(super) path: String,
}

/// The keys that a map may have.
pub(super) struct Keys {
    /// What the map is, for example `a step`.
    pub(super) of: &'static str,
    /// The keys that are understood.
    pub(super) known: &'static [&'static str],
    /// The keys that a later version will understand.
    pub(super) planned: &'static [&'static str],
}

impl<'n> Fields<'n> {
    /// The entry at `key`.
    pub(super) fn get(&self, key: &str) -> Option<Field<'n>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.field(entry))
    }

    /// Every entry, with its key.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'n str, Field<'n>)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), self.field(entry)))
    }

    fn field(&self, entry: &'n Entry) -> Field<'n> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", self.path, entry.key);
        Field { node: &entry.value, key_mark: entry.mark, path }
    }

    /// Reports the keys that are not understood.
    pub(super) fn check_keys(&self, keys: &Keys, problems: &mut Problems) {
        for (key, field) in self.all() {
            if keys.known.contains(&key) {
                continue;
            }
            if keys.planned.contains(&key) {
                let message = "this version does not know it yet";
                problems.add(field.key_mark, &field.path, message, "remove it until it does");
                continue;
            }
            let all = format!("{} has {}", keys.of, keys.known.join(", "));
            let remedy = problems.did_you_mean(key, Some(&all), || keys.known.to_vec());
            let message = format!("unknown key {}", shown(key));
            problems.add(field.key_mark, &self.path, message, remedy);
        }
    }

    /// Reports that `key` is missing.
    pub(super) fn missing(&self, key: &str, remedy: &str, problems: &mut Problems) {
        problems.add(self.mark, &self.path, format!("`{key}` is missing"), remedy);
    }
}

impl<'n> Field<'n> {
    /// The whole definition.
    pub(super) fn root(node: &'n Node) -> Self {
        Self { node, key_mark: node.mark, path: String::new() }
    }

    /// Reports something about the value.
    pub(super) fn problem(
        &self,
        problems: &mut Problems,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        problems.add(self.node.mark, &self.path, message, remedy);
    }

    /// Reports that the value is not what it has to be.
    pub(super) fn wrong(&self, problems: &mut Problems, expected: &str, remedy: &str) {
        let message = format!("is {}, expected {expected}", self.node.described());
        self.problem(problems, message, remedy);
    }

    /// The value as a map; `remedy` says what to write.
    pub(super) fn fields(&self, remedy: &str, problems: &mut Problems) -> Option<Fields<'n>> {
        match &self.node.kind {
            Kind::Map(entries) => {
                Some(Fields { entries, mark: self.key_mark, path: self.path.clone() })
            }
            _ => {
                self.wrong(problems, "a map", remedy);
                None
            }
        }
    }

    /// The elements, if the value is a list.
    pub(super) fn elements(&self) -> Option<Vec<Field<'n>>> {
        let Kind::List(elements) = &self.node.kind else { return None };
        let element = |(number, node): (usize, &'n Node)| Field {
            node,
            key_mark: node.mark,
            path: format!("{}[{number}]", self.path),
        };
        Some(elements.iter().enumerate().map(element).collect())
    }

    /// The elements of a list; `remedy` says what to write.
    pub(super) fn list(&self, remedy: &str, problems: &mut Problems) -> Option<Vec<Field<'n>>> {
        let elements = self.elements();
        if elements.is_none() {
            self.wrong(problems, "a list", remedy);
        }
        elements
    }

    /// The value as text; `remedy` says what to write.
    pub(super) fn text(&self, remedy: &str, problems: &mut Problems) -> Option<&'n str> {
        match &self.node.kind {
            Kind::Text(text) => Some(text),
            Kind::Bool(_) | Kind::Number(_) => {
                self.wrong(problems, "text", "put it in quotes");
                None
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                self.wrong(problems, "text", remedy);
                None
            }
        }
    }

    /// The value as text that is one of `known`, by its place among them.
    pub(super) fn choice(&self, known: &[&str], problems: &mut Problems) -> Option<usize> {
        let remedy = format!("use one of {}", known.join(", "));
        let text = self.text(&remedy, problems)?;
        let found = known.iter().position(|word| *word == text);
        if found.is_none() {
            let remedy = problems.did_you_mean(text, Some(&remedy), || known.to_vec());
            self.problem(problems, format!("{} is not known", shown(text)), remedy);
        }
        found
    }

    /// The value as `true` or `false`.
    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        let Kind::Bool(flag) = self.node.kind else {
            self.wrong(problems, "true or false", "write true or false, without quotes");
            return None;
        };
        Some(flag)
    }

    /// The value as a whole number in `range`.
    pub(super) fn whole(&self, range: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
        let (least, most) = (range.start(), range.end());
        let allowed = match *most {
            u64::MAX => format!("{least} or more"),
            most => format!("{least} to {most}"),
        };
        let remedy = format!("use {allowed}");
        match &self.node.kind {
            Kind::Number(number) if number.is_u64() || number.is_i64() => {
                let found = number.as_u64().filter(|value| range.contains(value));
                if found.is_none() {
                    self.problem(problems, format!("{number} is out of range"), remedy);
                }
                found
            }
            _ => {
                self.wrong(problems, "a whole number", &remedy);
                None
            }
        }
    }

    /// The value as a time in milliseconds, from one millisecond to `most`.
    pub(super) fn duration_ms(&self, most: u64, problems: &mut Problems) -> Option<u64> {
        let read = match &self.node.kind {
            Kind::Text(text) => quantity::duration_ms(text, most),
            Kind::Number(number) => Err(quantity::no_time_unit(&number.to_string())),
            _ => Err(format!("is {}, expected a time; say \"30s\"", self.node.described())),
        };
        self.or_report(read, problems)
    }

    /// The value as a number of bytes, at least one.
    pub(super) fn bytes(&self, problems: &mut Problems) -> Option<u64> {
        let read = match &self.node.kind {
            Kind::Text(text) => quantity::bytes(text),
            Kind::Number(number) => Err(quantity::no_size_unit(&number.to_string())),
            _ => Err(format!("is {}, expected a size; say \"64MiB\"", self.node.described())),
        };
        self.or_report(read, problems)
    }

    pub(super) fn or_report<T>(
        &self,
        read: Result<T, String>,
        problems: &mut Problems,
    ) -> Option<T> {
        read.map_err(|text| {
            problems.add_text(self.node.mark, &self.path, &text, "correct the expression");
        })
        .ok()
    }

    /// The value as an expression, with or without `${…}` around it.
    pub(super) fn expression(&self, problems: &mut Problems) -> Option<Expression> {
        self.expression_with(Names::Run, problems)
    }

    /// The same where expressions may start from these names.
    pub(super) fn expression_with(
        &self,
        names: Names,
        problems: &mut Problems,
    ) -> Option<Expression> {
        let source = match &self.node.kind {
            Kind::Text(text) => text.trim(),
            Kind::Bool(true) => "true",
            Kind::Bool(false) => "false",
            Kind::Null | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
                self.wrong(problems, "an expression", "write one, as in \"params.x > 0\"");
                return None;
            }
        };
        let is_wrapped =
            source.starts_with("${") && closing_brace(source, 2) == Some(source.len() - 1);
        if is_wrapped {
            let inner = &source[2..source.len() - 1];
            return self.or_report(Expression::compile_with(inner, names), problems);
        }
        if source.contains("${") {
            let message =
                format!("{} has ${{…}} in it, but all of it is an expression", shown(source));
            self.problem(problems, message, "remove every ${ and its }");
            return None;
        }
        self.or_report(Expression::compile_with(source, names), problems)
    }

    /// The value as a template. What its expressions read is added to `uses`,
    /// even if others in it are wrong.
    pub(super) fn template(
        &self,
        site: Site,
        uses: &mut Vec<Use>,
        problems: &mut Problems,
    ) -> Option<Template> {
        self.compiled(Template::compile_located(&self.node.to_json()), site, uses, problems)
    }

    /// The value as a template whose expressions may start from these names.
    pub(super) fn template_with(&self, names: Names, problems: &mut Problems) -> Option<Template> {
        let compiled = Template::compile_with(&self.node.to_json(), names);
        // What they read needs no other check: it is there or not.
        self.compiled(compiled, Site::Plain, &mut Vec::new(), problems)
    }

    /// Like [`Field::template`], after compiling.
    pub(super) fn compiled(
        &self,
        compiled: Result<Template, Broken>,
        site: Site,
        uses: &mut Vec<Use>,
        problems: &mut Problems,
    ) -> Option<Template> {
        let expressions = match &compiled {
            Ok(template) => template.expressions(),
            Err(broken) => {
                for (places, text) in &broken.mistakes {
                    let (mark, path) = self.place(places);
                    problems.add_text(mark, &path, text, "correct the expression");
                }
                &broken.expressions
            }
        };
        uses.extend(expressions.iter().map(|(places, expression)| {
            let (mark, path) = self.place(places);
            Use { mark, path, site, references: expression.references().clone() }
        }));
        compiled.ok()
    }

    fn place(&self, places: &[Place]) -> (Mark, String) {
        (self.node.mark_at(places), format!("{}{}", self.path, way(places)))
    }

    /// What an expression reads, with the place of this value.
    pub(super) fn used_by(&self, expression: &Expression) -> Use {
        let references = expression.references().clone();
        Use { mark: self.node.mark, path: self.path.clone(), site: Site::Plain, references }
    }
}
