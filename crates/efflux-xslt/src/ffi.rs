//! The calls into libxslt, the one place with unsafe code.
//!
//! libxslt is loaded when it is first needed and never unloaded. It brings libxml2 along, and the
//! functions of both are looked up through it, so that they always belong together. Nothing here
//! reads or writes a field of their structures.
//!
//! What is set once for the whole process, because there is no other way: no document and no
//! entity is ever loaded from outside, files and network are forbidden to every stylesheet, the
//! depth of templates is bounded, and what libxslt says outside of any call is thrown away.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::FILE;

use crate::error::{XsltError, XsltErrorKind};
use crate::limits::{COMPLAINT_BYTES_MAX, TEMPLATE_DEPTH_MAX};
use crate::parameters::Parameters;
use crate::shape;
use crate::stylesheet::{Declared, Serialised};

/// Where libxslt is, on Linux and on macOS.
const LIBRARY: &[&str] = &["libxslt.so.1", "libxslt.1.dylib"];
/// Where the extension functions of EXSLT are, which come with libxslt.
const EXTENSIONS: &[&str] = &["libexslt.so.0", "libexslt.0.dylib"];
/// What is called in [`EXTENSIONS`]: node sets, sets, mathematics, dates, strings. Not its
/// cryptography, its evaluation of texts as expressions, its functions of functions.
const REGISTRATIONS: &[&[u8]] = &[
    b"exsltCommonRegister",
    b"exsltSetsRegister",
    b"exsltMathRegister",
    b"exsltDateRegister",
    b"exsltStrRegister",
];

/// `XML_PARSE_NOCDATA | XML_PARSE_NONET`: CDATA is text, as the standard's data model has it, and
/// nothing is fetched. `XML_PARSE_HUGE` is not set, so libxml2 keeps its own bounds: 256 elements
/// deep, ten million bytes in one attribute, fifty thousand in one name.
const PARSE_OPTIONS: c_int = (1 << 14) | (1 << 11);
/// `XSLT_SECPREF_READ_FILE` to `XSLT_SECPREF_WRITE_NETWORK`.
const FORBIDDEN: std::ops::RangeInclusive<c_int> = 1..=5;

const STYLESHEET: &CStr = c"stylesheet";
const DOCUMENT: &CStr = c"document";

/// `fprintf`, or what takes its place: the kind of function that both libraries report with.
type Report = unsafe extern "C" fn(*mut FILE, *const c_char, ...) -> c_int;
type Forbid = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char) -> c_int;
type LoadEntity = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void) -> *mut c_void;
type LoadDocument =
    unsafe extern "C" fn(*const c_char, *mut c_void, c_int, *mut c_void, c_int) -> *mut c_void;

macro_rules! library {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions that are called, under their own names.
        #[expect(non_snake_case, reason = "the names are those of libxml2 and libxslt")]
        #[derive(Debug)]
        struct Library {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            xsltSecurityForbid: Forbid,
            /// A variable that holds the function that frees what libxml2 has allocated.
            xmlFree: *const unsafe extern "C" fn(*mut c_void),
            xsltMaxDepth: *mut c_int,
            /// What is said outside of any call ends here.
            silence: Complaint,
        }

        impl Library {
            /// Looks all of them up.
            fn look_up(xslt: &libloading::Library, silence: Complaint) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of the headers of libxml2 2.9 and libxslt 1.1, which
                // both projects have kept since; the library is never unloaded.
                unsafe {
                    Ok(Self {
                        $($name: *xslt.get(stringify!($name).as_bytes())?,)*
                        xsltSecurityForbid: *xslt.get(b"xsltSecurityForbid")?,
                        xmlFree: *xslt.get(b"xmlFree")?,
                        xsltMaxDepth: *xslt.get(b"xsltMaxDepth")?,
                        silence,
                    })
                }
            }
        }
    };
}

