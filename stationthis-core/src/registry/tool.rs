//! A tool as the registry holds it.

use std::sync::{Arc, OnceLock};

use crate::error::Result;
use crate::tool::ToolDefinition;
use crate::tool::validate::InputValidator;

/// A definition with its validator, which is compiled when it is first asked for and kept as long as the input schema
/// stays the same, over refreshes too.
#[derive(Debug)]
pub struct Tool {
    definition: ToolDefinition,
    validator: OnceLock<Arc<InputValidator>>,
}

impl Tool {
    /// A tool by its definition alone.
    #[must_use]
    pub fn new(definition: ToolDefinition) -> Self {
        Self { definition, validator: OnceLock::new() }
    }

    /// The next form of a tool that was there before.
    pub(super) fn after(before: &Arc<Self>, mut definition: ToolDefinition) -> Arc<Self> {
        if before.definition == definition {
            return Arc::clone(before);
        }
        let tool = if before.definition.input_schema == definition.input_schema {
            definition.input_schema = before.definition.input_schema.clone();
            Self { definition, validator: before.validator.clone() }
        } else {
            Self::new(definition)
        };
        Arc::new(tool)
    }

    /// What it is.
    #[must_use]
    pub fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    /// Is this a name that it had before a rename? Then it still finds the tool, and the slug is what to call it now.
    #[must_use]
    pub fn was_called(&self, typed: &str) -> bool {
        let typed = typed.trim();
        self.definition.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(typed))
    }

    /// What checks its inputs. The first call takes about a millisecond, later ones nothing.
    ///
    /// # Errors
    /// `InvalidInput` when the input schema cannot be used; then on every call.
    pub fn validator(&self) -> Result<Arc<InputValidator>> {
        if let Some(validator) = self.validator.get() {
            return Ok(Arc::clone(validator));
        }
        let compiled = InputValidator::compile(&self.definition.input_schema)
            .map_err(|error| error.with_context("tool", &self.definition.tool_id))?;
        // Two at once compile twice and one is dropped: cheaper than holding others up behind a lock.
        Ok(Arc::clone(self.validator.get_or_init(|| Arc::new(compiled))))
    }
}
