//! Reading a template's `spec`.

use std::ops::Range;

use super::{ServiceTemplate, TemplateSpec, default_expiry, default_max};
use crate::checks;
use crate::fields;
use crate::node::{Entry, Value};
use crate::places::Values;
use crate::read::{Complaint, Reader};
use crate::spec;
use crate::types::Metadata;

const MAX: std::ops::RangeInclusive<u32> = 1..=1000;

/// The template of a document, and where its `match` stands.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    entry: &Entry,
    metadata: Option<Metadata>,
) -> Option<(ServiceTemplate, Range<usize>)> {
    let fields = reader.section(&entry.node, &fields::TEMPLATE);
    if !matches!(entry.node.value, Value::Map(_)) {
        return None;
    }
    let (mut max, mut expire_after) = (default_max(), default_expiry());
    fields.read("max", &mut max, |n| reader.integer(n, "max", MAX));
    fields.read("expireAfter", &mut expire_after, |n| {
        reader.parsed(n, "expireAfter", "a duration", |text| checks::positive("expireAfter", text))
    });
    for (name, example) in [("match", "match: \"preview-*\""), ("template", "template: { image: … }")] {
        if fields.get(name).is_none() {
            let complaint =
                Complaint::new(format!("`{name}` is missing in a template"), "its `spec` starts here");
            reader.error(&entry.key_span, complaint.help(format!("add `{example}`")));
        }
    }
    let pattern = fields.get("match").and_then(|n| reader.checked(n, "match", checks::name_pattern));
    // What is wrong with the services is said once, by one that could be made.
    let (captured, name) = ("1", pattern.as_deref().unwrap_or("*").replace('*', "1"));
    let service = fields.entry("template")?;
    let spec = reader.with_places(Values { name: &name, captured }, |reader| {
        spec::read(reader, &service.node, &service.key_span, Some(&name)).0
    });
    let template = TemplateSpec { pattern: pattern?, max, expire_after, template: spec };
    let mut whole = ServiceTemplate::new("", "", template.template.clone());
    (whole.metadata, whole.spec) = (metadata?, template);
    if !reader.diagnostics.iter().any(crate::Diagnostic::is_error)
        && let Err(why) = whole.service(&name)
    {
        let complaint =
            Complaint::new(format!("a service of this template would not be valid: {why}"), "of this");
        reader.error(&service.key_span, complaint.help(format!("that is `{name}`, for instance")));
    }
    let span = fields.get("match").map(|node| node.span.clone())?;
    Some((whole, span))
}
