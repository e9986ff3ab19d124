//! Instances and their group as they were last read together, and instances alone where only these could be.

use dormouse_core::observed::{Fleet, Group, Instance};
use jiff::Timestamp;

/// What is known of the instances and their group.
#[derive(Debug, Default)]
pub struct KnownFleet {
    whole: Option<(Timestamp, Fleet)>,
    /// With instances that were read later: enough to find a place, and nothing to size a group by.
    newer: Option<(Timestamp, Fleet)>,
    /// The group, read later, and not the instances.
    group: Option<(Timestamp, Group)>,
}

impl KnownFleet {
    /// Both as they were read together, and when that began.
    pub fn whole(&self) -> Option<(Timestamp, &Fleet)> {
        self.whole.as_ref().map(|(at, fleet)| (*at, fleet))
    }

    /// The same, with the newest that is known of the instances; before the group was read, with these alone.
    pub fn places(&self) -> Option<(Timestamp, &Fleet)> {
        self.newer.as_ref().or(self.whole.as_ref()).map(|(at, fleet)| (*at, fleet))
    }

    /// A reading that began at `began` has come to its end; another may have begun later, and ended sooner.
    pub fn read(&mut self, began: Timestamp, fleet: Fleet) {
        if self.whole().is_none_or(|(known, _)| known <= began) {
            self.whole = Some((began, fleet));
            self.newer = self.newer.take().filter(|(known, _)| *known > began);
        }
    }

    /// The same, where the group could not be read.
    pub fn read_without_group(&mut self, began: Timestamp, instances: Vec<Instance>) {
        if self.places().is_none_or(|(known, _)| known <= began) {
            let known = self.places().map(|(_, fleet)| fleet.clone()).unwrap_or_default();
            self.newer = Some((began, Fleet { instances, ..known }));
        }
    }

    /// The same, where the instances could not be read.
    pub fn read_without_instances(&mut self, began: Timestamp, group: Group) {
        if self.group.as_ref().is_none_or(|(known, _)| *known <= began) {
            self.group = Some((began, group));
        }
    }

    /// The group, where it was read later than the instances.
    pub fn group_alone(&self) -> Option<&Group> {
        let whole = self.whole().map(|(at, _)| at);
        self.group.as_ref().filter(|(at, _)| Some(*at) > whole).map(|(_, group)| group)
    }

    /// The group was given a larger desired capacity.
    pub fn raised(&mut self, desired: u32) {
        for (_, fleet) in self.whole.iter_mut().chain(&mut self.newer) {
            fleet.group.desired = fleet.group.desired.max(desired);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_core::observed::Resources;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn instances(tasks: u32) -> Vec<Instance> {
        vec![Instance {
            arn: "arn:ci/1".into(),
            ec2_id: "i-1".into(),
            active: true,
            status: "ACTIVE".into(),
            connected: true,
            registered: Resources::default(),
            remaining: Resources::default(),
            architecture: None,
            tasks,
        }]
    }

    #[test]
    fn an_older_reading_comes_too_late() {
        let mut known = KnownFleet::default();
        for (began, desired, expected) in [(1, 1, 1), (3, 3, 3), (2, 2, 3), (3, 4, 4)] {
            let group = Group { desired, ..Group::default() };
            known.read(at(began), Fleet { group, ..Fleet::default() });
            let (_, fleet) = known.whole().unwrap();
            assert_eq!(fleet.group.desired, expected, "read from second {began} on");
        }
    }

    #[test]
    fn the_group_alone_is_known_while_the_instances_cannot_be_read() {
        let mut known = KnownFleet::default();
        let group = |desired| Group { desired, ..Group::default() };
        let alone = |known: &KnownFleet| known.group_alone().map(|group| group.desired);
        known.read_without_instances(at(1), group(1));
        assert_eq!((alone(&known), known.whole()), (Some(1), None));
        known.read(at(2), Fleet { group: group(2), ..Fleet::default() });
        assert_eq!(alone(&known), None);
        for (began, expected) in [(4, 4), (3, 4), (5, 5)] {
            known.read_without_instances(at(began), group(began.try_into().unwrap()));
            assert_eq!(alone(&known), Some(expected), "read from second {began} on");
        }
    }

    /// A place that became free is seen, and no later reading of both is passed over for it.
    #[test]
    fn a_place_is_seen_where_only_the_instances_could_be_read() {
        let mut known = KnownFleet::default();
        let tasks = |known: &KnownFleet| known.places().map(|(_, fleet)| fleet.instances[0].tasks);
        assert_eq!(tasks(&known), None);
        known.read_without_group(at(1), instances(1));
        assert_eq!((tasks(&known), known.whole()), (Some(1), None), "of its group nothing is known");
        let whole = |tasks| Fleet { instances: instances(tasks), ..Fleet::default() };
        known.read(at(10), whole(3));
        for (began, read, expected) in [(9, 9, 3), (20, 2, 2), (30, 1, 1), (25, 9, 1)] {
            known.read_without_group(at(began), instances(read));
            assert_eq!(tasks(&known), Some(expected), "read from second {began} on");
        }
        known.raised(4);
        assert_eq!(
            known.whole(),
            Some((at(10), &Fleet { group: known.whole().unwrap().1.group.clone(), ..whole(3) }))
        );
        assert_eq!(known.places().unwrap().1.group.desired, 4);
        known.read(at(29), whole(7));
        assert_eq!(tasks(&known), Some(1), "the instances were read later");
        known.read(at(31), whole(0));
        assert_eq!(tasks(&known), Some(0));
    }
}
