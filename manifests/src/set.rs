//! What can only be wrong between services: names given twice, unknown dependencies, cycles.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::Parsed;
use crate::located::Located;
use crate::suggest;
use crate::template::ServiceTemplate;
use crate::types::Service;

/// Checks services against each other. `known` tells which other names are declared already;
/// a dependency on any other name is a warning, since it may be declared later.
pub fn check_set(services: &[Located<Service>], known: &dyn Fn(&str) -> bool) -> Vec<Diagnostic> {
    check(services, known).diagnostics
}

impl Parsed {
    /// The same, for what has been parsed. What cannot be applied leaves `services`: the later of
    /// two with one name, and every member of a cycle.
    pub fn check(&mut self, known: &dyn Fn(&str) -> bool) {
        self.check_among(known, &[]);
    }

    /// The same, beside templates that are declared already.
    pub fn check_among(&mut self, known: &dyn Fn(&str) -> bool, templates: &[ServiceTemplate]) {
        let outcome = check(&self.services, known);
        self.diagnostics.extend(outcome.diagnostics);
        self.check_templates(templates);
        let mut index = 0;
        self.services.retain(|_| {
            index += 1;
            !outcome.unusable.contains(&(index - 1))
        });
    }
}

#[derive(Default)]
struct Outcome {
    diagnostics: Vec<Diagnostic>,
    /// Indexes of services.
    unusable: HashSet<usize>,
}

fn check(services: &[Located<Service>], known: &dyn Fn(&str) -> bool) -> Outcome {
    let mut outcome = Outcome::default();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, service) in services.iter().enumerate() {
        let name = service.value.metadata.name.as_str();
        match names.get(name).and_then(|first| services.get(*first)) {
            Some(first) => {
                outcome.diagnostics.push(duplicate(service, first));
                outcome.unusable.insert(index);
            }
            None => {
                names.insert(name, index);
            }
        }
    }
    for service in services {
        let dependencies = service.value.spec.depends_on.iter();
        for (name, span) in dependencies.zip(&service.spans.depends_on) {
            if !names.contains_key(name.as_str()) && !known(name) {
                let mut diagnostic = Diagnostic::new(
                    Severity::Warning,
                    &service.source,
                    span.clone(),
                    format!("`{name}` is not declared"),
                )
                .label("it cannot be woken until it is");
                if let Some(near) = suggest::nearest(name, names.keys().copied()) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                outcome.diagnostics.push(diagnostic);
            }
        }
    }
    for cycle in cycles(services, &names) {
        outcome.diagnostics.extend(describe(services, &cycle));
        outcome.unusable.extend(cycle);
    }
    outcome
}

fn duplicate(second: &Located<Service>, first: &Located<Service>) -> Diagnostic {
    let name = &second.value.metadata.name;
    let diagnostic = Diagnostic::error(
        &second.source,
        second.spans.name.clone(),
        format!("the name `{name}` is given twice"),
    )
    .label("the second time");
    if Arc::ptr_eq(&first.source, &second.source) {
        diagnostic.related(first.spans.name.clone(), "the first time")
    } else {
        diagnostic.help(format!("the first is at {}:{}:{}", first.file, first.line, first.column))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// On the way that is being followed.
    Open,
    Done,
}

/// Each cycle once, as indexes in the order of the arrows. A walk in depth without recursion: a
/// chain may be as long as the set.
fn cycles(services: &[Located<Service>], names: &BTreeMap<&str, usize>) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut marks: HashMap<usize, Mark> = HashMap::new();
    let next = |index: usize, position: usize| -> Option<Option<usize>> {
        let dependencies = &services.get(index)?.value.spec.depends_on;
        let name = dependencies.get(position)?;
        Some(names.get(name.as_str()).copied())
    };
    for start in names.values().copied() {
        if marks.contains_key(&start) {
            continue;
        }
        marks.insert(start, Mark::Open);
        let mut way = vec![(start, 0)];
        while let Some((index, position)) = way.last_mut() {
            let Some(target) = next(*index, *position) else {
                marks.insert(*index, Mark::Done);
                way.pop();
                continue;
            };
            *position += 1;
            let Some(target) = target else { continue };
            match marks.get(&target) {
                Some(Mark::Done) => {}
                Some(Mark::Open) => {
                    let nodes = way.iter().map(|(index, _)| *index);
                    found.push(nodes.skip_while(|index| *index != target).collect());
                }
                None => {
                    marks.insert(target, Mark::Open);
                    way.push((target, 0));
                }
            }
        }
    }
    found
}

/// Points at the dependency of the cycle's first service.
fn describe(services: &[Located<Service>], cycle: &[usize]) -> Option<Diagnostic> {
    let members: Vec<&Located<Service>> = cycle.iter().filter_map(|index| services.get(*index)).collect();
    let first = members.first()?;
    let name_of = |service: &Located<Service>| service.value.metadata.name.clone();
    let mut names: Vec<String> = members.iter().map(|service| name_of(service)).collect();
    let second = names.get(1).or(names.first())?.clone();
    names.push(name_of(first));
    let position = first.value.spec.depends_on.iter().position(|name| *name == second)?;
    let span = first.spans.depends_on.get(position)?.clone();
    Some(
        Diagnostic::error(
            &first.source,
            span,
            format!("the dependencies form a cycle: {}", names.join(" -> ")),
        )
        .label("the cycle starts here")
        .help("remove one of these dependencies"),
    )
}
