//! `dormouse apply`.

use super::args::ApplyArgs;
use super::declaration::{Server, declarations};
use super::diff::between;
use super::failure::Failure;
use super::manifests;
use super::output::Output;
use crate::client::Client;
use crate::exit::Exit;
use std::collections::BTreeSet;

/// Applies what can be; what is wrong with the rest decides the exit code.
pub(super) async fn run(args: &ApplyArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut parsed = manifests::read(&args.files)?;
    let server = Server::ask(client).await?;
    server.check(&mut parsed);
    let mut exit = manifests::report(&parsed, out);
    if parsed.is_empty() && exit == Exit::Done && !args.prune {
        return Err(Failure::new(Exit::Usage, "there is no manifest in what was given"));
    }
    let suffix = if args.dry_run { " (dry run)" } else { "" };
    let mut wanted = BTreeSet::new();
    for wish in declarations(&parsed) {
        let title = wish.title();
        let known = server.0.get(&title);
        wanted.insert(title.clone());
        let verb = match known {
            None => "created",
            Some(known) if known.declaration == wish => "unchanged",
            Some(_) => "changed",
        };
        // Who is on its way out, or was made from a template, is declared anew, though it reads the same.
        let again = known.is_some_and(|known| known.deleting || known.made);
        let sends = !args.dry_run && (again || verb != "unchanged");
        if sends {
            match wish.put(client).await {
                Ok(()) => {}
                // The next one may well be accepted; nobody else is there if this one met nobody.
                Err(error) if error.exit() != Exit::Unreachable => {
                    out.say(&format!("error: {title}: {error}"));
                    exit = error.exit();
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let diff = match known.filter(|_| verb == "changed") {
            Some(known) => between(Some(&known.declaration), Some(&wish)),
            None => String::new(),
        };
        out.data(&format!("{title} {verb}{suffix}\n{diff}"));
    }
    if args.prune {
        // What a template made is nobody's manifest: it goes when it expires.
        let declared = server.0.iter().filter(|(_, known)| !known.made);
        let extra: Vec<_> = declared.filter(|(title, _)| !wanted.contains(*title)).collect();
        if exit != Exit::Done && !extra.is_empty() {
            // The one that is missing may stand in a document with a mistake.
            out.say("nothing is pruned, because not every manifest could be applied");
            return Ok(exit);
        }
        for (title, known) in extra {
            if !args.dry_run {
                known.declaration.delete(client).await?;
            }
            out.data(&format!("{title} deleted{suffix}\n"));
        }
    }
    Ok(exit)
}
