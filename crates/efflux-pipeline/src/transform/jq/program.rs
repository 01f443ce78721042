//! A compiled program.

use std::fmt;
use std::thread;

use jaq_core::compile::Compiler;
use jaq_core::load::lex::Lexer;
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Ctx, Error, ValX, Vars};
use jaq_json::Val;

use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::jq::bounds::{definition_with_looks, with_looks};
use crate::transform::jq::run::{Exceeded, Kind, Run};
use crate::transform::jq::{JqError, JqSettings, natives, value};
use crate::transform::limits::{
    JQ_BYTES_MAX, JQ_DEEP_STACK_BYTES, JQ_MADE_BYTES_MAX, JQ_OUTPUTS_MAX, JQ_STACK_BYTES,
    JSON_DEPTH_MAX,
};

/// The name under which a program is compiled: it is a definition that the true program calls.
const MAIN: &str = "efflux_main";
/// The variable with the metadata.
const META: &str = "$meta";

/// A compiled program, and its bounds.
pub(super) struct Program {
    filter: jaq_core::Filter<Kind>,
    text: String,
    steps_max: u64,
    reads_metadata: bool,
}

impl Program {
    /// Compiles, on a thread with a deep stack: the parser calls itself for each bracket.
    pub(super) fn compile(settings: &JqSettings) -> Result<Self, JqError> {
        let text = &settings.program;
        let fault = |at, what: String| JqError { at, what };
        if text.len() > JQ_BYTES_MAX {
            return Err(fault(0, format!("it has more than {JQ_BYTES_MAX} bytes")));
        }
        let filter = on_deep_stack(|| compile(text)).unwrap_or_else(|what| Err(fault(0, what)))?;
        Ok(Self {
            filter,
            text: text.clone(),
            steps_max: settings.steps_max,
            reads_metadata: text.contains(META),
        })
    }

