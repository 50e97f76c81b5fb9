//! A component that was checked: it is a filter, and nothing but a filter.
//!
//! Not trusted any more than before: the checks are about form, and the sandbox holds whatever it does.
//! Invariant: a [`Filter`] exports the world of the contract, imports nothing that the contract does not
//! give, and has said what it is within the limits.

use sha2::{Digest, Sha256};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentNamedList, Lift, Lower};

use crate::model::json::{Begun, Cursor};
use crate::telemetry::OutcomeLabel;

use super::bindings::{self, FilterPre};
use super::cache::{Cache, CompileError, Origin};
use super::engine::Engine;
use super::fault::Fault;
use super::instance::{Instance, LOGGING, State, Stop, TYPES};
use super::limits::{ABOUT_NAME_BYTES_MAX, ABOUT_SCHEMA_BYTES_MAX, ABOUT_VERSION_BYTES_MAX, TRIES_MAX, cut_words};
use super::run::Setup;

/// A filter that is ready to run.
pub struct Filter {
    /// The SHA-256 of the component.
    pub digest: [u8; 32],
    /// What the filter says of itself.
    pub about: About,
    pub(super) pre: FilterPre<State>,
}

/// What a filter says of itself. Says nothing about what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its version, in a form of its own.
    pub version: String,
    /// The JSON schema of its configuration, or nothing.
    pub config_schema: String,
}

/// Why a component is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is too large even to be read.
    #[error("the component has {bytes} bytes, and a component has at most {bytes_max}")]
    TooLarge {
        /// Bytes of the component.
        bytes: usize,
        /// Bytes that are allowed.
        bytes_max: usize,
    },
    /// It is a core module.
    #[error(
        "this is a core module and no component: make it one with `wasm-tools component new`, or build it with a tool \
         for components"
    )]
    CoreModule,
    /// It is not WebAssembly.
    #[error("this is no WebAssembly component")]
    NotAComponent,
    /// It is broken, or uses what is switched off here.
    #[error("the component cannot be compiled: {words}")]
    Invalid {
        /// What the compiler says.
        words: String,
    },
    /// It asks from the beginning for more than a filter may have.
    #[error("the component needs more than a filter may have: {words}")]
    TooHungry {
        /// Of what.
        words: String,
    },
    /// It imports what the contract does not give.
    #[error(
        "the component imports `{name}`, and a filter has nothing but `{LOGGING}`: no clock, no files, no network; \
         build it without WASI, for example for wasm32-unknown-unknown"
    )]
    ForeignImport {
        /// What it imports.
        name: String,
    },
    /// It lacks an export of the contract.
    #[error("the component does not export `{name}`: a filter exports `describe`, `configure` and `evaluate`")]
    MissingExport {
        /// What it lacks.
        name: &'static str,
    },
    /// It exports more than the contract has.
    #[error(
        "the component exports `{name}` besides the contract: a filter exports `describe`, `configure` and `evaluate`"
    )]
    ForeignExport {
        /// What it exports.
        name: String,
    },
    /// A name of the contract stands for something else.
    #[error("`{name}` of the component is not the one of hooklog:filter@1.0.0: {words}")]
    WrongType {
        /// The import or export.
        name: String,
        /// How it differs.
        words: String,
    },
    /// It failed when it was asked what it is.
    #[error("the filter does not say what it is: {0}")]
    Fault(Fault),
    /// What it says of itself breaks the form.
    #[error("the filter does not say what it is: {what} must be {form}")]
    Description {
        /// Which text.
        what: &'static str,
        /// What it must be.
        form: &'static str,
    },
}

impl LoadError {
    /// Returns the code: a word of the contract.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::CoreModule => "core_module",
            Self::NotAComponent => "not_a_component",
            Self::Invalid { .. } => "invalid",
            Self::TooHungry { .. } => "too_hungry",
            Self::ForeignImport { .. } => "foreign_import",
            Self::MissingExport { .. } => "missing_export",
            Self::ForeignExport { .. } => "foreign_export",
            Self::WrongType { .. } => "wrong_type",
            Self::Fault(fault) => fault.code(),
            Self::Description { .. } => "description",
        }
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Filter").field("about", &self.about).finish_non_exhaustive()
    }
}

/// Checks, compiles and asks a component what it is.
pub(super) fn load(setup: &Setup, engine: &Engine, cache: Option<&Cache>, bytes: &[u8]) -> Result<Filter, LoadError> {
    let loaded = checked(setup, engine, cache, bytes);
    let outcome = match &loaded {
        Ok((_, Origin::Compiled)) => "compiled",
        Ok((_, Origin::Cached)) => "cached",
        Err(_) => "refused",
    };
    setup.metrics.components.get_or_create(&OutcomeLabel::new(outcome)).inc();
    loaded.map(|(filter, _)| filter)
}

