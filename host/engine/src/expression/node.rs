//! An expression, checked and with its names resolved: what the evaluation
//! walks over.

use super::fact::{Fact, OfTrigger, ScheduleFact};
use super::function::Body;
use super::pattern::Pattern;
use super::value::Value;

/// One operation of an expression.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(Value<'static>),
    /// `params`.
    Params,
    /// `loop`.
    Loop,
    /// `self`.
    Own,
    /// A document by its name.
    Document(&'static str),
    /// `run.<fact>`.
    Fact(Fact),
    /// `has(run.<fact>)`.
    HasFact(Fact),
    /// `schedule.<fact>`.
    Schedule(ScheduleFact),
    /// `has(schedule.<fact>)`.
    HasSchedule(ScheduleFact),
    /// `signal`, `signals` or `trigger`.
    OfTrigger(OfTrigger),
    /// `steps.<id>.output`.
    Output(String),
    /// `has(steps.<id>.output)`.
    HasOutput(String),
    /// `steps.<id>.params`.
    Given(String),
    /// `has(steps.<id>.params)`.
    HasGiven(String),
    /// `steps.<id>.status`.
    Status(String),
    /// The variable of the comprehension at this depth, and its name.
    Variable(usize, String),
    /// `operand.field`.
    Field(Box<Node>, String),
    /// `has(operand.field)`.
    HasField(Box<Node>, String),
    /// `operand[index]`.
    Index(Box<(Node, Node)>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<(Node, Node)>),
    Or(Box<(Node, Node)>),
    /// `condition ? then : otherwise`.
    Conditional(Box<[Node; 3]>),
    /// `default(operand, otherwise)`.
    Default(Box<(Node, Node)>),
    /// `cel.bind(x, value, body)`: the value and the body.
    Bind(Box<(Node, Node)>),
    Binary(Operator, Box<(Node, Node)>),
    Call(Function, Vec<Node>),
    Comprehension(Box<Comprehension>),
}

/// An operator with two operands that are always both evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    /// The operator as an author writes it, and as the `cel` crate calls it.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        use cel::common::ast::operators;
        match self {
            Self::Add => ("+", operators::ADD),
            Self::Subtract => ("-", operators::SUBSTRACT),
            Self::Multiply => ("*", operators::MULTIPLY),
            Self::Divide => ("/", operators::DIVIDE),
            Self::Remainder => ("%", operators::MODULO),
            Self::Equal => ("==", operators::EQUALS),
            Self::NotEqual => ("!=", operators::NOT_EQUALS),
            Self::Less => ("<", operators::LESS),
            Self::LessOrEqual => ("<=", operators::LESS_EQUALS),
            Self::Greater => (">", operators::GREATER),
            Self::GreaterOrEqual => (">=", operators::GREATER_EQUALS),
            Self::In => ("in", operators::IN),
        }
    }

    /// Every operator.
    pub(crate) const ALL: [Self; 12] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Remainder,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::In,
    ];
}

/// A function, with its arguments checked for number.
#[derive(Clone, Debug)]
pub(crate) enum Function {
    Size,
    Type,
    /// `dyn(x)` is `x`.
    Identity,
    Contains,
    StartsWith,
    EndsWith,
    /// `text.matches('…')`.
    Matches(Box<Pattern>),
    /// A function of ours: its name, whether it is called on its first argument,
    /// and what it does.
    Native(&'static str, bool, Body),
    /// A function of the library: its name and whether it is called on its
    /// first argument.
    Library(&'static str, bool),
}

/// A macro over a list, or over the keys of a map.
#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) range: Node,
    pub(crate) kind: Macro,
}

/// What a macro does with each element.
#[derive(Debug)]
pub(crate) enum Macro {
    All(Node),
    Exists(Node),
    ExistsOne(Node),
    /// `map` and `filter`: what is kept of an element, if the condition holds.
    Collect {
        condition: Option<Node>,
        element: Node,
    },
    /// `sortBy`: what the elements are sorted by.
    SortBy(Node),
}
