//! Statements that are an expression in disguise: assignments are put in where
//! they are read, and branches become `? :`.

use super::ast::{Expr, Stmt};
use super::cel::{Level, Term, Ty};
use super::lookup::Lookup;
use super::{member, operator};
use std::collections::{BTreeMap, VecDeque};

/// The most statements that are gone through, with branches counted again.
const STEPS_MAX: usize = 2_000;

/// The longest piece that is put in where a variable is read.
const PIECE_BYTES_MAX: usize = 4_000;

/// Goes through a program with values that are pieces of CEL.
pub(super) struct Translator<'l> {
    pub(super) lookup: &'l mut dyn Lookup,
    pub(super) remarks: Vec<String>,
    locals: BTreeMap<String, Term>,
    steps: usize,
}

impl<'l> Translator<'l> {
    pub(super) fn new(lookup: &'l mut dyn Lookup) -> Self {
        Self { lookup, remarks: Vec::new(), locals: BTreeMap::new(), steps: 0 }
    }

    /// The remarks, once each.
    pub(super) fn remarks(mut self) -> Vec<String> {
        self.remarks.sort();
        self.remarks.dedup();
        self.remarks
    }

    /// The value of a whole program.
    pub(super) fn program(&mut self, statements: &[Stmt]) -> Result<Term, String> {
        let value = self.run(statements.iter().collect())?;
        value.ok_or_else(|| "gives no value on some way; end it with return".to_owned())
    }

    fn run(&mut self, mut queue: VecDeque<&Stmt>) -> Result<Option<Term>, String> {
        let mut last = None;
        while let Some(statement) = queue.pop_front() {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err("has too many ways through it; compute it in a step".to_owned());
            }
            match statement {
                Stmt::Value(value) => last = Some(self.value(value)?),
                Stmt::Assign(name, value) => {
                    let value = self.value(value)?;
                    if value.text.len() > PIECE_BYTES_MAX {
                        return Err("gets too long in CEL; compute it in a step".to_owned());
                    }
                    self.locals.insert(name.clone(), value.clone());
                    last = Some(value);
                }
                Stmt::Block(statements) => {
                    statements.iter().rev().for_each(|s| queue.push_front(s))
                }
                Stmt::Return(value) => return self.value(value).map(Some),
                Stmt::Refused(what) => {
                    return Err(format!("{what} has no equal in CEL; compute it in a step"));
                }
                Stmt::If(condition, then, otherwise) => {
                    let otherwise = otherwise.as_deref();
                    return self.branch(condition, [Some(then), otherwise], &queue).map(Some);
                }
            }
        }
        Ok(last)
    }

    /// What follows is on both ways.
    fn branch<'s>(
        &mut self,
        condition: &Expr,
        ways: [Option<&'s Stmt>; 2],
        rest: &VecDeque<&'s Stmt>,
    ) -> Result<Term, String> {
        let condition = self.value(condition)?;
        let before = self.locals.clone();
        let mut values = Vec::new();
        for way in ways {
            self.locals.clone_from(&before);
            let queue = way.into_iter().chain(rest.iter().copied()).collect();
            let value = self.run(queue)?;
            values.push(value.ok_or("gives no value on one way; end each with return")?);
        }
        self.locals = before;
        let [then, otherwise] =
            <[Term; 2]>::try_from(values).map_err(|_| "has no value; correct it")?;
        operator::ternary(&condition, then, otherwise)
    }

    /// The value of an expression.
    pub(super) fn value(&mut self, expression: &Expr) -> Result<Term, String> {
        match expression {
            Expr::Null => Ok(Term::of("null", Ty::Null)),
            Expr::Bool(value) => Ok(Term::of(value.to_string(), Ty::Bool)),
            Expr::Int(value) => Ok(Term::int(*value)),
            Expr::Double(value) => {
                let level = if *value < 0.0 { Level::Unary } else { Level::Whole };
                Ok(Term::at(format!("{value:?}"), level, Ty::Double))
            }
            Expr::Text(text) => Ok(Term::text(text)),
            Expr::Name(name) => match self.locals.get(name) {
                Some(value) => Ok(value.clone()),
                None => self.lookup.name(name),
            },
            Expr::Unary(operator, operand) => operator::unary(*operator, &self.value(operand)?),
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                operator::binary(operator, &left, &right)
            }
            Expr::Ternary(condition, then, otherwise) => {
                let condition = self.value(condition)?;
                let (then, otherwise) = (self.value(then)?, self.value(otherwise)?);
                operator::ternary(&condition, then, otherwise)
            }
            Expr::Array(elements) => self.list(elements),
            Expr::Index(..) | Expr::Field(..) | Expr::Call(..) | Expr::New(..) => {
                member::value(self, expression)
            }
        }
    }

    /// A list of these elements.
    pub(super) fn list(&mut self, elements: &[Expr]) -> Result<Term, String> {
        let elements = self.values(elements)?;
        let first = elements.first().map_or(Ty::Any, |element| element.ty.clone());
        let is_alike = elements.iter().all(|element| element.ty == first);
        let texts: Vec<_> = elements.iter().map(|element| element.text.as_str()).collect();
        let ty = Ty::List(Box::new(if is_alike { first } else { Ty::Any }));
        Ok(Term::of(format!("[{}]", texts.join(", ")), ty))
    }

    /// The values of several expressions.
    pub(super) fn values(&mut self, expressions: &[Expr]) -> Result<Vec<Term>, String> {
        expressions.iter().map(|expression| self.value(expression)).collect()
    }

    /// Whether a name is that of a class here, not of a value.
    pub(super) fn is_class(&self, name: &str) -> bool {
        const CLASSES: [&str; 14] = [
            "Util",
            "Math",
            "String",
            "UUID",
            "System",
            "DateTime",
            "DateTimeZone",
            "DateTimeFormat",
            "Days",
            "Arrays",
            "Long",
            "Double",
            "Integer",
            "Boolean",
        ];
        CLASSES.contains(&name) && !self.locals.contains_key(name)
    }
}
