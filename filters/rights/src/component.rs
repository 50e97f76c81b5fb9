//! The component: the shell that makes the core a filter of `wit/filter.wit`.
//!
//! It keeps one table from `configure` on. Where the contract has no word for what went wrong it traps, and the
//! host lets nothing out.

use std::sync::OnceLock;

use bindings::{About, Event, Guest, Verdict};

use crate::Table;
use crate::arena::Arena;

#[expect(unsafe_code, reason = "the bindings hand strings over as pointers and lengths")]
#[expect(clippy::too_many_arguments, reason = "an event goes over as one number for each of its parts")]
mod bindings {
    wit_bindgen::generate!({ world: "filter", path: "../../wit" });

    export!(Rights with_types_in self);
    use super::Rights;
}

struct Rights;

#[global_allocator]
static ARENA: Arena = Arena::new();

static TABLE: OnceLock<Table> = OnceLock::new();

impl Guest for Rights {
    fn describe() -> About {
        About { name: "rights".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), config_schema: String::new() }
    }

    fn configure(config: String) -> Result<(), String> {
        let table = Table::parse(config).map_err(|error| error.to_string())?;
        TABLE.set(table).map_err(|_| "already configured".to_owned())?;
        ARENA.keep();
        Ok(())
    }

    fn evaluate(event: Event) -> Verdict {
        let table = TABLE.get().expect("the host configures a filter before it asks");
        match table.evaluate(&event.type_, &event.payload) {
            Ok(crate::Verdict::Pass) => Verdict::Pass,
            Ok(crate::Verdict::Drop(reason)) => Verdict::Drop(reason.to_owned()),
            Ok(crate::Verdict::Rewrite(payload)) => Verdict::Rewrite(payload),
            // Bad input is a fault of whoever gave it, and the only way to say so is a trap.
            Err(error) => panic!("{error}"),
        }
    }
}