library! {
    xmlInitParser: fn();
    xmlReadMemory: fn(*const c_char, c_int, *const c_char, *const c_char, c_int) -> *mut c_void;
    xmlFreeDoc: fn(*mut c_void);
    xmlGetIntSubset: fn(*mut c_void) -> *mut c_void;
    xmlSetGenericErrorFunc: fn(*mut FILE, Option<Report>);
    xmlSetExternalEntityLoader: fn(LoadEntity);
    xmlXPathNewContext: fn(*mut c_void) -> *mut c_void;
    xmlXPathFreeContext: fn(*mut c_void);
    xmlXPathRegisterNs: fn(*mut c_void, *const c_char, *const c_char) -> c_int;
    xmlXPathEvalExpression: fn(*const c_char, *mut c_void) -> *mut c_void;
    xmlXPathCastToString: fn(*mut c_void) -> *mut c_char;
    xmlXPathFreeObject: fn(*mut c_void);
    xsltInit: fn();
    xsltNewSecurityPrefs: fn() -> *mut c_void;
    xsltSetSecurityPrefs: fn(*mut c_void, c_int, Forbid) -> c_int;
    xsltSetDefaultSecurityPrefs: fn(*mut c_void);
    xsltGetDefaultSecurityPrefs: fn() -> *mut c_void;
    xsltSetCtxtSecurityPrefs: fn(*mut c_void, *mut c_void) -> c_int;
    xsltSetLoaderFunc: fn(LoadDocument);
    xsltSetGenericErrorFunc: fn(*mut FILE, Report);
    xsltSetTransformErrorFunc: fn(*mut c_void, *mut FILE, Report);
    xsltParseStylesheetDoc: fn(*mut c_void) -> *mut c_void;
    xsltFreeStylesheet: fn(*mut c_void);
    xsltNewTransformContext: fn(*mut c_void, *mut c_void) -> *mut c_void;
    xsltFreeTransformContext: fn(*mut c_void);
    xsltQuoteOneUserParam: fn(*mut c_void, *const c_char, *const c_char) -> c_int;
    xsltApplyStylesheetUser: fn(*mut c_void, *mut c_void, *const *const c_char, *const c_char, *mut FILE, *mut c_void) -> *mut c_void;
    xsltSaveResultToString: fn(*mut *mut c_char, *mut c_int, *mut c_void, *mut c_void) -> c_int;
}

// SAFETY: it holds addresses of functions, of two variables, and a file. `xsltMaxDepth` is written
// before the library is shared, `xmlFree` never; C locks a file while it writes to it.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// Refuses an entity of a DTD.
unsafe extern "C" fn load_no_entity(
    _address: *const c_char,
    _name: *const c_char,
    _context: *mut c_void,
) -> *mut c_void {
    ptr::null_mut()
}

/// Refuses what `document()`, `xsl:import` and `xsl:include` ask for.
unsafe extern "C" fn load_no_document(
    _address: *const c_char,
    _names: *mut c_void,
    _options: c_int,
    _context: *mut c_void,
    _kind: c_int,
) -> *mut c_void {
    ptr::null_mut()
}

/// libxslt, loaded and shut in by the first call.
fn library() -> Result<&'static Library, XsltError> {
    static LOADED: OnceLock<Result<Library, XsltError>> = OnceLock::new();
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Library, XsltError> {
    let missing = |what: String| XsltError::new(XsltErrorKind::Missing, what);
    let handle = open(LIBRARY).ok_or_else(|| {
        missing(format!(
            "libxslt is not installed: none of {} can be loaded; install it (Debian: libxslt1.1)",
            LIBRARY.join(", ")
        ))
    })?;
    let library = Library::look_up(&handle, Complaint::new(1)?).map_err(|error| {
        missing(format!(
            "the libxslt that is installed lacks a part: {error}"
        ))
    })?;
    // The functions are used until the process ends.
    std::mem::forget(handle);
    // SAFETY: this runs once, before any other call; the functions and the file given to the
    // libraries live as long as the process.
    unsafe {
        (library.xmlInitParser)();
        (library.xsltInit)();
        (library.xmlSetExternalEntityLoader)(load_no_entity);
        (library.xsltSetLoaderFunc)(load_no_document);
        (library.xsltSetGenericErrorFunc)(library.silence.file, libc::fprintf);
        *library.xsltMaxDepth = c_int::try_from(TEMPLATE_DEPTH_MAX).unwrap_or(c_int::MAX);
        let preferences = (library.xsltNewSecurityPrefs)();
        if preferences.is_null() {
            return Err(missing("libxslt had no memory to begin with".to_owned()));
        }
        for option in FORBIDDEN {
            if (library.xsltSetSecurityPrefs)(preferences, option, library.xsltSecurityForbid) != 0
            {
                return Err(missing(
                    "libxslt cannot be forbidden files and network".to_owned(),
                ));
            }
        }
        (library.xsltSetDefaultSecurityPrefs)(preferences);
    }
    register_extensions();
    Ok(library)
}

