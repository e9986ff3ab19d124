//! The table as clap arguments. All values stay texts: what is wrong is said in one place, and all at once.

use super::table::{SECRETS, SETTINGS, Setting};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::collections::BTreeMap;

/// The settings as they were given, by flag or else by variable.
#[derive(Debug, Clone, Default)]
pub struct ControllerArgs {
    values: BTreeMap<&'static str, String>,
}

impl ControllerArgs {
    /// The value that was given for a variable.
    pub fn get(&self, variable: &str) -> Option<String> {
        self.values.get(variable).cloned()
    }
}

fn arg(setting: &Setting) -> Arg {
    let help = match (setting.default, setting.required) {
        (Some(default), _) => format!("{} [default: {default}]", setting.help),
        (None, true) => format!("{} [required]", setting.help),
        (None, false) => setting.help.to_owned(),
    };
    Arg::new(setting.variable)
        .long(setting.flag)
        .env(setting.variable)
        .hide_env_values(true)
        .value_name(setting.value)
        .help(help)
        .allow_hyphen_values(true)
        .hide_default_value(SECRETS.contains(&setting.variable))
}

impl Args for ControllerArgs {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(arg(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        ControllerArgs::augment_args(command)
    }
}

impl FromArgMatches for ControllerArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ControllerArgs, clap::Error> {
        let mut args = ControllerArgs::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            if let Some(value) = matches.get_one::<String>(setting.variable) {
                self.values.insert(setting.variable, value.clone());
            }
        }
        Ok(())
    }
}
