//! Who depends on whom, the other way round: asked for each plan and each heartbeat of a service that is awake.

use std::collections::{BTreeMap, BTreeSet};

/// Service → those that depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Dependents(BTreeMap<String, BTreeSet<String>>);

impl Dependents {
    /// A service depends on others than before.
    pub(super) fn changed(&mut self, name: &str, before: &[String], after: &[String]) {
        if before == after {
            return;
        }
        for needed in before {
            if let Some(by) = self.0.get_mut(needed) {
                by.remove(name);
                if by.is_empty() {
                    self.0.remove(needed);
                }
            }
        }
        for needed in after {
            self.0.entry(needed.clone()).or_default().insert(name.to_owned());
        }
    }

    /// Those that depend on a service.
    pub(super) fn on(&self, name: &str) -> impl Iterator<Item = &String> {
        self.0.get(name).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_to_what_would_be_found_anew() {
        let mut dependents = Dependents::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, after) in [
            ("shop", &["db", "cache"][..]),
            ("blog", &["db"]),
            ("shop", &["db"]),
            ("shop", &["db"]),
            ("blog", &[]),
            ("wiki", &["search", "db"]),
            ("shop", &[]),
        ] {
            let before = known.insert(name, names(after)).unwrap_or_default();
            dependents.changed(name, &before, &names(after));
            for needed in ["db", "cache", "search", "nobody"] {
                let expected: Vec<&str> = known
                    .iter()
                    .filter(|(_, on)| on.iter().any(|on| on == needed))
                    .map(|(by, _)| *by)
                    .collect();
                assert_eq!(
                    dependents.on(needed).collect::<Vec<_>>(),
                    expected,
                    "{needed} after {name} {after:?}"
                );
            }
        }
        dependents.changed("wiki", &names(&["search", "db"]), &[]);
        assert_eq!(dependents, Dependents::default(), "nothing is left behind");
    }
}
