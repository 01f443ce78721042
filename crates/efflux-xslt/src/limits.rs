//! The bounds of a transformation, each with its unit and its reason.

/// Bytes of a stylesheet: the largest ones in use have some hundred thousand.
pub const STYLESHEET_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a document: a payload of Efflux, and the tree of one takes some twenty times as much
/// memory as its bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of an output: what becomes of it is a payload again.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Parameters of one transformation: each is a variable of its own in the stylesheet.
pub const PARAMETERS_MAX: usize = 256;

/// Bytes of one parameter's value: it is metadata, not a document.
pub const PARAMETER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of what libxml2 and libxslt say about one call: the first sentences tell the cause.
pub const COMPLAINT_BYTES_MAX: usize = 4 * 1024;

/// Templates and instructions within each other: libxslt calls itself for each, on
/// [`STACK_BYTES`] of stack. It is libxslt's own default, so what runs in xsltproc runs here.
pub const TEMPLATE_DEPTH_MAX: u32 = 3_000;

/// Bytes of stack of the thread that transforms. The deepest stylesheet that is let through takes
/// less than a quarter of it (a test shows it); what is not touched takes no memory.
pub const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Attributes of one element of a document: libxml2 compares each with all the others.
pub const ATTRIBUTES_MAX: usize = 1_024;

/// Namespaces that an element and those around it declare: libxml2 looks through all of them for
/// each name that has a prefix.
pub const NAMESPACES_IN_SCOPE_MAX: usize = 1_024;

/// Elements within elements: libxml2's own bound.
pub const DEPTH_MAX: usize = 256;
