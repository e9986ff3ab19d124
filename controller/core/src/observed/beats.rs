//! Heartbeats, found by whose they are: a plan of one service looks at its own alone.

use super::Beat;
use dormouse_peer::token::Identity;
use std::collections::BTreeMap;

/// The last heartbeat of each sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beats(BTreeMap<String, Vec<(Identity, Beat)>>);

impl Beats {
    /// Those of a service's sidecars, sorted.
    pub fn of(&self, service: &str) -> &[(Identity, Beat)] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }

    /// The last one of a sidecar.
    pub fn get(&self, identity: &Identity) -> Option<&Beat> {
        self.of(&identity.service).iter().find(|(own, _)| own == identity).map(|(_, beat)| beat)
    }

    /// A sidecar was heard.
    pub fn insert(&mut self, identity: Identity, beat: Beat) {
        if !self.0.contains_key(&identity.service) {
            self.0.insert(identity.service.clone(), Vec::with_capacity(2));
        }
        let Some(own) = self.0.get_mut(&identity.service) else { return };
        match own.binary_search_by(|(known, _)| known.cmp(&identity)) {
            Ok(at) => own[at].1 = beat,
            Err(at) => own.insert(at, (identity, beat)),
        }
    }

    /// Keeps only those of these sidecars.
    pub fn retain(&mut self, mut keeps: impl FnMut(&Identity) -> bool) {
        self.0.retain(|_, own| {
            own.retain(|(identity, _)| keeps(identity));
            !own.is_empty()
        });
    }
}

impl Extend<(Identity, Beat)> for Beats {
    fn extend<T: IntoIterator<Item = (Identity, Beat)>>(&mut self, heard: T) {
        heard.into_iter().for_each(|(identity, beat)| self.insert(identity, beat));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_peer::wire::{Role, SidecarState};
    use jiff::Timestamp;

    #[test]
    fn each_sidecars_last_is_kept_by_its_service() {
        let identity =
            |service: &str, role, attempt| Identity { service: service.into(), role, epoch: 1, attempt };
        let beat = |second| Beat::new(Timestamp::from_second(second).unwrap(), SidecarState::Serving);
        let mut beats = Beats::default();
        let heard = [
            ("a", Role::Proxy, 1, 10),
            ("a", Role::Service, 1, 11),
            ("b", Role::Proxy, 1, 12),
            ("a", Role::Proxy, 1, 13),
            ("a", Role::Proxy, 2, 14),
        ];
        beats.extend(heard.map(|(service, role, attempt, at)| (identity(service, role, attempt), beat(at))));
        for (service, role, attempt, at) in [
            ("a", Role::Proxy, 1, Some(13)),
            ("a", Role::Service, 1, Some(11)),
            ("a", Role::Proxy, 2, Some(14)),
            ("b", Role::Proxy, 1, Some(12)),
            ("b", Role::Service, 1, None),
            ("c", Role::Proxy, 1, None),
        ] {
            assert_eq!(
                beats.get(&identity(service, role, attempt)),
                at.map(beat).as_ref(),
                "{service} {role} {attempt}"
            );
        }
        assert_eq!((beats.of("a").len(), beats.of("b").len(), beats.of("c").len()), (3, 1, 0));
        beats.retain(|own| own.service == "a" && own.attempt == 1);
        assert_eq!((beats.of("a").len(), beats.of("b").len()), (2, 0));
        beats.retain(|_| false);
        assert_eq!(beats, Beats::default());
    }
}
