//! A program with a look at each value that it makes.
//!
//! Steps do not bound memory: a text doubles in one step. So whatever makes a value that can be
//! larger than those it is made of (arithmetic, texts with values in them, arrays, objects) is
//! followed by a look at its size. None of these is a path, so the program means the same.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

/// The function that looks at a value. No program can name it.
pub(super) const LOOK: &str = "!look";
/// The function that multiplies, and looks at both factors first: one of them may repeat a text.
pub(super) const TIMES: &str = "!times";
/// The variable that an assignment such as `+=` becomes.
const OPERAND: &str = "$!operand";

/// The same program with looks in it.
pub(super) fn with_looks(term: Term<&str>) -> Term<&str> {
    match term {
        Term::Str(format, parts) => {
            let has_values = parts.iter().any(|part| matches!(part, StrPart::Term(_)));
            let text = Term::Str(format, parts.into_iter().map(part_with_looks).collect());
            if has_values || format.is_some() {
                look(text)
            } else {
                text
            }
        }
        Term::Arr(Some(elements)) => look(Term::Arr(Some(boxed(*elements)))),
        Term::Obj(fields) => look(Term::Obj(
            fields.into_iter().map(field_with_looks).collect(),
        )),
        Term::Neg(inner) => Term::Neg(boxed(*inner)),
        Term::BinOp(left, operator, right) => operation(*left, operator, *right),
        Term::Label(name, inner) => Term::Label(name, boxed(*inner)),
        Term::Fold(name, over, pattern, parts) => Term::Fold(
            name,
            boxed(*over),
            pattern_with_looks(pattern),
            parts.into_iter().map(with_looks).collect(),
        ),
        Term::TryCatch(inner, catch) => {
            Term::TryCatch(boxed(*inner), catch.map(|catch| boxed(*catch)))
        }
        Term::IfThenElse(cases, otherwise) => Term::IfThenElse(
            cases
                .into_iter()
                .map(|(case, then)| (with_looks(case), with_looks(then)))
                .collect(),
            otherwise.map(|otherwise| boxed(*otherwise)),
        ),
        Term::Def(definitions, inner) => Term::Def(
            definitions.into_iter().map(definition_with_looks).collect(),
            boxed(*inner),
        ),
        Term::Call(name, arguments) => {
            Term::Call(name, arguments.into_iter().map(with_looks).collect())
        }
        Term::Path(inner, Path(parts)) => Term::Path(
            boxed(*inner),
            Path(
                parts
                    .into_iter()
                    .map(|(part, option)| (place_with_looks(part), option))
                    .collect(),
            ),
        ),
        other @ (Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Arr(None)
        | Term::Break(_)
        | Term::Var(_)) => other,
    }
}

/// The same definition with looks in it: jaq's own make values as those of a program do.
pub(super) fn definition_with_looks(definition: Def<&str>) -> Def<&str> {
    Def {
        body: with_looks(definition.body),
        ..definition
    }
}

fn boxed(term: Term<&str>) -> Box<Term<&str>> {
    Box::new(with_looks(term))
}

/// `term | look`.
fn look(term: Term<&str>) -> Term<&str> {
    let look = Term::Call(LOOK, Vec::new());
    Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(look))
}

fn operation<'s>(
    left: Term<&'s str>,
    operator: BinaryOp<&'s str>,
    right: Term<&'s str>,
) -> Term<&'s str> {
    let (left, right) = (with_looks(left), with_looks(right));
    match operator {
        BinaryOp::Math(math) => arithmetic(left, math, right),
        // `left += right` is `right as $x | left |= . + $x`.
        BinaryOp::UpdateMath(math) => {
            let sum = arithmetic(Term::Id, math, Term::Var(OPERAND));
            let update = Term::BinOp(Box::new(left), BinaryOp::Update, Box::new(sum));
            let bind = BinaryOp::Pipe(Some(Pattern::Var(OPERAND)));
            Term::BinOp(Box::new(right), bind, Box::new(update))
        }
        BinaryOp::Pipe(pattern) => {
            let bind = BinaryOp::Pipe(pattern.map(pattern_with_looks));
            Term::BinOp(Box::new(left), bind, Box::new(right))
        }
        operator => Term::BinOp(Box::new(left), operator, Box::new(right)),
    }
}

fn arithmetic<'s>(left: Term<&'s str>, math: Math, right: Term<&'s str>) -> Term<&'s str> {
    look(match math {
        Math::Mul => Term::Call(TIMES, vec![left, right]),
        _ => Term::BinOp(Box::new(left), BinaryOp::Math(math), Box::new(right)),
    })
}

fn part_with_looks<'s>(part: StrPart<&'s str, Term<&'s str>>) -> StrPart<&'s str, Term<&'s str>> {
    match part {
        StrPart::Term(term) => StrPart::Term(with_looks(term)),
        other => other,
    }
}

fn field_with_looks<'s>(
    (name, value): (Term<&'s str>, Option<Term<&'s str>>),
) -> (Term<&'s str>, Option<Term<&'s str>>) {
    match value {
        Some(value) => (with_looks(name), Some(with_looks(value))),
        // The name stands for its value too, and must stay what it is.
        None => (name, None),
    }
}

fn pattern_with_looks(pattern: Pattern<&str>) -> Pattern<&str> {
    match pattern {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(parts) => Pattern::Arr(parts.into_iter().map(pattern_with_looks).collect()),
        Pattern::Obj(fields) => Pattern::Obj(
            fields
                .into_iter()
                .map(|(name, part)| (with_looks(name), pattern_with_looks(part)))
                .collect(),
        ),
    }
}

fn place_with_looks(part: Part<Term<&str>>) -> Part<Term<&str>> {
    match part {
        Part::Index(place) => Part::Index(with_looks(place)),
        Part::Range(from, to) => Part::Range(from.map(with_looks), to.map(with_looks)),
    }
}
