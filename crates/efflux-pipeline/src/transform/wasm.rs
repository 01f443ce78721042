//! A transform in WebAssembly.
//!
//! What a module exports, and what it is given:
//!
//! ```text
//! memory                            its memory
//! alloc(bytes: i32) -> i32          the address of that many bytes, for the input; 0 when there are none
//! transform(at: i32, bytes: i32)    makes messages of the payload that stands there; 0 when it did,
//!     -> i32                        anything else when the message is rejected
//!
//! efflux.emit(at: i32, bytes: i32)      adds a message with this payload
//! efflux.reject(at: i32, bytes: i32)    the reason, in UTF-8, should `transform` not give 0
//! efflux.property(name at, name bytes,  the value of a property of the message: how many bytes it
//!     at: i32, room: i32) -> i32        has, -1 without it. It is written when there is room
//! ```
//!
//! It can import these three functions and nothing else: no clock, no file, no chance. Each message
//! gets an instance of its own, so that nothing is left of the one before.

#[cfg(test)]
mod tests;

mod guest;

use std::fmt;

use serde::Deserialize;
use wasmi::{Config, EnforcedLimits, Engine, Linker, Module};

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::quantity::ByteSize;
#[cfg(feature = "declared")]
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::transform::Transform;
use crate::transform::limits::{
    WASM_FUEL_DEFAULT_MAX, WASM_MEMORY_DEFAULT_MAX, WASM_MODULE_BYTES_MAX,
};
use guest::Guest;

/// What a module may take for one message.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct WasmSettings {
    /// The file with the module, for pipelines that are declared in a file.
    pub module: Option<String>,
    /// Instructions, about one for each unit.
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub fuel_max: u64,
    /// Bytes of memory.
    pub memory_max: ByteSize,
}

impl Default for WasmSettings {
    fn default() -> Self {
        Self {
            module: None,
            fuel_max: WASM_FUEL_DEFAULT_MAX,
            memory_max: ByteSize(WASM_MEMORY_DEFAULT_MAX),
        }
    }
}

impl WasmSettings {
    /// What is wrong beside the module.
    #[cfg(feature = "declared")]
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let what = "0 units: no module could be run";
        let fuel = SettingFault::unless(self.fuel_max > 0, "fuel_max", what);
        fuel.into_iter().collect()
    }
}

/// Makes messages of a message by a module in WebAssembly.
///
/// What comes out has the metadata of what came in, and the payload that the module gave.
pub struct Wasm {
    module: Module,
    linker: Linker<Guest>,
    settings: WasmSettings,
}

impl Wasm {
    /// A step with this module, whose bytes are given: this crate reads no file of its own accord.
    ///
    /// # Errors
    /// `Fatal` when the module is none, lacks what it must export, or imports something else.
    pub fn new(settings: WasmSettings, module: &[u8]) -> Result<Self, StageError> {
        if module.len() > WASM_MODULE_BYTES_MAX {
            return Err(StageError::fatal(format!(
                "the module has {} bytes, more than {WASM_MODULE_BYTES_MAX}",
                module.len()
            )));
        }
        let mut config = Config::default();
        config
            .consume_fuel(true)
            .enforced_limits(EnforcedLimits::strict());
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module)
            .map_err(|error| StageError::fatal(format!("the module cannot be read: {error}")))?;
        let mut linker = Linker::new(&engine);
        guest::link(&mut linker)
            .map_err(|error| StageError::fatal(format!("the module cannot be linked: {error}")))?;
        let wasm = Self {
            module,
            linker,
            settings,
        };
        // What it lacks shows itself before the first message.
        guest::Instance::start(&wasm.linker, &wasm.module, &wasm.settings, None)
            .map_err(StageError::fatal)?;
        Ok(wasm)
    }
}

impl fmt::Debug for Wasm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wasm")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Transform for Wasm {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let content = input.content()?;
        let bytes_max = out.bytes_left();
        let guest = Some((input.message.clone(), bytes_max));
        let payloads = guest::Instance::start(&self.linker, &self.module, &self.settings, guest)
            .and_then(|instance| instance.transform(&content))
            .map_err(|what| StageError::rejected(format!("the module: {what}")))?;
        let plain = input.message.without_content_encoding();
        for payload in payloads {
            out.push(plain.clone().with_payload(payload))?;
        }
        Ok(())
    }
}