fn open(names: &[&str]) -> Option<libloading::Library> {
    names.iter().find_map(|name| {
        // SAFETY: what libxslt and libexslt run when they are loaded has no needs.
        unsafe { libloading::Library::new(*name) }.ok()
    })
}

/// Makes the extension functions known, where they are installed; stylesheets that use none need
/// none.
fn register_extensions() {
    let Some(extensions) = open(EXTENSIONS) else {
        return;
    };
    for name in REGISTRATIONS {
        // SAFETY: they take nothing and return nothing, and this runs once, before any stylesheet
        // is compiled.
        unsafe {
            if let Ok(register) = extensions.get::<unsafe extern "C" fn()>(*name) {
                register();
            }
        }
    }
    std::mem::forget(extensions);
}

/// A file in memory, of a fixed size, that takes what the libraries say; what does not fit is lost.
#[derive(Debug)]
struct Complaint {
    /// In an allocation of its own, which `file` writes to.
    bytes: NonNull<[u8]>,
    file: *mut FILE,
}

impl Complaint {
    fn new(bytes: usize) -> Result<Self, XsltError> {
        let bytes = NonNull::from(Box::leak(vec![0_u8; bytes].into_boxed_slice()));
        // SAFETY: the bytes live until the file is closed, in `drop`; nothing else uses them.
        let file = unsafe { libc::fmemopen(bytes.as_ptr().cast(), bytes.len(), c"w".as_ptr()) };
        let complaint = Self { bytes, file };
        if file.is_null() {
            let message = "there is no memory to take what libxslt says";
            return Err(XsltError::new(XsltErrorKind::Missing, message));
        }
        Ok(complaint)
    }

    /// What was said.
    fn text(&self) -> String {
        // SAFETY: the file is open, and it alone writes the bytes, on this thread.
        let said = unsafe {
            libc::fflush(self.file);
            self.bytes.as_ref()
        };
        let end = said
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(said.len());
        String::from_utf8_lossy(said.get(..end).unwrap_or_default()).into_owned()
    }
}

impl Drop for Complaint {
    fn drop(&mut self) {
        // SAFETY: the file is closed before the bytes that it writes to are given back.
        unsafe {
            if !self.file.is_null() {
                libc::fclose(self.file);
            }
            drop(Box::from_raw(self.bytes.as_ptr()));
        }
    }
}

/// Takes what libxml2 says on this thread.
struct Listening<'a> {
    library: &'a Library,
    complaint: Complaint,
}

impl<'a> Listening<'a> {
    fn to(library: &'a Library) -> Result<Self, XsltError> {
        let complaint = Complaint::new(COMPLAINT_BYTES_MAX)?;
        // SAFETY: the setting is one of this thread, and undone in `drop`, before the file closes.
        unsafe { (library.xmlSetGenericErrorFunc)(complaint.file, Some(libc::fprintf)) };
        Ok(Self { library, complaint })
    }

    fn told(&self, kind: XsltErrorKind, otherwise: &str) -> XsltError {
        XsltError::told(kind, &self.complaint.text(), otherwise)
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        // SAFETY: without a function, libxml2 takes the one that it began with.
        unsafe { (self.library.xmlSetGenericErrorFunc)(ptr::null_mut(), None) };
    }
}

/// Takes what libxslt says while it compiles; a setting of the whole process, so one at a time.
struct CompilerListening<'a> {
    library: &'a Library,
    _alone: MutexGuard<'static, ()>,
}

impl<'a> CompilerListening<'a> {
    fn to(listening: &Listening<'a>) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let library = listening.library;
        // SAFETY: undone in `drop`, before the file closes. A transformation on another thread
        // reports to a file of its own, so nothing else writes here.
        unsafe { (library.xsltSetGenericErrorFunc)(listening.complaint.file, libc::fprintf) };
        Self {
            library,
            _alone: alone,
        }
    }
}

impl Drop for CompilerListening<'_> {
    fn drop(&mut self) {
        let library = self.library;
        // SAFETY: the file lives as long as the process.
        unsafe { (library.xsltSetGenericErrorFunc)(library.silence.file, libc::fprintf) };
    }
}

/// A document that libxml2 has read.
struct Document<'a> {
    library: &'a Library,
    document: NonNull<c_void>,
}

