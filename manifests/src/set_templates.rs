//! What can only be wrong between templates: names given twice, and names that two of them are for.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::Parsed;
use crate::located::Located;
use crate::template::ServiceTemplate;

impl Parsed {
    /// Checks templates against each other and against those that are `known` already. Of two with one name the later
    /// leaves `templates`; where two are for the same names, it is said which of them is taken.
    pub fn check_templates(&mut self, known: &[ServiceTemplate]) {
        let mut seen: HashSet<String> = HashSet::new();
        let Parsed { templates, diagnostics, .. } = self;
        templates.retain(|template| {
            let name = &template.value.metadata.name;
            let is_new = seen.insert(name.clone());
            if !is_new {
                let message = format!("the template's name `{name}` is given twice");
                let span = template.spans.name.clone();
                diagnostics.push(Diagnostic::error(&template.source, span, message).label("the second time"));
            }
            is_new
        });
        for (index, template) in templates.iter().enumerate() {
            let earlier = templates.iter().take(index).map(|earlier| &earlier.value);
            let others = known.iter().filter(|other| !seen.contains(&other.metadata.name));
            diagnostics.extend(earlier.chain(others).filter_map(|other| shared(template, other)));
        }
    }
}

/// Says which of two is taken for the names that both are for.
fn shared(template: &Located<ServiceTemplate>, other: &ServiceTemplate) -> Option<Diagnostic> {
    if !template.value.overlaps(other) {
        return None;
    }
    let own = &template.value;
    let (taken, left) = if own.wins_over(other) { (own, other) } else { (other, own) };
    let why = if taken.spec.pattern.len() == left.spec.pattern.len() {
        "they fix as much of a name, and it comes first by its own"
    } else {
        "it fixes more of a name"
    };
    let message = format!("the template `{}` is for some of these names, too", other.metadata.name);
    let label = format!("`{}` is taken for those: {why}", taken.metadata.name);
    let span = template.spans.pattern.clone().unwrap_or_default();
    let warning = Diagnostic::new(Severity::Warning, &template.source, span, message).label(label);
    Some(warning.help(format!("its `match` is `{}`", other.spec.pattern)))
}
