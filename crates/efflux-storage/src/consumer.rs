//! STUB
#[derive(Debug, Default)]
pub(crate) struct ConsumerRegistry;