    /// The outputs as JSON, in order, of at most `bytes_max` bytes each.
    pub(super) fn outputs(
        &self,
        parcel: &Parcel,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, StageError> {
        self.of(parcel, |outputs| {
            let mut made = Vec::new();
            let mut bytes_left = bytes_max;
            for output in outputs {
                let output = checked(output)?;
                let json = value::write(&output, bytes_left)?;
                bytes_left = bytes_left.saturating_sub(json.len());
                made.push(json);
                if made.len() > JQ_OUTPUTS_MAX {
                    return Err(format!("there are more than {JQ_OUTPUTS_MAX} outputs"));
                }
            }
            Ok(made)
        })
    }

    /// Whether the first output is neither `false` nor `null`.
    pub(super) fn is_true(&self, parcel: &Parcel) -> Result<bool, StageError> {
        self.of(parcel, |outputs| match outputs.next() {
            None => Ok(false),
            Some(output) => Ok(!matches!(checked(output)?, Val::Null | Val::Bool(false))),
        })
    }

    /// Runs the program on a message, first on the stack that is there, then, if that is too small,
    /// on a deep one.
    fn of<T: Send>(
        &self,
        parcel: &Parcel,
        take: impl Fn(&mut dyn Iterator<Item = ValX<'_, Val>>) -> Result<T, String> + Sync,
    ) -> Result<T, StageError> {
        let content = parcel.content()?;
        let run = |stack_bytes| -> Result<Result<T, StageError>, Exceeded> {
            let input = match value::read(&content) {
                Ok(input) => input,
                Err(error) => return Ok(Err(error)),
            };
            let metadata = match self.reads_metadata {
                true => value::metadata(parcel),
                false => Val::Null,
            };
            Run::within(&self.filter.lut, self.steps_max, stack_bytes, |run| {
                let context = Ctx::<Kind>::new(run, Vars::new([metadata]));
                let mut outputs = self.filter.id.run((context, input));
                take(&mut outputs)
                    .map_err(|what| StageError::rejected(format!("the program: {what}")))
            })
        };
        let mut done = run(JQ_STACK_BYTES);
        if matches!(done, Err(Exceeded::Stack)) {
            done =
                on_deep_stack(|| run(JQ_DEEP_STACK_BYTES / 2)).map_err(StageError::unavailable)?;
        }
        done.unwrap_or_else(|exceeded| Err(self.exceeded(exceeded)))
    }

    fn exceeded(&self, exceeded: Exceeded) -> StageError {
        StageError::rejected(match exceeded {
            Exceeded::Steps => format!("the program takes more than {} steps", self.steps_max),
            Exceeded::Stack => "the program calls itself too deeply".to_owned(),
            Exceeded::Value => "the program makes a value that is too large or too deep".to_owned(),
            Exceeded::Memory => {
                format!("the program keeps more than {JQ_MADE_BYTES_MAX} bytes of text")
            }
        })
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}

fn checked(output: ValX<'_, Val>) -> Result<Val, String> {
    output.map_err(|exception| match exception.get_err() {
        Ok(error) => message(error),
        Err(_) => "it ends itself, or breaks out of nothing".to_owned(),
    })
}

/// What an error says: the text of `error("…")` itself, anything else as jaq tells it.
fn message(error: Error<Val>) -> String {
    let told = match error.into_val() {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => value::write(&other, 1024).map_or_else(
            |_| "an error".to_owned(),
            |json| String::from_utf8_lossy(&json).into_owned(),
        ),
    };
    told.chars().take(1024).collect()
}

fn compile(text: &str) -> Result<jaq_core::Filter<Kind>, JqError> {
    if !value::is_flat(text.as_bytes()) {
        let what = format!("it has brackets more than {JSON_DEPTH_MAX} deep");
        return Err(JqError { at: 0, what });
    }
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: with_looks(parse(text)?),
    };
    let built_in = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .map(as_short_lived)
        .map(definition_with_looks);
    let arena = Arena::default();
    let modules = Loader::new(built_in.chain([main]))
        .load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        )
        .map_err(|_| fault(text, text, "it cannot be loaded".to_owned()))?;
    Compiler::default()
        .with_global_vars([META])
        .with_funs(natives::all())
        .compile(modules)
        .map_err(|faults| {
            let first = faults.into_iter().flat_map(|(_, faults)| faults).next();
            first.map_or_else(
                || fault(text, text, "it does not compile".to_owned()),
                |(name, kind)| {
                    fault(
                        text,
                        name,
                        format!("{} {name} is not defined", kind.as_str()),
                    )
                },
            )
        })
}

/// A definition of jaq's beside one of this program.
fn as_short_lived<'s>(definition: Def<&'static str>) -> Def<&'s str> {
    definition
}

fn parse(text: &str) -> Result<Term<&str>, JqError> {
    let tokens = Lexer::new(text).lex().map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(
            || fault(text, text, "it has no tokens".to_owned()),
            |(expected, at)| fault(text, at, format!("{} is missing", expected.as_str())),
        )
    })?;
    Parser::new(&tokens).parse(Parser::term).map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(
            || fault(text, text, "it is no program".to_owned()),
            |(expected, found)| {
                let at = found.map_or("", |token| token.0);
                let what = format!("{} is expected", expected.as_str());
                match at {
                    "" => JqError {
                        at: text.len(),
                        what,
                    },
                    at => fault(text, at, what),
                }
            },
        )
    })
}

/// A fault at a part of the program.
fn fault(text: &str, part: &str, what: String) -> JqError {
    let at = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    JqError {
        // A part that is none of the program's belongs to what is built in.
        at: if at <= text.len() { at } else { 0 },
        what,
    }
}

/// Runs `work` on a thread with a deep stack.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("efflux-jq".to_owned())
            .stack_size(JQ_DEEP_STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread could be started: {error}"))?;
        match thread.join() {
            Ok(done) => Ok(done),
            Err(payload) => std::panic::resume_unwind(payload),
        }
    })
}
