//! A compiled stylesheet and what it makes of documents.

use std::{fmt, thread};

use crate::error::{XsltError, XsltErrorKind};
use crate::ffi;
use crate::limits::{DOCUMENT_BYTES_MAX, OUTPUT_BYTES_MAX, STACK_BYTES, STYLESHEET_BYTES_MAX};
use crate::parameters::Parameters;
use crate::shape;

/// A compiled stylesheet.
///
/// - It has no `xsl:import` and no `xsl:include`: whatever names another file is refused.
/// - It may be used by several threads at once: libxslt only reads it.
#[derive(Debug)]
pub struct Stylesheet {
    compiled: ffi::Compiled,
    declared: Declared,
}

/// What became of a document.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The result, serialised as `xsl:output` says.
    pub bytes: Vec<u8>,
    /// How it was serialised.
    pub method: Method,
    /// What `xsl:output` says in `media-type`; without it what fits the method.
    pub media_type: String,
    /// What `xsl:output` says in `encoding`; without it UTF-8.
    pub encoding: String,
}

/// How a result is serialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// As XML.
    Xml,
    /// As HTML 4.
    Html,
    /// Its text alone.
    Text,
}

/// What `xsl:output` says; empty for what it does not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) method: String,
    pub(crate) media_type: String,
    pub(crate) encoding: String,
}

/// What serialising a result gave.
#[derive(Debug)]
pub(crate) struct Serialised {
    pub(crate) bytes: Vec<u8>,
    /// Whether the outermost element is `html` in no namespace.
    pub(crate) is_html: bool,
}

impl Stylesheet {
    /// Compiles a stylesheet of at most [`STYLESHEET_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// - [`XsltErrorKind::Missing`]: libxslt is not there.
    /// - [`XsltErrorKind::Stylesheet`]: it is not well-formed, no stylesheet, has a document type,
    ///   or imports or includes another one.
    pub fn compile(stylesheet: &[u8]) -> Result<Self, XsltError> {
        let kind = XsltErrorKind::Stylesheet;
        refuse(stylesheet, STYLESHEET_BYTES_MAX, "stylesheet", kind)?;
        let (compiled, declared) = on_deep_stack(|| ffi::Compiled::compile(stylesheet))?;
        Ok(Self { compiled, declared })
    }

    /// Transforms a document of at most [`DOCUMENT_BYTES_MAX`] bytes.
    ///
    /// It blocks the calling thread as long as the stylesheet computes. Nothing ends a stylesheet
    /// that computes for ever without going deeper than
    /// [`TEMPLATE_DEPTH_MAX`](crate::limits::TEMPLATE_DEPTH_MAX).
    ///
    /// # Errors
    /// - [`XsltErrorKind::Document`]: it is not well-formed, too large, has a document type
    ///   or another shape that is refused (see [`limits`](crate::limits)).
    /// - [`XsltErrorKind::Transformation`]: the stylesheet failed on it, ended with
    ///   `xsl:message terminate="yes"`, asked for a file or an address, went too deep, or made
    ///   more than [`OUTPUT_BYTES_MAX`] bytes.
    pub fn apply(&self, document: &[u8], parameters: &Parameters) -> Result<Output, XsltError> {
        refuse(
            document,
            DOCUMENT_BYTES_MAX,
            "document",
            XsltErrorKind::Document,
        )?;
        let serialised = on_deep_stack(|| self.compiled.apply(document, parameters))?;
        if serialised.bytes.len() > OUTPUT_BYTES_MAX {
            return Err(XsltError::new(
                XsltErrorKind::Transformation,
                format!(
                    "the output has {} bytes, more than {OUTPUT_BYTES_MAX}",
                    serialised.bytes.len()
                ),
            ));
        }
        Ok(self.declared.output(serialised))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Megabytes of bytes help nobody.
        f.debug_struct("Output")
            .field("bytes", &self.bytes.len())
            .field("method", &self.method)
            .field("media_type", &self.media_type)
            .field("encoding", &self.encoding)
            .finish()
    }
}

impl Declared {
    fn output(&self, serialised: Serialised) -> Output {
        let method = match self.method.as_str() {
            "text" => Method::Text,
            "html" => Method::Html,
            "" if serialised.is_html => Method::Html,
            _ => Method::Xml,
        };
        let media_type = match (self.media_type.as_str(), method) {
            ("", Method::Xml) => "application/xml",
            ("", Method::Html) => "text/html",
            ("", Method::Text) => "text/plain",
            (declared, _) => declared,
        };
        let encoding = match self.encoding.as_str() {
            "" => "UTF-8",
            declared => declared,
        };
        Output {
            bytes: serialised.bytes,
            method,
            media_type: media_type.to_owned(),
            encoding: encoding.to_owned(),
        }
    }
}

fn refuse(
    bytes: &[u8],
    bytes_max: usize,
    what: &str,
    kind: XsltErrorKind,
) -> Result<(), XsltError> {
    if bytes.len() > bytes_max {
        let message = format!(
            "the {what} has {} bytes, more than {bytes_max}",
            bytes.len()
        );
        return Err(XsltError::new(kind, message));
    }
    shape::check(bytes).map_err(|fault| XsltError::new(kind, format!("the {what} {fault}")))
}

/// Runs `work` on a thread whose stack is deep enough for libxslt, which calls itself for each
/// template within a template, and knows nothing of the stack that is left.
fn on_deep_stack<T: Send>(
    work: impl FnOnce() -> Result<T, XsltError> + Send,
) -> Result<T, XsltError> {
    let missing = |what: String| XsltError::new(XsltErrorKind::Missing, what);
    thread::scope(|scope| {
        thread::Builder::new()
            .name("efflux-xslt".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| missing(format!("no thread could be started to transform: {error}")))?
            .join()
            .map_err(|_| missing("the thread that transforms panicked".to_owned()))?
    })
}
