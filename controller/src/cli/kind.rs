//! What `dormouse get` is to list: a kind, or the service whose name stands there.

use super::args::What;
use crate::label::is_label;
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error, ValueEnum as _};
use std::ffi::OsStr;

/// The first word after `dormouse get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Kind(What),
    Name(String),
}

/// A kind, or else a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind;

impl TypedValueParser for Kind {
    type Value = Asked;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Asked, Error> {
        EnumValueParser::<What>::new().parse_ref(command, arg, value).map(Asked::Kind).or_else(|error| {
            let text = value.to_str().unwrap_or_default();
            let name = text.strip_prefix("service/").unwrap_or(text);
            if is_label(name) { Ok(Asked::Name(name.to_owned())) } else { Err(error) }
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(What::value_variants().iter().filter_map(What::to_possible_value)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::{Cli, Command, GetArgs, What};
    use clap::{CommandFactory as _, Parser as _};

    fn read(words: &[&str]) -> Result<GetArgs, String> {
        let words = ["dormouse", "get"].iter().chain(words);
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Get(line) => Ok(line.into()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_where_a_kind_may_stand_is_a_services() {
        for (words, what, names) in [
            (&[][..], What::Services, &[][..]),
            (&["hello"], What::Services, &["hello"]),
            (&["service/hello", "up"], What::Services, &["hello", "up"]),
            (&["services", "services"], What::Services, &["services"]),
            (&["servics"], What::Services, &["servics"]),
            (&["events", "hello"], What::Events, &["hello"]),
            (&["instances"], What::Instances, &[]),
        ] {
            let args = read(words).unwrap();
            assert_eq!(
                (args.what, &args.names[..]),
                (what, &names.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn what_can_be_neither_is_refused() {
        let said = read(&["../etc"]).unwrap_err();
        assert!(said.contains("services, templates, instances, events"), "{said}");
    }

    #[test]
    fn completions_know_the_kinds() {
        let mut script = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut Cli::command(), "dormouse", &mut script);
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("services templates instances events"), "{script}");
    }
}
