//! `dormouse apply`.

use super::args::ApplyArgs;
use super::diff::{between, declared, known};
use super::failure::Failure;
use super::manifests;
use super::output::Output;
use crate::client::{CallError, Client};
use crate::exit::Exit;
use dormouse_core::view::ServiceView;
use dormouse_manifests::Service;
use http::Method;
use std::collections::BTreeSet;

/// Applies what can be; what is wrong with the rest decides the exit code.
pub(super) async fn run(args: &ApplyArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut parsed = manifests::read(&args.files)?;
    let known = known(client).await?;
    parsed.check(&|name| known.contains_key(name));
    let mut exit = manifests::report(&parsed, out);
    if parsed.services.is_empty() && exit == Exit::Done && !args.prune {
        return Err(Failure::new(Exit::Usage, "there is no manifest in what was given"));
    }
    let suffix = if args.dry_run { " (dry run)" } else { "" };
    let mut wanted = BTreeSet::new();
    for service in &parsed.services {
        let service = &service.value;
        let name = &service.metadata.name;
        wanted.insert(name.clone());
        let before = known.get(name).map(declared);
        let verb = match &before {
            None => "created",
            Some(before) if before == service => "unchanged",
            Some(_) => "changed",
        };
        // Who is on its way out is declared anew, though it reads the same.
        let deleting = known.get(name).is_some_and(|view| view.metadata.deleting);
        let sends = !args.dry_run && (deleting || verb != "unchanged");
        if sends {
            match put(client, service).await {
                Ok(()) => {}
                // The next one may well be accepted; nobody else is there if this one met nobody.
                Err(error) if error.exit() != Exit::Unreachable => {
                    out.say(&format!("error: service/{name}: {error}"));
                    exit = error.exit();
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let diff = if verb == "changed" { between(before.as_ref(), Some(service)) } else { String::new() };
        out.data(&format!("service/{name} {verb}{suffix}\n{diff}"));
    }
    if args.prune {
        let extra: Vec<&String> = known.keys().filter(|name| !wanted.contains(*name)).collect();
        if exit != Exit::Done && !extra.is_empty() {
            // The one that is missing may stand in a document with a mistake.
            out.say("nothing is pruned, because not every manifest could be applied");
            return Ok(exit);
        }
        for name in extra {
            if !args.dry_run {
                let _: ServiceView = client.json(Method::DELETE, &format!("/v1/services/{name}")).await?;
            }
            out.data(&format!("service/{name} deleted{suffix}\n"));
        }
    }
    Ok(exit)
}

async fn put(client: &Client, service: &Service) -> Result<(), CallError> {
    let json = serde_json::to_vec(service).map_err(|error| CallError::Answer(error.to_string()))?;
    client.put(&format!("/v1/services/{}", service.metadata.name), json).await?;
    Ok(())
}
