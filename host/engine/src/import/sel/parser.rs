//! From words and signs to a tree, by the grammar of SEL.

use super::ast::{Expr, Stmt};
use super::lexer::Token;

/// How deep a program may be nested.
const NESTING_MAX: usize = 60;

/// Operators by how loosely they bind.
const LEVELS: [&[&str]; 6] =
    [&["||"], &["&&"], &["==", "!="], &["<", ">", "<=", ">="], &["+", "-"], &["*", "/", "%"]];

type Parsed<T> = Result<T, String>;

/// The statements of a program.
///
/// # Errors
/// What is no SEL in it.
pub(super) fn parse(tokens: Vec<Token>) -> Parsed<Vec<Stmt>> {
    let mut parser = Parser { tokens, place: 0, depth: 0 };
    let mut statements = Vec::new();
    while parser.peek().is_some() {
        parser.statement(&mut statements)?;
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<Token>,
    place: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place)
    }

    fn at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.place + ahead)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.place).cloned();
        self.place += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.place += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.place += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(format!("lacks a {sign:?} before {}; correct it", self.shown()))
    }

    fn word(&mut self) -> Parsed<String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => {
                self.place -= 1;
                Err(format!("has {} where a name belongs; correct it", self.shown()))
            }
        }
    }

    fn shown(&self) -> String {
        match self.peek() {
            None => "its end".to_owned(),
            Some(Token::Int(value)) => value.to_string(),
            Some(Token::Double(value)) => value.to_string(),
            Some(Token::Text(text)) => format!("{text:?}"),
            Some(Token::Word(word)) => format!("{word:?}"),
            Some(Token::Sign(sign)) => format!("{sign:?}"),
        }
    }

    /// Goes one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err("is nested too deep; compute it in a step".to_owned());
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn statement(&mut self, out: &mut Vec<Stmt>) -> Parsed<()> {
        if self.takes(";") {
            return Ok(());
        }
        if self.takes("{") {
            let block = self.deeper(Self::block)?;
            out.push(Stmt::Block(block));
            return Ok(());
        }
        let word = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "import" => {
                while self.next().is_some_and(|token| token != Token::Sign(";")) {}
                Ok(())
            }
            "if" => self.condition(out),
            "return" => {
                self.place += 1;
                let value = match self.peek() {
                    None | Some(Token::Sign(";" | "}")) => Expr::Null,
                    _ => self.expression()?,
                };
                out.push(Stmt::Return(value));
                self.end()
            }
            "for" | "while" => self.refuse("a loop", out),
            "throw" => self.refuse("throw", out),
            "break" | "continue" => self.refuse("a jump", out),
            _ => self.declaration_or_value(out),
        }
    }

    /// Statements up to a closing brace.
    fn block(&mut self) -> Parsed<Vec<Stmt>> {
        let mut block = Vec::new();
        while !self.takes("}") {
            if self.peek().is_none() {
                return Err("lacks a \"}\"; correct it".to_owned());
            }
            self.statement(&mut block)?;
        }
        Ok(block)
    }

    /// Keeps what follows a word that has no equal out of the tree.
    fn refuse(&mut self, what: &'static str, out: &mut Vec<Stmt>) -> Parsed<()> {
        out.push(Stmt::Refused(what));
        if what == "throw" {
            self.place += 1;
            self.expression()?;
            return self.end();
        }
        self.place = self.tokens.len();
        Ok(())
    }

    /// The `;` of a statement, which may be missing after the last.
    fn end(&mut self) -> Parsed<()> {
        match self.peek() {
            None | Some(Token::Sign("}")) => Ok(()),
            _ => self.expect(";"),
        }
    }

    fn condition(&mut self, out: &mut Vec<Stmt>) -> Parsed<()> {
        self.place += 1;
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        let then = self.deeper(Self::one)?;
        let otherwise = match self.takes_word("else") {
            true => Some(Box::new(self.deeper(Self::one)?)),
            false => None,
        };
        out.push(Stmt::If(condition, Box::new(then), otherwise));
        Ok(())
    }

    fn one(&mut self) -> Parsed<Stmt> {
        let mut statements = Vec::new();
        self.statement(&mut statements)?;
        Ok(match <[Stmt; 1]>::try_from(statements) {
            Ok([only]) => only,
            Err(several) => Stmt::Block(several),
        })
    }

    fn declaration_or_value(&mut self, out: &mut Vec<Stmt>) -> Parsed<()> {
        let array = |ahead| {
            self.at(ahead) == Some(&Token::Sign("["))
                && self.at(ahead + 1) == Some(&Token::Sign("]"))
        };
        let is_word = |ahead| matches!(self.at(ahead), Some(Token::Word(_)));
        let type_tokens = match is_word(0) {
            true if is_word(1) && self.at(0) != Some(&Token::Word("new".to_owned())) => 1,
            true if array(1) && is_word(3) => 3,
            _ => 0,
        };
        if type_tokens > 0 {
            self.place += type_tokens;
            loop {
                let name = self.word()?;
                let value = if self.takes("=") { self.expression()? } else { Expr::Null };
                out.push(Stmt::Assign(name, value));
                if !self.takes(",") {
                    return self.end();
                }
            }
        }
        if let (Some(Token::Word(name)), Some(Token::Sign(sign))) = (self.at(0), self.at(1))
            && let Some(operator) = assignment(sign)
        {
            let name = name.clone();
            self.place += 2;
            let mut value = self.expression()?;
            if operator != "=" {
                let before = Box::new(Expr::Name(name.clone()));
                value = Expr::Binary(operator, before, Box::new(value));
            }
            out.push(Stmt::Assign(name, value));
            return self.end();
        }
        let value = self.expression()?;
        if self.takes("=") {
            out.push(Stmt::Refused("assignment to a part of a value"));
            self.expression()?;
            return self.end();
        }
        out.push(Stmt::Value(value));
        self.end()
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            let condition = parser.binary(0)?;
            if !parser.takes("?") {
                return Ok(condition);
            }
            let then = parser.expression()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            Ok(Expr::Ternary(Box::new(condition), Box::new(then), Box::new(otherwise)))
        })
    }

    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.takes(operator)) {
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        for (sign, operator) in [("-", '-'), ("+", '+'), ("!", '!')] {
            if self.takes(sign) {
                let operand = self.deeper(Self::unary)?;
                return Ok(match (operator, operand) {
                    ('-', Expr::Int(value)) => Expr::Int(value.wrapping_neg()),
                    ('-', Expr::Double(value)) => Expr::Double(-value),
                    (operator, operand) => Expr::Unary(operator, Box::new(operand)),
                });
            }
        }
        let mut value = self.primary()?;
        loop {
            if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                value = Expr::Index(Box::new(value), Box::new(index));
            } else if self.takes(".") {
                let name = self.word()?;
                value = match self.takes("(") {
                    true => Expr::Call(Box::new(value), name, self.list(")")?),
                    false => Expr::Field(Box::new(value), name),
                };
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        if self.takes("(") {
            let value = self.expression()?;
            self.expect(")")?;
            return Ok(value);
        }
        let shown = self.shown();
        match self.next() {
            Some(Token::Int(value)) => Ok(Expr::Int(value)),
            Some(Token::Double(value)) => Ok(Expr::Double(value)),
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Ok(Expr::Bool(true)),
                "false" => Ok(Expr::Bool(false)),
                "null" => Ok(Expr::Null),
                "new" => self.allocation(),
                _ => Ok(Expr::Name(word)),
            },
            _ => Err(format!("has {shown} where a value belongs; correct it")),
        }
    }

    fn allocation(&mut self) -> Parsed<Expr> {
        let class = self.word()?;
        if self.takes("(") {
            return Ok(Expr::New(class, self.list(")")?));
        }
        self.expect("[")?;
        if !self.takes("]") {
            return Err("makes an array to fill it later; write its elements in {…}".to_owned());
        }
        self.expect("{")?;
        Ok(Expr::Array(self.list("}")?))
    }

    /// Expressions up to a closing sign.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut elements = Vec::new();
        while !self.takes(close) {
            elements.push(self.expression()?);
            if !self.takes(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(elements)
    }
}

/// The operator of an assignment.
fn assignment(sign: &str) -> Option<&'static str> {
    match sign {
        "=" => Some("="),
        "+=" => Some("+"),
        "-=" => Some("-"),
        "*=" => Some("*"),
        "/=" => Some("/"),
        "%=" => Some("%"),
        _ => None,
    }
}
