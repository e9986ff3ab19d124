//! What a manifest changes.

use super::args::FilesArgs;
use super::declaration::{Declaration, Server, declarations};
use super::failure::Failure;
use super::manifests;
use super::output::Output;
use crate::client::Client;
use crate::exit::Exit;
use similar::TextDiff;

/// Lines that go and come; empty when nothing changes.
pub(super) fn between(before: Option<&Declaration>, after: Option<&Declaration>) -> String {
    let yaml = |one: Option<&Declaration>| one.map(Declaration::yaml).unwrap_or_default();
    let (before, after) = (yaml(before), yaml(after));
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(2).to_string()
}

/// `dormouse diff`.
pub(super) async fn run(args: &FilesArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut parsed = manifests::read(args)?;
    let server = Server::ask(client).await?;
    server.check(&mut parsed);
    let exit = manifests::report(&parsed, out);
    for wish in declarations(&parsed) {
        let title = wish.title();
        let before = server.0.get(&title).map(|known| &known.declaration);
        let diff = between(before, Some(&wish));
        if !diff.is_empty() {
            out.data(&format!("{title}\n{diff}"));
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_manifests::{Service, ServiceSpec};

    #[test]
    fn only_what_changes_is_shown() {
        let before = Service::new("hello", ServiceSpec::defaults_for("nginx:1"));
        let mut after = before.clone();
        after.spec.image = Some("nginx:2".into());
        let [before, after] = [before, after].map(|service| Declaration::Service(Box::new(service)));
        assert_eq!(between(Some(&before), Some(&before)), "");
        let diff = between(Some(&before), Some(&after));
        assert!(diff.contains("-  image: nginx:1\n+  image: nginx:2\n"), "{diff}");
        assert!(!diff.contains("gracePeriod"), "{diff}");
    }
}