/// Refuses what is too large or no component before anything is done with it.
pub(super) fn check_outside(bytes: &[u8], bytes_max: usize) -> Result<(), LoadError> {
    if bytes.len() > bytes_max {
        return Err(LoadError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    match bytes.first_chunk::<8>() {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(LoadError::CoreModule),
        _ => Err(LoadError::NotAComponent),
    }
}

fn checked(setup: &Setup, engine: &Engine, cache: Option<&Cache>, bytes: &[u8]) -> Result<(Filter, Origin), LoadError> {
    check_outside(bytes, setup.limits.component_bytes_max)?;
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let (component, origin) = Cache::component(cache, engine, bytes, &digest)?;
    check_imports(engine, &component)?;
    let given = engine.linker.instantiate_pre(&component).map_err(|problem| wrong_type(LOGGING, &problem))?;
    check_exports(engine, &component)?;
    let pre = FilterPre::new(given).map_err(|problem| wrong_type(EVALUATE, &problem))?;
    let about = describe(setup, &pre)?;
    Ok((Filter { digest, about, pre }, origin))
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    for (name, import) in component.component_type().imports(&engine.wasm) {
        let is_given = match import.ty {
            ComponentItem::ComponentInstance(_) => matches!(name, TYPES | LOGGING),
            // The names of the types, which a world that uses them imports one by one.
            ComponentItem::Type(_) => true,
            _ => false,
        };
        if !is_given {
            return Err(LoadError::ForeignImport { name: cut_words(name) });
        }
    }
    Ok(())
}

fn check_exports(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    let component_type = component.component_type();
    if let Some((name, _)) =
        component_type.exports(&engine.wasm).find(|(name, _)| !matches!(*name, DESCRIBE | CONFIGURE | EVALUATE))
    {
        return Err(LoadError::ForeignExport { name: cut_words(name) });
    }
    let typed = Typed { engine, component };
    typed.check::<(), (bindings::About,)>(DESCRIBE)?;
    typed.check::<(&str,), (Result<(), String>,)>(CONFIGURE)?;
    typed.check::<(bindings::Event<'_>,), (bindings::Verdict,)>(EVALUATE)
}

const DESCRIBE: &str = "describe";
const CONFIGURE: &str = "configure";
const EVALUATE: &str = "evaluate";

struct Typed<'a> {
    engine: &'a Engine,
    component: &'a Component,
}

impl Typed<'_> {
    fn check<Taken: ComponentNamedList + Lower, Given: ComponentNamedList + Lift>(
        &self,
        name: &'static str,
    ) -> Result<(), LoadError> {
        let component_type = self.component.component_type();
        let Some(export) = component_type.get_export(&self.engine.wasm, name) else {
            return Err(LoadError::MissingExport { name });
        };
        let ComponentItem::ComponentFunc(function) = export.ty else {
            return Err(wrong_type(name, &wasmtime::Error::msg("it is no function")));
        };
        ComponentFunc::typecheck::<Taken, Given>(&function, &component_type.instance_type())
            .map_err(|problem| wrong_type(name, &problem))
    }
}

fn wrong_type(name: &str, problem: &wasmtime::Error) -> LoadError {
    LoadError::WrongType { name: name.to_owned(), words: cut_words(&format!("{problem:#}")) }
}

fn describe(setup: &Setup, pre: &FilterPre<State>) -> Result<About, LoadError> {
    let mut tries = 0;
    loop {
        match described(setup, pre) {
            Ok(about) => return check_about(about),
            Err(Stop::Fault(fault)) => return Err(LoadError::Fault(fault)),
            Err(Stop::Slow(stage)) => {
                tries += 1;
                if tries == TRIES_MAX {
                    return Err(LoadError::Fault(Fault::Slow { stage }));
                }
            }
        }
    }
}

fn described(setup: &Setup, pre: &FilterPre<State>) -> Result<bindings::About, Stop> {
    setup.metrics.instances.inc();
    let mut instance = Instance::start(pre, &setup.limits, setup.wall)?;
    instance.describe(ABOUT_NAME_BYTES_MAX + ABOUT_VERSION_BYTES_MAX + ABOUT_SCHEMA_BYTES_MAX)
}

fn check_about(about: bindings::About) -> Result<About, LoadError> {
    let bindings::About { name, version, config_schema } = about;
    let is_label = |text: &str, bytes_max: usize| {
        (1..=bytes_max).contains(&text.len()) && !text.contains(char::is_control) && text.trim() == text
    };
    let wrong = |what, form| Err(LoadError::Description { what, form });
    if !is_label(&name, ABOUT_NAME_BYTES_MAX) {
        return wrong("its name", "1 to 128 bytes of text in one line, without space around it");
    }
    if !is_label(&version, ABOUT_VERSION_BYTES_MAX) {
        return wrong("its version", "1 to 64 bytes of text in one line, without space around it");
    }
    if config_schema.len() > ABOUT_SCHEMA_BYTES_MAX || !is_schema(&config_schema) {
        return wrong("the schema of its configuration", "empty, or a JSON schema of at most 64 KiB");
    }
    Ok(About { name, version, config_schema })
}

/// A schema is an object; what is in it is for the reader.
fn is_schema(text: &str) -> bool {
    let is_object = |text: &str| {
        let mut cursor = Cursor::new(text.as_bytes());
        let begins_object = cursor.begin().is_ok_and(|begun| begun == Begun::Object);
        begins_object && {
            let mut whole = Cursor::new(text.as_bytes());
            whole.value().is_ok() && whole.finish().is_ok()
        }
    };
    text.is_empty() || is_object(text)
}

impl From<CompileError> for LoadError {
    fn from(problem: CompileError) -> Self {
        match problem {
            CompileError::Invalid(words) => Self::Invalid { words: cut_words(&words) },
            CompileError::TooHungry(words) => Self::TooHungry { words: cut_words(&words) },
        }
    }
}
