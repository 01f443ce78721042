//! XSLT 1.0 for Efflux pipelines, through libxslt, shut in.
//!
//! The stylesheet reads the document and its parameters, and nothing else: no file, no address,
//! no entity of a DTD. libxslt is loaded when the first stylesheet is compiled, so a program can
//! be built and run where it is missing.
//!
//! ```
//! use efflux_xslt::{Parameters, Stylesheet, XsltErrorKind};
//!
//! let greeting = br#"<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
//!   <xsl:output method="text"/>
//!   <xsl:param name="word"/>
//!   <xsl:template match="/"><xsl:value-of select="concat($word, ' ', person/@name)"/></xsl:template>
//! </xsl:stylesheet>"#;
//! let stylesheet = match Stylesheet::compile(greeting) {
//!     Err(error) if error.kind == XsltErrorKind::Missing => return Ok(()),
//!     compiled => compiled?,
//! };
//! let parameters = Parameters::default().with("word", "Hello")?;
//! let output = stylesheet.apply(br#"<person name="Ada"/>"#, &parameters)?;
//! assert_eq!(output.bytes, b"Hello Ada");
//! assert_eq!(output.media_type, "text/plain");
//! # Ok::<(), efflux_xslt::XsltError>(())
//! ```

pub mod limits;

mod error;

mod shape;

mod parameters;

#[expect(
    unsafe_code,
    reason = "libxslt is a C library; this module is the only one that calls it"
)]
mod ffi;

mod stylesheet;

pub use error::{XsltError, XsltErrorKind};
pub use parameters::Parameters;
pub use stylesheet::{Method, Output, Stylesheet};
