//! An instance of a module, and what it can call.

use efflux_storage::particle::Message;
use wasmi::{
    Caller, Error, Extern, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    TrapCode, TypedFunc,
};

use crate::transform::limits::{WASM_OUTPUTS_MAX, WASM_REASON_BYTES_MAX, WASM_TABLE_ELEMENTS_MAX};
use crate::transform::wasm::WasmSettings;

/// What the functions that a module calls work on.
pub(super) struct Guest {
    limits: StoreLimits,
    message: Message,
    bytes_left: usize,
    made: Vec<Vec<u8>>,
    reason: Option<String>,
    /// Why the module was stopped by a function that it called.
    stopped: Option<&'static str>,
}

/// An instance of a module.
pub(super) struct Instance {
    store: Store<Guest>,
    memory: Memory,
    alloc: TypedFunc<i32, i32>,
    transform: TypedFunc<(i32, i32), i32>,
    fuel_max: u64,
}

/// Makes the functions known that a module can call.
pub(super) fn link(linker: &mut Linker<Guest>) -> Result<(), Error> {
    linker.func_wrap(
        "efflux",
        "emit",
        |mut caller: Caller<'_, Guest>, at: i32, bytes: i32| {
            let payload = bytes_of(&mut caller, at, bytes)?;
            let guest = caller.data_mut();
            let Some(left) = guest.bytes_left.checked_sub(payload.len()) else {
                return Err(stop(guest, "it makes more bytes than it may"));
            };
            if guest.made.len() >= WASM_OUTPUTS_MAX {
                return Err(stop(guest, "it makes more messages than it may"));
            }
            guest.bytes_left = left;
            guest.made.push(payload);
            Ok(())
        },
    )?;
    linker.func_wrap(
        "efflux",
        "reject",
        |mut caller: Caller<'_, Guest>, at: i32, bytes: i32| {
            let bytes = bytes.clamp(0, WASM_REASON_BYTES_MAX);
            let reason = bytes_of(&mut caller, at, bytes)?;
            caller.data_mut().reason = Some(String::from_utf8_lossy(&reason).into_owned());
            Ok::<(), Error>(())
        },
    )?;
    linker.func_wrap(
        "efflux",
        "property",
        |mut caller: Caller<'_, Guest>, name_at: i32, name_bytes: i32, at: i32, room: i32| {
            let name = bytes_of(&mut caller, name_at, name_bytes)?;
            let name = String::from_utf8_lossy(&name);
            let Some(value) = caller.data().message.property(&name).map(ToOwned::to_owned) else {
                return Ok(-1);
            };
            let bytes = i32::try_from(value.len()).unwrap_or(i32::MAX);
            if bytes <= room {
                let memory = memory_of(&mut caller)?;
                let at = usize::try_from(at.cast_unsigned()).unwrap_or(usize::MAX);
                if memory.write(&mut caller, at, value.as_bytes()).is_err() {
                    return Err(outside(caller.data_mut()));
                }
            }
            Ok(bytes)
        },
    )?;
    Ok(())
}

/// Ends the module for a reason of our own.
fn stop(guest: &mut Guest, why: &'static str) -> Error {
    guest.stopped = Some(why);
    Error::new(why)
}

fn outside(guest: &mut Guest) -> Error {
    stop(guest, "it names bytes that are outside of its memory")
}

fn memory_of(caller: &mut Caller<'_, Guest>) -> Result<Memory, Error> {
    caller
        .get_export("memory")
        .and_then(Extern::into_memory)
        .ok_or_else(|| stop(caller.data_mut(), "it exports no memory"))
}

/// Copies bytes out of the memory. The bounds are looked at before anything is allocated.
fn bytes_of(caller: &mut Caller<'_, Guest>, at: i32, bytes: i32) -> Result<Vec<u8>, Error> {
    let memory = memory_of(caller)?;
    let at = usize::try_from(at.cast_unsigned()).unwrap_or(usize::MAX);
    let end = at.saturating_add(usize::try_from(bytes.cast_unsigned()).unwrap_or(usize::MAX));
    let copy = memory.data(&*caller).get(at..end).map(<[u8]>::to_vec);
    copy.ok_or_else(|| outside(caller.data_mut()))
}

impl Instance {
    /// Starts a module for a message, or for none to see whether it can be started.
    pub(super) fn start(
        linker: &Linker<Guest>,
        module: &Module,
        settings: &WasmSettings,
        message: Option<(Message, usize)>,
    ) -> Result<Self, String> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(settings.memory_max.bytes())
            .table_elements(WASM_TABLE_ELEMENTS_MAX)
            .instances(1)
            .memories(1)
            .build();
        let (message, bytes_left) = message.unwrap_or_default();
        let guest = Guest {
            limits,
            message,
            bytes_left,
            made: Vec::new(),
            reason: None,
            stopped: None,
        };
        let mut store = Store::new(linker.engine(), guest);
        store.limiter(|guest| &mut guest.limits);
        store
            .set_fuel(settings.fuel_max)
            .map_err(|error| error.to_string())?;
        let instance = linker
            .instantiate_and_start(&mut store, module)
            .map_err(|error| told(&store, &error, settings.fuel_max))?;
        let lacks = |what: &str| format!("it does not export {what}");
        Ok(Self {
            memory: instance
                .get_memory(&store, "memory")
                .ok_or_else(|| lacks("memory"))?,
            alloc: instance
                .get_typed_func(&store, "alloc")
                .map_err(|_| lacks("alloc(i32) -> i32"))?,
            transform: instance
                .get_typed_func(&store, "transform")
                .map_err(|_| lacks("transform(i32, i32) -> i32"))?,
            store,
            fuel_max: settings.fuel_max,
        })
    }

    /// The payloads that the module makes of this one.
    pub(super) fn transform(mut self, content: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let bytes = i32::try_from(content.len()).map_err(|_| "the payload has 2 GiB".to_owned())?;
        let fuel_max = self.fuel_max;
        let at = self
            .alloc
            .call(&mut self.store, bytes)
            .map_err(|error| told(&self.store, &error, fuel_max))?;
        if at == 0 {
            return Err(format!(
                "it has no room for the {bytes} bytes of the payload"
            ));
        }
        let place = usize::try_from(at.cast_unsigned()).unwrap_or(usize::MAX);
        self.memory
            .write(&mut self.store, place, content)
            .map_err(|_| "its alloc gives an address that is outside of its memory".to_owned())?;
        let answer = self
            .transform
            .call(&mut self.store, (at, bytes))
            .map_err(|error| told(&self.store, &error, fuel_max))?;
        let guest = self.store.into_data();
        match (answer, guest.reason) {
            (0, _) => Ok(guest.made),
            (_, Some(reason)) => Err(reason),
            (code, None) => Err(format!("it rejects the message with {code}")),
        }
    }
}

/// What ended a module, in words.
fn told(store: &Store<Guest>, error: &Error, fuel_max: u64) -> String {
    if let Some(why) = store.data().stopped {
        return why.to_owned();
    }
    match error.as_trap_code() {
        Some(TrapCode::OutOfFuel) => format!("it takes more than {fuel_max} units of fuel"),
        _ => error.to_string(),
    }
}