impl<'a> Document<'a> {
    fn read(
        listening: &Listening<'a>,
        bytes: &[u8],
        name: &CStr,
        kind: XsltErrorKind,
    ) -> Result<Self, XsltError> {
        let library = listening.library;
        let length = c_int::try_from(bytes.len())
            .map_err(|_| XsltError::new(kind, "the document has more than 2 GiB"))?;
        // SAFETY: the bytes are `length` many and outlive the call; the name ends in a NUL.
        let document = unsafe {
            (library.xmlReadMemory)(
                bytes.as_ptr().cast(),
                length,
                name.as_ptr(),
                ptr::null(),
                PARSE_OPTIONS,
            )
        };
        let document = NonNull::new(document)
            .ok_or_else(|| listening.told(kind, "it is not well-formed XML"))?;
        let document = Self { library, document };
        // SAFETY: the document is there. Encodings in which `<!DOCTYPE` looks different come here.
        if unsafe { !(library.xmlGetIntSubset)(document.document.as_ptr()).is_null() } {
            return Err(XsltError::new(
                kind,
                format!("it {}", shape::document_type()),
            ));
        }
        Ok(document)
    }

    /// The text that an expression gives, with `xsl` as the prefix of the elements of XSLT.
    fn evaluate(&self, expression: &CStr) -> Option<String> {
        let library = self.library;
        // SAFETY: each thing is there while it is used and freed once; the texts end in a NUL.
        unsafe {
            let context = (library.xmlXPathNewContext)(self.document.as_ptr());
            if context.is_null() {
                return None;
            }
            let namespace = c"http://www.w3.org/1999/XSL/Transform";
            (library.xmlXPathRegisterNs)(context, c"xsl".as_ptr(), namespace.as_ptr());
            let found = (library.xmlXPathEvalExpression)(expression.as_ptr(), context);
            let text = (!found.is_null()).then(|| {
                let text = (library.xmlXPathCastToString)(found);
                (library.xmlXPathFreeObject)(found);
                take_text(library, text)
            });
            (library.xmlXPathFreeContext)(context);
            text.flatten()
        }
    }
}

impl Drop for Document<'_> {
    fn drop(&mut self) {
        // SAFETY: it was read, nobody else frees it, and nothing made of it is left.
        unsafe { (self.library.xmlFreeDoc)(self.document.as_ptr()) };
    }
}

/// Copies a text that libxml2 has allocated, and gives it back.
///
/// # Safety
/// `text` is null, or ends in a NUL and is not used afterwards.
unsafe fn take_text(library: &Library, text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        (*library.xmlFree)(text.cast());
        Some(copy)
    }
}

/// A compiled stylesheet.
#[derive(Debug)]
pub(crate) struct Compiled {
    library: &'static Library,
    stylesheet: NonNull<c_void>,
    owned: PhantomData<*mut c_void>,
}

// SAFETY: libxslt promises that a compiled stylesheet is only read by transformations, and may be
// used by several threads at once and freed by any; the counts of the dictionary that they share
// are changed under libxml2's own lock.
unsafe impl Send for Compiled {}
// SAFETY: as above.
unsafe impl Sync for Compiled {}

impl Compiled {
    /// Compiles, and tells what `xsl:output` says.
    pub(crate) fn compile(stylesheet: &[u8]) -> Result<(Self, Declared), XsltError> {
        let kind = XsltErrorKind::Stylesheet;
        let library = library()?;
        let listening = Listening::to(library)?;
        let document = Document::read(&listening, stylesheet, STYLESHEET, kind)?;
        // Of several `xsl:output` the last one that says something wins.
        let said = |expression| document.evaluate(expression).unwrap_or_default();
        let declared = Declared {
            method: said(c"string((/*/xsl:output/@method)[last()])"),
            media_type: said(c"string((/*/xsl:output/@media-type)[last()])"),
            encoding: said(c"string((/*/xsl:output/@encoding)[last()])"),
        };
        let compiling = CompilerListening::to(&listening);
        // SAFETY: the document is there; what is compiled owns it from here on.
        let compiled = unsafe { (library.xsltParseStylesheetDoc)(document.document.as_ptr()) };
        drop(compiling);
        let Some(stylesheet) = NonNull::new(compiled) else {
            // What does not compile still belongs to the caller.
            return Err(listening.told(kind, "it is not a stylesheet"));
        };
        std::mem::forget(document);
        let compiled = Self {
            library,
            stylesheet,
            owned: PhantomData,
        };
        // libxslt goes on after some faults, and makes a stylesheet that does something else.
        match listening.complaint.text().trim() {
            "" => Ok((compiled, declared)),
            _ => Err(listening.told(kind, "it is not a stylesheet")),
        }
    }

