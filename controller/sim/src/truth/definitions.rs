//! Task definitions: families, revisions, and whose they are.

use crate::sim::Sim;
use dormouse_core::definition::Content;
use dormouse_core::observed::Resources;

/// A task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimDefinition {
    /// Family.
    pub family: String,
    /// Which installation's tag it carries.
    pub install: String,
    /// Hash of its content.
    pub hash: String,
    /// What a task of it takes of an instance.
    pub size: Resources,
    /// ACTIVE.
    pub active: bool,
}

impl Sim {
    /// RegisterTaskDefinition, or the active revision with the same content.
    pub fn register(&mut self, install: &str, content: &Content) -> String {
        let hash = content.hash();
        let known = self.truth.definitions.iter().find(|(_, definition)| {
            definition.active
                && definition.family == content.family
                && definition.hash == hash
                && definition.install == install
        });
        if let Some((arn, _)) = known {
            return arn.clone();
        }
        let revision =
            self.truth.definitions.values().filter(|other| other.family == content.family).count() + 1;
        let arn = format!("arn:td/{}:{revision}", content.family);
        self.trace.note(self.now, format_args!("registered {arn}"));
        let definition = SimDefinition {
            family: content.family.clone(),
            install: install.to_owned(),
            hash,
            size: Resources { cpu: content.cpu, memory: content.memory },
            active: true,
        };
        self.truth.definitions.insert(arn.clone(), definition);
        arn
    }

    /// DeregisterTaskDefinition.
    pub fn deregister(&mut self, install: &str, arn: &str) {
        let known = self.truth.definitions.get_mut(arn);
        if let Some(definition) = known.filter(|definition| definition.install == install) {
            definition.active = false;
            self.trace.note(self.now, format_args!("deregistered {arn}"));
        }
    }
}
