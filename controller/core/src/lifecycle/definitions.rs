//! Task definitions to register and deregister.

use super::Step;
use crate::definition::content;
use crate::settings::Settings;
use dormouse_peer::wire::Role;
use dormouse_state::{Definition, Definitions, ServiceRecord, planted};

/// The definition of a role.
pub(super) fn of(definitions: &Definitions, role: Role) -> Option<&Definition> {
    match role {
        Role::Proxy => definitions.proxy.as_ref(),
        Role::Service => definitions.service.as_ref(),
    }
}

/// The same, to change it.
pub(super) fn of_mut(definitions: &mut Definitions, role: Role) -> &mut Option<Definition> {
    match role {
        Role::Proxy => &mut definitions.proxy,
        Role::Service => &mut definitions.service,
    }
}

pub(super) fn plan(
    settings: &Settings,
    next: &mut ServiceRecord,
    waits: bool,
    compared: bool,
    steps: &mut Vec<Step>,
) {
    for role in Role::ALL {
        if next.deleting {
            let gone = of_mut(&mut next.definitions, role).take().and_then(|definition| definition.arn);
            next.definitions.retired.extend(gone);
            continue;
        }
        // To write a definition out and to hash it is most of a plan's work.
        if compared && of(&next.definitions, role).is_some_and(|known| known.arn.is_some()) {
            continue;
        }
        let content = content(settings, &next.name, &next.spec, role);
        let hash = content.hash();
        let slot = of_mut(&mut next.definitions, role);
        if slot.as_ref().is_none_or(|known| known.hash != hash) {
            let old = slot.replace(Definition { hash, arn: None }).and_then(|known| known.arn);
            next.definitions.retired.extend(old);
        }
        if !waits && of(&next.definitions, role).is_some_and(|known| known.arn.is_none()) {
            steps.push(Step::Register { role, content: Box::new(content) });
        }
    }
    next.observed_generation = next.generation;
    if waits || next.definitions.retired.is_empty() {
        return;
    }
    let named: Vec<&str> = next
        .pairs()
        .flat_map(|pair| Role::ALL.map(|role| pair.task(role)))
        .filter(|intent| intent.is_open())
        .map(|intent| intent.parameters.task_definition.as_str())
        .collect();
    let is_free = |arn: &str| !named.contains(&arn) || planted!(DeregistersInUse);
    let free = next.definitions.retired.iter().filter(|arn| is_free(arn));
    steps.extend(free.map(|arn| Step::Deregister { arn: arn.clone() }));
}