    /// Transforms and serialises.
    pub(crate) fn apply(
        &self,
        document: &[u8],
        parameters: &Parameters,
    ) -> Result<Serialised, XsltError> {
        let library = self.library;
        let listening = Listening::to(library)?;
        let document = Document::read(&listening, document, DOCUMENT, XsltErrorKind::Document)?;
        let result = self.transform(&listening, &document, parameters)?;
        let is_html =
            c"string(translate(name(/*), 'HTML', 'html') = 'html' and namespace-uri(/*) = '')";
        Ok(Serialised {
            is_html: result.evaluate(is_html).as_deref() == Some("true"),
            bytes: self.serialise(&result)?,
        })
    }

    fn transform<'a>(
        &self,
        listening: &Listening<'a>,
        document: &Document<'_>,
        parameters: &Parameters,
    ) -> Result<Document<'a>, XsltError> {
        let kind = XsltErrorKind::Transformation;
        let library = listening.library;
        let failed = |what| listening.told(kind, what);
        let run = Run::new(self, document).ok_or_else(|| failed("there is no memory"))?;
        // SAFETY: the run, the file and the texts are there during the calls; the preferences are
        // the process's own, which are never freed.
        let result = unsafe {
            (library.xsltSetTransformErrorFunc)(
                run.0.as_ptr(),
                listening.complaint.file,
                libc::fprintf,
            );
            let preferences = (library.xsltGetDefaultSecurityPrefs)();
            if preferences.is_null()
                || (library.xsltSetCtxtSecurityPrefs)(preferences, run.0.as_ptr()) != 0
            {
                return Err(failed("files and network could not be forbidden"));
            }
            for (name, value) in parameters.pairs() {
                if (library.xsltQuoteOneUserParam)(run.0.as_ptr(), name.as_ptr(), value.as_ptr())
                    != 0
                {
                    return Err(failed("a parameter was refused"));
                }
            }
            (library.xsltApplyStylesheetUser)(
                self.stylesheet.as_ptr(),
                document.document.as_ptr(),
                ptr::null(),
                ptr::null(),
                ptr::null_mut(),
                run.0.as_ptr(),
            )
        };
        let document = NonNull::new(result).ok_or_else(|| failed("the stylesheet failed"))?;
        Ok(Document { library, document })
    }

    fn serialise(&self, result: &Document<'_>) -> Result<Vec<u8>, XsltError> {
        let library = self.library;
        let mut text = ptr::null_mut();
        let mut length: c_int = 0;
        // SAFETY: result and stylesheet are there; what comes back is `length` bytes or null, is
        // copied and given back.
        unsafe {
            let status = (library.xsltSaveResultToString)(
                &raw mut text,
                &raw mut length,
                result.document.as_ptr(),
                self.stylesheet.as_ptr(),
            );
            if text.is_null() {
                let kind = XsltErrorKind::Transformation;
                // A result without a node has no text, which is no fault.
                return match status {
                    0 => Ok(Vec::new()),
                    _ => Err(XsltError::new(
                        kind,
                        "the result cannot be written in its encoding",
                    )),
                };
            }
            let length = usize::try_from(length).unwrap_or(0);
            let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length).to_vec();
            (*library.xmlFree)(text.cast());
            Ok(bytes)
        }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: it was compiled, no transformation uses it, and it is freed once.
        unsafe { (self.library.xsltFreeStylesheet)(self.stylesheet.as_ptr()) };
    }
}

/// The state of one transformation.
struct Run<'a>(NonNull<c_void>, &'a Compiled);

impl<'a> Run<'a> {
    fn new(compiled: &'a Compiled, document: &'a Document<'_>) -> Option<Self> {
        // SAFETY: both outlive the state.
        let state = unsafe {
            (compiled.library.xsltNewTransformContext)(
                compiled.stylesheet.as_ptr(),
                document.document.as_ptr(),
            )
        };
        NonNull::new(state).map(|state| Self(state, compiled))
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `new` and is freed once, before the document and the stylesheet.
        unsafe { (self.1.library.xsltFreeTransformContext)(self.0.as_ptr()) };
    }
}
