//! Reading `-f`.

use super::args::FilesArgs;
use super::failure::Failure;
use super::output::Output;
use crate::exit::Exit;
use dormouse_manifests::{Parsed, load, parse};
use std::io::Read as _;
use std::path::PathBuf;

/// Reads files, directories and the standard input.
pub(super) fn read(args: &FilesArgs) -> Result<Parsed, Failure> {
    let mut all = Parsed::default();
    let mut stdin_is_read = false;
    for file in &args.files {
        if file != "-" {
            all.extend(load(&[PathBuf::from(file)]));
        } else if !std::mem::replace(&mut stdin_is_read, true) {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Failure::new(Exit::Usage, format!("the standard input cannot be read: {error}"))
            })?;
            all.extend(parse("stdin", &text));
        }
    }
    Ok(all)
}

/// Says what is wrong. `Usage` when a document was left out.
pub(super) fn report(parsed: &Parsed, out: Output) -> Exit {
    for diagnostic in &parsed.diagnostics {
        out.say(&diagnostic.render(out.colours));
    }
    if parsed.has_errors() { Exit::Usage } else { Exit::Done }
}

/// `dormouse validate`.
pub(super) fn validate(args: &FilesArgs, out: Output) -> Result<Exit, Failure> {
    let mut parsed = read(args)?;
    parsed.check(&|_| false);
    let exit = report(&parsed, out);
    for template in &parsed.templates {
        let name = &template.value.metadata.name;
        out.data(&format!("template/{name} is valid ({}:{})\n", template.file, template.line));
    }
    for service in &parsed.services {
        out.data(&format!(
            "service/{} is valid ({}:{})\n",
            service.value.metadata.name, service.file, service.line
        ));
    }
    if parsed.is_empty() && exit == Exit::Done {
        return Err(Failure::new(Exit::Usage, "there is no manifest in what was given"));
    }
    Ok(exit)
}
