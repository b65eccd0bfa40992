//! From a source to an expression that can be evaluated. The `cel` crate parses
//! it and expands the macros; here the limits are held, names and functions are
//! resolved, and everything that could only fail later is refused now.

use super::References;
use super::fact::{Fact, OfTrigger, ScheduleFact};
use super::function;
use super::literal::{constant, text_literal};
use super::names::{LOOP, Names, TYPES};
use super::node::{Comprehension, Macro, Node, Operator};
use super::token::{Token, Tokens};
use super::value::Value;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};
use cel::parser::{ParseError, ParseErrors, PrattParser};

/// The longest expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4_096;

/// The most words and signs in an expression.
const TOKENS_MAX: usize = 1_000;

/// The most parentheses in an expression. The parser copies what stands before
/// and inside each, so that many are slow.
const PARENTHESES_MAX: usize = 100;

/// How deep the operations of an expression may be nested.
const NESTING_MAX: usize = 64;

/// What the source means, and what it reads.
///
/// # Errors
/// Says what is wrong, where, and what to write instead.
pub(crate) fn compile(source: &str, names: Names) -> Result<(Node, References), String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!(
            "has {} bytes, more than the {SOURCE_BYTES_MAX} allowed; compute it in a step",
            source.len()
        ));
    }
    let source = prepare(source, names)?;
    let tree = PrattParser::default()
        .max_recursion_depth(NESTING_MAX as u16)
        .parse(&source)
        .map_err(|errors| explain(&errors, &source))?;
    let mut compiler = Compiler { names, references: References::default(), variables: Vec::new() };
    let node = compiler.node(&tree, NESTING_MAX)?;
    Ok((node, compiler.references))
}

/// Holds the limits that keep the parser fast, and makes `loop` a name.
fn prepare(source: &str, names: Names) -> Result<String, String> {
    let mut prepared = source.to_owned();
    let (mut tokens, mut parentheses, mut after_dot) = (0, 0, false);
    for (token, range) in Tokens::new(source, 0) {
        tokens += 1;
        match token {
            Token::Sign(sign) if !sign.is_ascii() || sign.is_ascii_control() => {
                return Err(format!("has the character {sign:?} outside of quotes; remove it"));
            }
            Token::Sign('(') => parentheses += 1,
            Token::Word if !after_dot && &source[range.clone()] == "loop" => {
                prepared.replace_range(range.clone(), LOOP);
            }
            Token::Word if !after_dot && &source[range.clone()] == LOOP => {
                return Err(names.unknown(LOOP));
            }
            Token::Word | Token::Text | Token::Comment | Token::Sign(_) => {}
        }
        after_dot = token == Token::Sign('.');
    }
    match tokens {
        0 => Err("is empty; write an expression, for example params.name".to_owned()),
        _ if tokens > TOKENS_MAX => {
            Err(format!("has more than {TOKENS_MAX} words and signs; compute it in a step"))
        }
        _ if parentheses > PARENTHESES_MAX => {
            Err(format!("has more than {PARENTHESES_MAX} parentheses; compute it in a step"))
        }
        _ => Ok(prepared),
    }
}

/// The first mistake that the parser found.
fn explain(errors: &ParseErrors, source: &str) -> String {
    let is_too_deep = |error: &ParseError| error.msg.contains("recursion limit");
    if errors.errors.iter().any(is_too_deep) {
        return too_deep();
    }
    let located = errors.errors.iter().find(|error| error.pos.0 > 0);
    let Some(error) = located else { return "is not CEL; correct the expression".to_owned() };
    let message = match error.msg.trim_start_matches("Syntax error: ") {
        "argument must be a simple name" => "the element has no name".to_owned(),
        "invalid argument to has() macro" => "has(…) asks for a field".to_owned(),
        other => other.replace(LOOP, "loop").replace("<EOF>", "the end"),
    };
    let remedy = match message.as_str() {
        "the element has no name" => "name it first, as in list.map(x, x + 1)",
        "has(…) asks for a field" => "write it as in has(params.x)",
        _ => "correct the expression",
    };
    let place = if source.contains('\n') {
        format!("line {}, column {}", error.pos.0, error.pos.1)
    } else {
        format!("column {}", error.pos.1)
    };
    format!("is not CEL: {message} at {place}; {remedy}")
}

fn too_deep() -> String {
    format!("is nested deeper than {NESTING_MAX} operations; compute it in a step")
}

struct Compiler {
    names: Names,
    references: References,
    /// The variables of the comprehensions around the node.
    variables: Vec<String>,
}

