//! Reads one comparison: a field, an operator, and what it is compared with.

use super::data::{DataOrder, DataTest};
use super::error::Fault;
use super::expr::{Expr, TimeField};
use super::field::Field;
use super::lexer::{Kind, Symbol};
use super::parser::Parser;

impl Parser<'_> {
    pub(super) fn comparison(&mut self) -> Result<Expr, Fault> {
        let field = self.field()?;
        let negated = self.eat(&Kind::Not)?;
        let expr = match self.token.kind {
            Kind::Exists => {
                self.count_leaf()?;
                self.advance()?;
                field.exists()
            }
            Kind::In => {
                self.advance()?;
                self.list(&field)?
            }
            _ if negated => return Err(self.expected("`in` or `exists` after `not`")),
            Kind::Symbol(symbol) => {
                if !field.takes(symbol) {
                    return Err(self.fault(format!(
                        "`{field}` cannot be compared with `{}`: use {}",
                        self.written(),
                        field.operators()
                    )));
                }
                let operator = self.written();
                self.advance()?;
                self.compared(&field, symbol, &operator)?
            }
            _ => {
                let operators = field.operators();
                return Err(self.expected(&format!("an operator ({operators}) after `{field}`")));
            }
        };
        Ok(if negated { expr.negate() } else { expr })
    }

    /// Reads the list of `in`.
    fn list(&mut self, field: &Field) -> Result<Expr, Fault> {
        if !self.eat(&Kind::Open)? {
            return Err(self.expected("a list, as in (\"a\", \"b\"),"));
        }
        let mut members = Vec::new();
        loop {
            members.push(self.compared(field, Symbol::Is, "in")?);
            if self.eat(&Kind::Comma)? {
                continue;
            }
            if self.eat(&Kind::Close)? {
                return Ok(Expr::or(members));
            }
            return Err(self.expected("`,` or `)`"));
        }
    }

    /// Reads the value at the token, which the field is compared with.
    fn compared(&mut self, field: &Field, symbol: Symbol, operator: &str) -> Result<Expr, Fault> {
        self.count_leaf()?;
        if !matches!(self.token.kind, Kind::Word(_) | Kind::Text(_)) {
            return Err(self.no_value(operator));
        }
        let expr = match field {
            Field::Term(term) => {
                let text = self.text_for(term)?;
                match symbol {
                    Symbol::StartsWith => Expr::starts_with(term.clone(), text),
                    _ => Expr::is(term.clone(), text),
                }
            }
            Field::Time(time) => time_compared(*time, symbol, self.nanos_for(field)?),
            Field::Sequence => sequence_compared(symbol, self.sequence_number()?),
            Field::Data(path) => {
                Expr::data(path.clone(), self.data_test(&field.to_string(), symbol)?)
            }
        };
        self.advance()?;
        Ok(match symbol {
            Symbol::IsNot => expr.negate(),
            _ => expr,
        })
    }

    fn no_value(&self, operator: &str) -> Fault {
        match self.token.kind {
            Kind::And | Kind::Or | Kind::Not | Kind::In | Kind::Exists => self.fault(format!(
                "a value is expected after `{operator}`, and `{}` is a word of the language: \
                 put it in quotes to compare with it",
                self.written()
            )),
            _ => self.expected(&format!("a value after `{operator}`")),
        }
    }

    fn data_test(&self, field: &str, symbol: Symbol) -> Result<DataTest, Fault> {
        let order = match symbol {
            Symbol::Is | Symbol::IsNot => return self.data_value(field).map(DataTest::Is),
            Symbol::StartsWith => return self.data_prefix(field).map(DataTest::StartsWith),
            Symbol::Less => DataOrder::Less,
            Symbol::LessOrEqual => DataOrder::LessOrEqual,
            Symbol::Greater => DataOrder::Greater,
            Symbol::GreaterOrEqual => DataOrder::GreaterOrEqual,
        };
        let value = self.ordered_data_value(field)?;
        Ok(DataTest::Ordered(order, value))
    }
}

impl Field {
    fn exists(self) -> Expr {
        match self {
            Self::Term(term) => Expr::exists(term),
            Self::Time(_) | Self::Sequence => Expr::All,
            Self::Data(path) => Expr::data(path, DataTest::Exists),
        }
    }
}

fn time_compared(field: TimeField, symbol: Symbol, nanos: i64) -> Expr {
    match symbol {
        Symbol::Is | Symbol::IsNot | Symbol::StartsWith => {
            Expr::time(field, Some(nanos), Some(nanos))
        }
        Symbol::Less => Expr::time_before(field, nanos),
        Symbol::LessOrEqual => Expr::time_until(field, nanos),
        Symbol::Greater => Expr::time_after(field, nanos),
        Symbol::GreaterOrEqual => Expr::time_from(field, nanos),
    }
}

const fn sequence_compared(symbol: Symbol, number: u64) -> Expr {
    match symbol {
        Symbol::Is | Symbol::IsNot | Symbol::StartsWith => Expr::sequence(number, number),
        Symbol::Less => Expr::sequence_before(number),
        Symbol::LessOrEqual => Expr::sequence(0, number),
        Symbol::Greater => Expr::sequence_after(number),
        Symbol::GreaterOrEqual => Expr::sequence(number, u64::MAX),
    }
}
