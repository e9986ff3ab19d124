//! A tree becomes a service: every field read and checked, every mistake reported.

use std::ops::Range;
use std::sync::Arc;

use crate::checks;
use crate::diagnostic::Diagnostic;
use crate::fields;
use crate::located::{Located, Spans};
use crate::node::{Entry, Node, Value, shorten};
use crate::read::{Complaint, Fields, Reader};
use crate::source::Source;
use crate::spec;
use crate::suggest;
use crate::types::{API_VERSION, KIND, Metadata, Service};

/// Paths of the controller's API where a service's name could stand.
const CONTROLLER_PAGES: [&str; 3] = ["healthz", "readyz", "metrics"];

/// Reads a document. There is no service when a diagnostic is an error.
pub(crate) fn read(source: &Arc<Source>, root: &Node) -> (Option<Located<Service>>, Vec<Diagnostic>) {
    let mut reader = Reader { source, diagnostics: Vec::new() };
    let service = document(&mut reader, root);
    let failed = reader.diagnostics.iter().any(Diagnostic::is_error);
    (service.filter(|_| !failed), reader.diagnostics)
}

fn document(reader: &mut Reader<'_>, root: &Node) -> Option<Located<Service>> {
    if !matches!(root.value, Value::Map(_)) {
        let complaint = Complaint::new(
            format!("a manifest must be a mapping, not {}", root.describe()),
            "expected `apiVersion`, `kind`, `metadata` and `spec`",
        );
        reader.error(&root.span, complaint);
        return None;
    }
    // Of another kind or version, every field would be unknown: only that is said.
    let header = Fields::of(root.map_entries());
    let kind = exactly(reader, &header, "kind", KIND);
    let version = exactly(reader, &header, "apiVersion", API_VERSION);
    if !kind || !version {
        return None;
    }
    let fields = reader.section(root, &fields::DOCUMENT);
    for name in fields::DOCUMENT.fields {
        require(reader, &fields, root, name);
    }
    let metadata = fields.entry("metadata").and_then(|entry| metadata(reader, entry));
    let name = metadata.as_ref().map(|(metadata, _)| metadata.name.as_str());
    let spec = fields.entry("spec")?;
    let (spec, depends_on) = spec::read(reader, &spec.node, &spec.key_span, name);
    let (metadata, name) = metadata?;
    let mut service = Service::new("", spec);
    service.metadata = metadata;
    Some(Located::new(service, reader.source, Spans { name, depends_on }))
}

/// A field with one accepted value. Missing is complained about elsewhere.
fn exactly(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, accepted: &str) -> bool {
    let Some(node) = fields.get(name) else {
        return true;
    };
    let Some(text) = reader.text(node, name) else {
        return false;
    };
    if text == accepted {
        return true;
    }
    let mut complaint =
        Complaint::new(format!("unknown {name} `{}`", shorten(&text)), format!("expected `{accepted}`"));
    if suggest::nearest(&text, [accepted]).is_some() {
        complaint = complaint.help(format!("did you mean `{accepted}`?"));
    }
    reader.error(&node.span, complaint);
    false
}

fn require(reader: &mut Reader<'_>, fields: &Fields<'_>, root: &Node, name: &str) {
    if fields.get(name).is_some() {
        return;
    }
    let help = match name {
        "apiVersion" => format!("add `apiVersion: {API_VERSION}`"),
        "kind" => format!("add `kind: {KIND}`"),
        "metadata" => "add `metadata: { name: hello }`".to_owned(),
        _ => "add `spec: { image: … }`".to_owned(),
    };
    let span = fields.first_key_span().unwrap_or(root.span.clone());
    let complaint =
        Complaint::new(format!("`{name}` is missing in the document"), "the document starts here");
    reader.error(&span, complaint.help(help));
}

/// The metadata, and where the name stands.
fn metadata(reader: &mut Reader<'_>, entry: &Entry) -> Option<(Metadata, Range<usize>)> {
    let fields = reader.section(&entry.node, &fields::METADATA);
    let labels = fields
        .get("labels")
        .map(|node| reader.text_map(node, "metadata.labels", checks::anything, checks::anything));
    let Some(node) = fields.get("name") else {
        // What is no mapping has been complained about.
        if matches!(entry.node.value, Value::Map(_)) {
            let complaint = Complaint::new("`metadata.name` is missing", "a service needs a name")
                .help("add a name such as `name: hello`: it becomes `hello.<domain>`");
            reader.error(&entry.key_span, complaint);
        }
        return None;
    };
    let name = reader.checked(node, "metadata.name", checks::name)?;
    if CONTROLLER_PAGES.contains(&name.as_str()) {
        let complaint = Complaint::new(
            format!("the controller has a page of its own at `/{name}`"),
            "it cannot be woken by that path",
        );
        let help = format!("`GET /api/{name}` and its host name wake it; or choose another name");
        reader.warning(&node.span, complaint.help(help));
    }
    let labels = labels.unwrap_or_default();
    Some((Metadata { name, labels }, node.span.clone()))
}
