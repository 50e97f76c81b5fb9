//! Makes a component of a core module that was built against `wit/`.
//!
//! Not a check that it is a filter: the host does that, with every component. The module carries the types
//! of its world; they become the component's.

use std::fs;
use std::path::Path;

use wit_component::ComponentEncoder;

/// Writes the component.
pub(crate) fn encode(module: &Path, component: &Path) -> Result<(), String> {
    let module = fs::read(module).map_err(|problem| format!("{} cannot be read: {problem}", module.display()))?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|mut encoder| encoder.encode());
    let bytes = encoded.map_err(|problem| format!("{problem:#}"))?;
    fs::write(component, bytes).map_err(|problem| format!("{} cannot be written: {problem}", component.display()))
}
