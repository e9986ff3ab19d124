//! A tree becomes a service or a template: every field read and checked, every mistake reported.

use std::ops::Range;
use std::sync::Arc;

use crate::checks;
use crate::diagnostic::Diagnostic;
use crate::fields;
use crate::located::{Located, Spans};
use crate::node::{Entry, Node, Value, shorten};
use crate::read::{Complaint, Fields, Reader, join};
use crate::source::Source;
use crate::spec;
use crate::suggest;
use crate::template::{self, ServiceTemplate, TEMPLATE_KIND};
use crate::types::{API_VERSION, KIND, Metadata, Service};

/// Paths of the controller's API where a service's name could stand.
const CONTROLLER_PAGES: [&str; 3] = ["healthz", "readyz", "metrics"];

/// What a document declares.
pub(crate) enum Declared {
    Service(Box<Located<Service>>),
    Template(Box<Located<ServiceTemplate>>),
}

/// Reads a document. It declares nothing when a diagnostic is an error.
pub(crate) fn read(source: &Arc<Source>, root: &Node) -> (Option<Declared>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let declared = document(&mut reader, root);
    let failed = reader.diagnostics.iter().any(Diagnostic::is_error);
    (declared.filter(|_| !failed), reader.diagnostics)
}

fn document(reader: &mut Reader<'_>, root: &Node) -> Option<Declared> {
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
    let kind = one_of(reader, &header, "kind", &[KIND, TEMPLATE_KIND]);
    let version = one_of(reader, &header, "apiVersion", &[API_VERSION]);
    if !kind || !version {
        return None;
    }
    let is_template = matches!(header.get("kind").map(|node| &node.value), Some(Value::Scalar { text, .. }) if text == TEMPLATE_KIND);
    let fields = reader.section(root, &fields::DOCUMENT);
    for name in fields::DOCUMENT.fields {
        require(reader, &fields, root, name);
    }
    let metadata = fields.entry("metadata").and_then(|entry| metadata(reader, entry, is_template));
    if is_template {
        let (metadata, name) = metadata.unzip();
        let (template, pattern) = template::read::read(reader, fields.entry("spec")?, metadata)?;
        let spans = Spans { name: name?, depends_on: Vec::new(), pattern: Some(pattern) };
        return Some(Declared::Template(Box::new(Located::new(template, reader.source, spans))));
    }
    let name = metadata.as_ref().map(|(metadata, _)| metadata.name.as_str());
    let spec = fields.entry("spec")?;
    let (spec, depends_on) = spec::read(reader, &spec.node, &spec.key_span, name);
    let (metadata, name) = metadata?;
    let mut service = Service::new("", spec);
    service.metadata = metadata;
    let spans = Spans { name, depends_on, pattern: None };
    Some(Declared::Service(Box::new(Located::new(service, reader.source, spans))))
}

/// A field with few accepted values. Missing is complained about elsewhere.
fn one_of(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, accepted: &[&str]) -> bool {
    let Some(node) = fields.get(name) else {
        return true;
    };
    let Some(text) = reader.text(node, name) else {
        return false;
    };
    if accepted.contains(&text.as_str()) {
        return true;
    }
    let listed = join(accepted, "or");
    let mut complaint =
        Complaint::new(format!("unknown {name} `{}`", shorten(&text)), format!("expected {listed}"));
    if let Some(near) = suggest::nearest(&text, accepted.iter().copied()) {
        complaint = complaint.help(format!("did you mean `{near}`?"));
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
fn metadata(reader: &mut Reader<'_>, entry: &Entry, is_template: bool) -> Option<(Metadata, Range<usize>)> {
    let fields = reader.section(&entry.node, &fields::METADATA);
    let labels = fields
        .get("labels")
        .map(|node| reader.text_map(node, "metadata.labels", checks::anything, checks::anything));
    let Some(node) = fields.get("name") else {
        // What is no mapping has been complained about.
        if matches!(entry.node.value, Value::Map(_)) {
            let (label, help) = if is_template {
                ("a template needs a name of its own", "add a name such as `name: preview`")
            } else {
                ("a service needs a name", "add a name such as `name: hello`: it becomes `hello.<domain>`")
            };
            let complaint = Complaint::new("`metadata.name` is missing", label).help(help);
            reader.error(&entry.key_span, complaint);
        }
        return None;
    };
    let name = reader.checked(node, "metadata.name", checks::name)?;
    if !is_template && CONTROLLER_PAGES.contains(&name.as_str()) {
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