impl Compiler {
    /// The node of `tree`, which may go `room` levels deeper.
    fn node(&mut self, tree: &IdedExpr, room: usize) -> Result<Node, String> {
        let room = room.checked_sub(1).ok_or_else(too_deep)?;
        match &tree.expr {
            Expr::Literal(literal) => Ok(Node::Constant(constant(literal))),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select, room),
            Expr::Call(call) => self.call(call, room),
            Expr::List(list) => Ok(Node::List(self.nodes(&list.elements, room)?)),
            Expr::Map(map) => {
                let entries = map.entries.iter().map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        Ok((self.node(&entry.key, room)?, self.node(&entry.value, room)?))
                    }
                    EntryExpr::StructField(field) => Err(no_messages(&field.field)),
                });
                Ok(Node::Map(entries.collect::<Result<_, _>>()?))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, room),
            Expr::Struct(message) => Err(no_messages(&message.type_name)),
            Expr::Unspecified => Err("is not CEL".to_owned()),
        }
    }

    fn nodes(&mut self, trees: &[IdedExpr], room: usize) -> Result<Vec<Node>, String> {
        trees.iter().map(|tree| self.node(tree, room)).collect()
    }

    fn pair(&mut self, trees: &[IdedExpr], room: usize) -> Result<Box<(Node, Node)>, String> {
        let [left, right] = trees else { return Err("is not CEL".to_owned()) };
        Ok(Box::new((self.node(left, room)?, self.node(right, room)?)))
    }

    fn is_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable == name)
    }

    /// A name that stands by itself.
    fn name(&mut self, name: &str) -> Result<Node, String> {
        if let Some(depth) = self.variables.iter().rposition(|variable| variable == name) {
            return Ok(Node::Variable(depth, name.to_owned()));
        }
        if let Some(document) = self.names.document(name) {
            return Ok(Node::Document(document));
        }
        match name {
            name if !self.names.are_of_run() => self.type_named(name),
            "params" => {
                self.references.reads_params = true;
                Ok(Node::Params)
            }
            "self" => {
                self.references.reads_own = true;
                Ok(Node::Own)
            }
            LOOP => {
                self.references.reads_loop = true;
                Ok(Node::Loop)
            }
            "run" => Err("run alone is nothing; write run.id".to_owned()),
            "signal" | "signals" | "trigger" => {
                let what = OfTrigger::named(name);
                self.references.of_trigger.insert(what);
                Ok(Node::OfTrigger(what))
            }
            "schedule" => Err("schedule alone is nothing; write schedule.at".to_owned()),
            "steps" => {
                Err("which step is read has to be plain; write steps.<id> or steps['<id>']"
                    .to_owned())
            }
            _ => self.type_named(name),
        }
    }

    fn type_named(&self, name: &str) -> Result<Node, String> {
        match TYPES.iter().find(|known| **known == name) {
            Some(name) => Ok(Node::Constant(Value::Type(name))),
            None => Err(self.names.unknown(name)),
        }
    }

    fn select(&mut self, select: &SelectExpr, room: usize) -> Result<Node, String> {
        let SelectExpr { operand, field, test } = select;
        if let Some(root) = self.root(operand) {
            return self.select_root(root, field, *test);
        }
        if let Some(id) = self.step_id(operand) {
            return self.select_step(id, field, *test);
        }
        let operand = Box::new(self.node(operand, room)?);
        match test {
            true => Ok(Node::HasField(operand, field.clone())),
            false => Ok(Node::Field(operand, field.clone())),
        }
    }

    /// The name that `tree` is, unless a comprehension hides it.
    fn root<'t>(&self, tree: &'t IdedExpr) -> Option<&'t str> {
        match &tree.expr {
            Expr::Ident(name) if !self.is_variable(name) => Some(name),
            _ => None,
        }
    }

    /// Whether `tree` is `steps`, of a run.
    fn is_steps(&self, tree: &IdedExpr) -> bool {
        self.names.are_of_run() && self.root(tree) == Some("steps")
    }

    /// `root.field`.
    fn select_root(&mut self, root: &str, field: &str, test: bool) -> Result<Node, String> {
        let node = match root {
            _ if !self.names.are_of_run() => self.name(root)?,
            "run" => {
                let fact = Fact::named(field)?;
                self.references.run.insert(field.to_owned());
                return Ok(if test { Node::HasFact(fact) } else { Node::Fact(fact) });
            }
            "schedule" => {
                let fact = ScheduleFact::named(field)?;
                self.references.reads_schedule = true;
                return Ok(if test { Node::HasSchedule(fact) } else { Node::Schedule(fact) });
            }
            "signal" | "trigger" if !test => {
                OfTrigger::named(root).check(field)?;
                self.name(root)?
            }
            "steps" => {
                self.references.steps.insert(field.to_owned());
                return Err(incomplete_step(field));
            }
            _ => match self.document(root, field) {
                Some(node) => node,
                None => self.name(root)?,
            },
        };
        match test {
            true => Ok(Node::HasField(Box::new(node), field.to_owned())),
            false => Ok(Node::Field(Box::new(node), field.to_owned())),
        }
    }

    /// `params`, `loop` or `self`, of which `field` is read.
    fn document(&mut self, root: &str, field: &str) -> Option<Node> {
        if !self.names.are_of_run() {
            return None;
        }
        let References { params, loop_variables, own, .. } = &mut self.references;
        let (names, node) = match root {
            "params" => (params, Node::Params),
            LOOP => (loop_variables, Node::Loop),
            "self" => (own, Node::Own),
            _ => return None,
        };
        names.insert(field.to_owned());
        Some(node)
    }

    /// `operand[index]`. With a field in quotes, it is known what is read.
    fn index(&mut self, operands: &[IdedExpr], room: usize) -> Result<Node, String> {
        if let [operand, index] = operands
            && let Some(root) = self.root(operand)
            && let Some(field) = text_literal(index)
            && let Some(document) = self.document(root, field)
        {
            return Ok(Node::Index(Box::new((document, self.node(index, room)?))));
        }
        Ok(Node::Index(self.pair(operands, room)?))
    }

    /// The step that `steps.x` and `steps['x']` name.
    fn step_id<'t>(&self, tree: &'t IdedExpr) -> Option<&'t str> {
        match &tree.expr {
            Expr::Select(select) if !select.test && self.is_steps(&select.operand) => {
                Some(&select.field)
            }
            Expr::Call(call) if call.func_name == operators::INDEX && call.target.is_none() => {
                match call.args.as_slice() {
                    [steps, id] if self.is_steps(steps) => text_literal(id),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn select_step(&mut self, id: &str, field: &str, test: bool) -> Result<Node, String> {
        self.references.steps.insert(id.to_owned());
        match (field, test) {
            ("output", false) => Ok(Node::Output(id.to_owned())),
            ("output", true) => Ok(Node::HasOutput(id.to_owned())),
            ("params", false) => Ok(Node::Given(id.to_owned())),
            ("params", true) => Ok(Node::HasGiven(id.to_owned())),
            ("status", false) => Ok(Node::Status(id.to_owned())),
            _ => Err(incomplete_step(id)),
        }
    }

    fn call(&mut self, call: &CallExpr, room: usize) -> Result<Node, String> {
        let name = call.func_name.as_str();
        if let Some(target) = &call.target {
            return self.method(target, name, &call.args, room);
        }
        if let Some(id) = self.bare_step(call) {
            return Err(incomplete_step(id));
        }
        if name == operators::SUBSTRACT
            && let Some(id) = call.args.first().and_then(|left| self.step_id(left))
        {
            return Err(format!(
                "a dash in the id of a step reads as minus; write steps['{id}-…']"
            ));
        }
        let operator = Operator::ALL.into_iter().find(|operator| operator.names().1 == name);
        if let Some(operator) = operator {
            return Ok(Node::Binary(operator, self.pair(&call.args, room)?));
        }
        match (name, call.args.as_slice()) {
            (operators::INDEX, operands) => self.index(operands, room),
            (operators::LOGICAL_AND, operands) => Ok(Node::And(self.pair(operands, room)?)),
            (operators::LOGICAL_OR, operands) => Ok(Node::Or(self.pair(operands, room)?)),
            (operators::LOGICAL_NOT, [operand]) => {
                Ok(Node::Not(Box::new(self.node(operand, room)?)))
            }
            (operators::NEGATE, [operand]) => Ok(Node::Negate(Box::new(self.node(operand, room)?))),
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                Ok(Node::Conditional(Box::new([
                    self.node(condition, room)?,
                    self.node(then, room)?,
                    self.node(otherwise, room)?,
                ])))
            }
            ("default", operands @ [_, _]) => Ok(Node::Default(self.pair(operands, room)?)),
            (_, arguments) => {
                let mut arguments = self.nodes(arguments, room)?;
                let function = function::resolve(name, false, &mut arguments)?;
                Ok(Node::Call(function, arguments))
            }
        }
    }

    /// `steps['x']` without anything after it.
    fn bare_step<'t>(&self, call: &'t CallExpr) -> Option<&'t str> {
        match call.args.as_slice() {
            [steps, id] if call.func_name == operators::INDEX => {
                self.is_steps(steps).then(|| text_literal(id)).flatten()
            }
            _ => None,
        }
    }

    fn method(
        &mut self,
        target: &IdedExpr,
        name: &str,
        arguments: &[IdedExpr],
        room: usize,
    ) -> Result<Node, String> {
        match (name, arguments) {
            ("bind", [variable, value, body]) if self.root(target) == Some("cel") => {
                return self.bind(variable, value, body, room);
            }
            ("sortBy", [variable, key]) => {
                let range = self.node(target, room)?;
                let key = self.within(variable, key, room)?;
                let kind = Macro::SortBy(key);
                return Ok(Node::Comprehension(Box::new(Comprehension { range, kind })));
            }
            _ => {}
        }
        if let Some(namespace) = self.root(target).filter(|root| function::is_namespace(root)) {
            let mut arguments = self.nodes(arguments, room)?;
            let function =
                function::resolve(&format!("{namespace}.{name}"), false, &mut arguments)?;
            return Ok(Node::Call(function, arguments));
        }
        let mut nodes = vec![self.node(target, room)?];
        nodes.extend(self.nodes(arguments, room)?);
        let function = function::resolve(name, true, &mut nodes)?;
        Ok(Node::Call(function, nodes))
    }

    /// `cel.bind(variable, value, body)`.
    fn bind(
        &mut self,
        variable: &IdedExpr,
        value: &IdedExpr,
        body: &IdedExpr,
        room: usize,
    ) -> Result<Node, String> {
        let value = self.node(value, room)?;
        Ok(Node::Bind(Box::new((value, self.within(variable, body, room)?))))
    }

    /// `tree`, in which `variable` is a name.
    fn within(
        &mut self,
        variable: &IdedExpr,
        tree: &IdedExpr,
        room: usize,
    ) -> Result<Node, String> {
        let Expr::Ident(name) = &variable.expr else {
            return Err("the variable has to be a name; write it as in x.sortBy(v, v.key) or \
                        cel.bind(v, value, v + v)"
                .to_owned());
        };
        self.variables.push(name.clone());
        let node = self.node(tree, room);
        self.variables.pop();
        node
    }

    fn comprehension(&mut self, tree: &ComprehensionExpr, room: usize) -> Result<Node, String> {
        let range = self.node(&tree.iter_range, room)?;
        self.variables.push(tree.iter_var.clone());
        let kind = self.macro_of(tree, room);
        self.variables.pop();
        Ok(Node::Comprehension(Box::new(Comprehension { range, kind: kind? })))
    }

    /// Which macro was expanded to `tree`: its step shows it.
    fn macro_of(&mut self, tree: &ComprehensionExpr, room: usize) -> Result<Macro, String> {
        let Expr::Call(step) = &tree.loop_step.expr else { return Err(unknown_macro()) };
        match (step.func_name.as_str(), step.args.as_slice()) {
            (operators::LOGICAL_AND, [_, test]) => Ok(Macro::All(self.node(test, room)?)),
            (operators::LOGICAL_OR, [_, test]) => Ok(Macro::Exists(self.node(test, room)?)),
            (operators::ADD, _) => {
                let element = self.node(kept(step)?, room)?;
                Ok(Macro::Collect { condition: None, element })
            }
            (operators::CONDITIONAL, [test, then, _]) => {
                let test = self.node(test, room)?;
                let Expr::Call(then) = &then.expr else { return Err(unknown_macro()) };
                if matches!(tree.accu_init.expr, Expr::Literal(LiteralValue::Int(_))) {
                    return Ok(Macro::ExistsOne(test));
                }
                let element = self.node(kept(then)?, room)?;
                Ok(Macro::Collect { condition: Some(test), element })
            }
            _ => Err(unknown_macro()),
        }
    }
}

/// The element in `@result + [element]`.
fn kept(step: &CallExpr) -> Result<&IdedExpr, String> {
    if let [_, added] = step.args.as_slice()
        && let Expr::List(list) = &added.expr
        && let [element] = list.elements.as_slice()
    {
        return Ok(element);
    }
    Err(unknown_macro())
}

fn unknown_macro() -> String {
    "has a macro that this version does not know".to_owned()
}

fn incomplete_step(id: &str) -> String {
    let is_name = id.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    let step = if is_name { format!("steps.{id}") } else { format!("steps['{id}']") };
    format!(
        "a step has an output, a status and params; write {step}.output, {step}.status or \
         {step}.params"
    )
}

fn no_messages(name: &str) -> String {
    format!("there is no message type {name}; write a map, as in {{'key': value}}")
}
