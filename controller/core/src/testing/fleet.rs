//! Instances and their group.

use crate::observed::{Fleet, Group, Instance, Member, Resources};

/// What an instance has in all.
pub(crate) const SIZE: Resources = Resources { cpu: 4096, memory: 16_000 };

/// A group of at most `max`, with nothing in it.
pub(crate) fn group(max: u32) -> Fleet {
    Fleet { group: Group { min: 0, max, desired: 0, members: Vec::new() }, ..Fleet::default() }
}

impl Fleet {
    /// With an instance that has joined and runs so many tasks.
    pub(crate) fn having(mut self, id: &str, tasks: u32) -> Fleet {
        let taken = Resources { cpu: 512 * tasks, memory: 1000 * tasks };
        self.instances.push(Instance {
            architecture: None,
            arn: arn(id),
            ec2_id: id.into(),
            active: true,
            status: "ACTIVE".into(),
            connected: true,
            registered: SIZE,
            remaining: SIZE.minus(taken),
            tasks,
        });
        self.expecting(id)
    }

    /// With an instance of another group that has joined the same cluster and runs so many tasks.
    pub(crate) fn beside(mut self, id: &str, tasks: u32) -> Fleet {
        self = self.having(id, tasks);
        self.group.members.retain(|member| member.ec2_id != id);
        self.group.desired -= 1;
        self
    }

    /// With an instance that the group has started and that has not joined.
    pub(crate) fn expecting(mut self, id: &str) -> Fleet {
        self.group.members.push(Member { ec2_id: id.into(), lifecycle: "InService".into(), protected: true });
        self.group.desired += 1;
        self
    }

    pub(crate) fn instance(&mut self, id: &str) -> &mut Instance {
        self.instances.iter_mut().find(|instance| instance.ec2_id == id).unwrap()
    }

    pub(crate) fn member(&mut self, id: &str) -> &mut Member {
        self.group.members.iter_mut().find(|member| member.ec2_id == id).unwrap()
    }

    pub(crate) fn drained(mut self, id: &str) -> Fleet {
        let instance = self.instance(id);
        (instance.active, instance.status) = (false, "DRAINING".into());
        self
    }
}

/// Container instance ARN of an instance.
pub(crate) fn arn(id: &str) -> String {
    format!("instance/{id}")
}
