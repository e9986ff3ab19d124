//! What `dormouse get` is to list, and what is said when a name stands there instead.

use super::args::What;
use crate::label::is_label;
use clap::builder::{EnumValueParser, PossibleValue, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Error, ValueEnum as _};
use std::ffi::OsStr;

/// A kind; of a name, which command it is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind;

impl TypedValueParser for Kind {
    type Value = What;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<What, Error> {
        EnumValueParser::<What>::new().parse_ref(command, arg, value).map_err(|mut error| {
            let text = value.to_str().unwrap_or_default();
            let name = text.strip_prefix("service/").unwrap_or(text);
            // A slip of the pen has its tip already.
            let is_slip = name == text && error.get(ContextKind::SuggestedValue).is_some();
            if is_label(name) && !is_slip {
                let tip = format!("for the service of that name: dormouse get services {name}");
                let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
                error.insert(ContextKind::Suggested, tips);
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(What::value_variants().iter().filter_map(What::to_possible_value)))
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::args::Cli;
    use clap::{CommandFactory as _, Parser as _};

    fn refused(text: &str) -> String {
        Cli::try_parse_from(["dormouse", "get", text]).unwrap_err().to_string()
    }

    #[test]
    fn a_name_where_a_kind_belongs_gets_a_tip() {
        for text in ["hello", "service/hello"] {
            let said = refused(text);
            assert!(said.contains("for the service of that name: dormouse get services hello"), "{said}");
            assert!(said.contains("services, templates, instances, events"), "{said}");
        }
        assert!(!refused("../etc").contains("tip:"));
        let slip = refused("servics");
        assert!(slip.contains("'services'") && !slip.contains("get services servics"), "{slip}");
    }

    #[test]
    fn completions_know_the_kinds() {
        let mut script = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut Cli::command(), "dormouse", &mut script);
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("services templates instances events"), "{script}");
    }
}
