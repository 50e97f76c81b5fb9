//! Flags that change rights: to save them, or only to try them.

use serde_json::{Map, Value};

use super::super::account::merge;
use super::super::assignment::Assignment;
use super::super::exit::Failure;

/// What is to be different.
#[derive(Debug, clap::Args)]
pub(super) struct Changes {
    /// Send a type or pattern, or not (may be repeated)
    #[arg(long = "type", value_name = "TYPE=on|off")]
    types: Vec<Assignment>,
    /// Say no more of a type or pattern (may be repeated)
    #[arg(long = "no-type", value_name = "TYPE")]
    removed_types: Vec<String>,
    /// Treat a field: keep, mask, pseudonymize, remove (may be repeated)
    #[arg(long = "field", value_name = "FIELD=TREATMENT")]
    fields: Vec<Assignment>,
    /// Say no more of a field (may be repeated)
    #[arg(long = "no-field", value_name = "FIELD")]
    removed_fields: Vec<String>,
    /// What holds for what no name says
    #[arg(long, value_name = "recommended|all|none")]
    default: Option<String>,
    /// Decide on the present catalogue instead of the one that was decided on
    #[arg(long)]
    decide_anew: bool,
}

impl Changes {
    /// Returns members of rights with these changes added, as a merge patch.
    pub(super) fn members(&self, mut members: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        let is_on = |set: &Assignment| match set.value.as_str() {
            "on" => Ok((set.name.clone(), Value::Bool(true))),
            "off" => Ok((set.name.clone(), Value::Bool(false))),
            other => Err(Failure::usage(format!("--type {}={other}: must be on or off", set.name))),
        };
        let types = self.types.iter().map(is_on).collect::<Result<Vec<_>, _>>()?;
        let removed_types = self.removed_types.iter().map(|name| (name.clone(), Value::Null));
        let types: Map<_, _> = removed_types.chain(types).collect();
        let said = [
            ("default", self.default.clone().map(Value::from)),
            ("types", (!types.is_empty()).then_some(Value::Object(types))),
            ("fields", merge(&self.fields, &self.removed_fields)),
            ("catalog", self.decide_anew.then_some(Value::Null)),
        ];
        for (name, value) in said.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            match (members.get_mut(name), value) {
                // What flags say is added to what the file says.
                (Some(Value::Object(present)), Value::Object(more)) => present.extend(more),
                (_, value) => drop(members.insert(name.to_owned(), value)),
            }
        }
        Ok(members)
    }
}
