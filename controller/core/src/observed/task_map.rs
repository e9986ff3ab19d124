//! Tasks by ARN, found by whose they are as well: a plan of one service looks at its own alone.

use super::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// Tasks by ARN. Reads like a map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskMap {
    tasks: BTreeMap<String, Task>,
    /// Service → ARNs of its tasks.
    by_service: BTreeMap<String, BTreeSet<String>>,
}

impl Deref for TaskMap {
    type Target = BTreeMap<String, Task>;

    fn deref(&self) -> &Self::Target {
        &self.tasks
    }
}

impl TaskMap {
    /// The tasks that carry a service's mark, by ARN.
    pub fn of<'a>(&'a self, service: &str) -> impl Iterator<Item = &'a Task> + Clone + use<'a> {
        let arns = self.by_service.get(service).into_iter().flatten();
        arns.filter_map(|arn| self.tasks.get(arn))
    }

    /// Puts a task in, in place of the one that was known.
    pub fn insert(&mut self, arn: String, task: Task) {
        self.remove(&arn);
        if let Some(own) = &task.identity {
            self.by_service.entry(own.service.clone()).or_default().insert(arn.clone());
        }
        self.tasks.insert(arn, task);
    }

    /// Takes a task out.
    pub fn remove(&mut self, arn: &str) -> Option<Task> {
        let task = self.tasks.remove(arn)?;
        if let Some(own) = &task.identity
            && let Some(arns) = self.by_service.get_mut(&own.service)
        {
            arns.remove(arn);
            if arns.is_empty() {
                self.by_service.remove(&own.service);
            }
        }
        Some(task)
    }

    /// Keeps only these.
    pub fn retain(&mut self, mut keeps: impl FnMut(&String, &Task) -> bool) {
        let gone: Vec<String> =
            self.tasks.iter().filter(|(arn, task)| !keeps(arn, task)).map(|(arn, _)| arn.clone()).collect();
        for arn in gone {
            self.remove(&arn);
        }
    }

    /// A task, to note what became of it. Whose it is never changes.
    pub fn get_mut(&mut self, arn: &str) -> Option<&mut Task> {
        self.tasks.get_mut(arn)
    }

    /// All of them, in the same way.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.tasks.values_mut()
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        *self = TaskMap::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::TaskStatus;
    use dormouse_peer::token::Identity;
    use dormouse_peer::wire::Role;

    fn task(arn: &str, service: Option<&str>) -> Task {
        let identity =
            |service: &str| Identity { service: service.into(), role: Role::Proxy, epoch: 1, attempt: 1 };
        Task { status: TaskStatus::Running, ..Task::made(arn, "c", service.map(identity)) }
    }

    #[test]
    fn tasks_are_found_by_whose_they_are() {
        let mut map = TaskMap::default();
        let of =
            |map: &TaskMap, service: &str| map.of(service).map(|task| task.arn.clone()).collect::<Vec<_>>();
        for (arn, service) in
            [("2", Some("a")), ("1", Some("a")), ("3", Some("b")), ("4", None), ("2", Some("a"))]
        {
            map.insert(arn.into(), task(arn, service));
        }
        assert_eq!(
            (of(&map, "a"), of(&map, "b"), map.len()),
            (vec!["1".into(), "2".into()], vec!["3".into()], 4)
        );
        assert!(of(&map, "nobody").is_empty());
        // Another mark than before.
        map.insert("1".into(), task("1", Some("b")));
        assert_eq!((of(&map, "a"), of(&map, "b")), (vec!["2".into()], vec!["1".into(), "3".into()]));
        map.retain(|arn, _| arn != "3");
        assert!(map.remove("2").is_some() && map.remove("2").is_none());
        assert_eq!((of(&map, "a"), of(&map, "b"), map.len()), (vec![], vec!["1".into()], 2));
        map.clear();
        assert_eq!(map, TaskMap::default());
    }
}
