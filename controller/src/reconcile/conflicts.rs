//! What of services' names is somebody else's, by zone: each zone is planned by itself.

use std::collections::{BTreeMap, BTreeSet};

/// Zone id → service → what of its name is not ours.
#[derive(Debug, Default)]
pub struct Conflicts(BTreeMap<String, BTreeMap<String, String>>);

impl Conflicts {
    /// What one zone has of them now; answers for which services that is news.
    pub fn note(&mut self, zone: &str, conflicts: &BTreeMap<String, String>) -> BTreeSet<String> {
        let known = self.0.entry(zone.to_owned()).or_default();
        let names = known.keys().chain(conflicts.keys());
        let changed = names.filter(|name| known.get(*name) != conflicts.get(*name)).cloned().collect();
        known.clone_from(conflicts);
        changed
    }

    /// What of a service's name is not ours, in whichever zone.
    pub fn of(&self, service: &str) -> Option<&str> {
        self.0.values().find_map(|zone| zone.get(service)).map(String::as_str)
    }

    /// The services of whose names something is not ours.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.0.values().flat_map(|zone| zone.keys()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_zone_tells_of_its_own() {
        let mut conflicts = Conflicts::default();
        let of = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), format!("{name} is taken"))).collect()
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(conflicts.note("public", &of(&["a"])), names(&["a"]));
        assert_eq!(conflicts.note("private", &of(&["b"])), names(&["b"]));
        assert_eq!(conflicts.note("private", &of(&["b"])), names(&[]), "that is no news");
        assert_eq!((conflicts.of("a"), conflicts.of("b")), (Some("a is taken"), Some("b is taken")));
        assert_eq!(conflicts.services().collect::<BTreeSet<_>>(), ["a", "b"].into());
        assert_eq!(conflicts.note("public", &of(&[])), names(&["a"]));
        assert_eq!(
            (conflicts.of("a"), conflicts.of("b")),
            (None, Some("b is taken")),
            "the other zone's stays"
        );
    }
}
