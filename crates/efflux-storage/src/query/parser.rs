//! Reads the frame of a query: `and`, `or`, `not` and parentheses.

use std::mem;

use super::error::{Fault, shortened};
use super::expr::Expr;
use super::lexer::{Kind, Lexer, Token};
use super::limits::{QUERY_LEAVES_MAX, QUERY_NESTING_MAX};

/// A recursive descent over the tokens. It recurses at parentheses alone, to a bound.
pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The first token that was not used yet.
    pub(super) token: Token<'a>,
    depth: usize,
    leaves: usize,
}

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    let mut lexer = Lexer::new(text);
    let token = lexer.token()?;
    let mut parser = Parser {
        lexer,
        token,
        depth: 0,
        leaves: 0,
    };
    if parser.token.kind == Kind::End {
        return Ok(Expr::All);
    }
    let expr = parser.alternatives()?;
    match parser.token.kind {
        Kind::End => Ok(expr),
        Kind::Close => Err(parser.fault("this `)` closes nothing: leave it out or open it")),
        _ => Err(parser.expected("`and`, `or` or the end of the query")),
    }
}

impl<'a> Parser<'a> {
    /// Uses the token and reads the next.
    pub(super) fn advance(&mut self) -> Result<Token<'a>, Fault> {
        let next = self.lexer.token()?;
        Ok(mem::replace(&mut self.token, next))
    }

    /// Uses the token if it is of this kind.
    pub(super) fn eat(&mut self, kind: &Kind<'_>) -> Result<bool, Fault> {
        if self.token.kind == *kind {
            self.advance()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// The token as it was written, short enough for a message.
    pub(super) fn written(&self) -> String {
        shortened(self.lexer.written(&self.token))
    }

    /// Something is wrong at the token.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.token.at, message)
    }

    /// Something else should stand where the token stands.
    pub(super) fn expected(&self, what: &str) -> Fault {
        match self.token.kind {
            Kind::End => self.fault(format!("the query ends where {what} is expected")),
            _ => self.fault(format!("{what} is expected here, not `{}`", self.written())),
        }
    }

    /// Counts a comparison, or a member of a list, that stands at the token.
    pub(super) fn count_leaf(&mut self) -> Result<(), Fault> {
        self.leaves += 1;
        if self.leaves > QUERY_LEAVES_MAX {
            let message =
                format!("a query has at most {QUERY_LEAVES_MAX} comparisons: split it in several");
            return Err(self.fault(message));
        }
        Ok(())
    }

    fn alternatives(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.conjunction()?];
        while self.eat(&Kind::Or)? {
            parts.push(self.conjunction()?);
        }
        Ok(Expr::or(parts))
    }

    fn conjunction(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.negation()?];
        while self.eat(&Kind::And)? {
            parts.push(self.negation()?);
        }
        Ok(Expr::and(parts))
    }

    fn negation(&mut self) -> Result<Expr, Fault> {
        let mut negated = false;
        while self.eat(&Kind::Not)? {
            negated = !negated;
        }
        let expr = self.primary()?;
        Ok(if negated { expr.negate() } else { expr })
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        if let Kind::Word(word) = self.token.kind {
            for (constant, expr) in [("true", Expr::All), ("false", Expr::Never)] {
                if word.eq_ignore_ascii_case(constant) {
                    self.count_leaf()?;
                    self.advance()?;
                    return Ok(expr);
                }
            }
        }
        if self.token.kind == Kind::Open {
            return self.parenthesis();
        }
        self.comparison()
    }

    fn parenthesis(&mut self) -> Result<Expr, Fault> {
        if self.depth == QUERY_NESTING_MAX {
            return Err(self.fault(format!(
                "parentheses nest at most {QUERY_NESTING_MAX} levels deep: leave out some"
            )));
        }
        let open = self.advance()?.at;
        self.depth += 1;
        let expr = self.alternatives()?;
        self.depth -= 1;
        match self.token.kind {
            Kind::Close => {
                self.advance()?;
                Ok(expr)
            }
            Kind::End => {
                let message = "this `(` is not closed: add a `)`";
                Err(Fault::new(open, message))
            }
            _ => Err(self.expected("`and`, `or` or `)`")),
        }
    }
}
