//! A jq program as one runs it by hand.

use jaq_core::compile::Compiler;
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Ctx, Vars, unwrap_valr};
use jaq_json::Val;

use super::orders::PROGRAM;
use crate::Result;

/// The program of the orders.
pub(super) struct Program(jaq_core::Filter<JustLut<Val>>);

impl Program {
    pub(super) fn compile() -> Result<Self> {
        let arena = Arena::default();
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let file = File {
            code: PROGRAM,
            path: (),
        };
        let modules = Loader::new(definitions)
            .load(&arena, file)
            .map_err(|_| "the program cannot be loaded")?;
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let compiled = Compiler::default().with_funs(functions).compile(modules);
        Ok(Self(compiled.map_err(|_| "the program does not compile")?))
    }

    /// The first output for an input.
    pub(super) fn run(&self, input: Val) -> Result<String> {
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let output = self.0.id.run((context, input)).next();
        let output = output.ok_or("there is no output")?;
        Ok(unwrap_valr(output)
            .map_err(|error| error.to_string())?
            .to_string())
    }
}

/// Whether an order goes on.
pub(super) fn goes_on(order: &Val) -> bool {
    let Val::Obj(fields) = order else {
        return false;
    };
    let field = |name: &str| fields.get(&Val::from(name.to_owned()));
    let is_void = field("status") == Some(&Val::from("void".to_owned()));
    !is_void && field("total").is_some_and(|total| *total > Val::from(5_isize))
}
