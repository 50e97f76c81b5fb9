//! Who did it: the author of a command.

use serde::{Deserialize, Serialize};

/// Who gave a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Who {
    /// Whoever holds the operator's token.
    Operator,
    /// A token, by its id and the name it had.
    Token {
        /// The token's id.
        id: String,
        /// The token's name when it was used.
        name: String,
    },
    /// hooklog itself.
    System,
}

impl Who {
    /// Returns how the API writes the author.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Token { id, name } => format!("token {name} ({id})"),
            Self::System => "hooklog".to_owned(),
        }
    }
}
