//! Which instance has room for which waiting task, and how many instances are missing.

use super::Full;
use super::demand::{Demand, Want};
use super::pack::pack;
use super::processor::{of_another, runs};
use crate::observed::{Fleet, Instance, Resources};
use crate::settings::Settings;
use dormouse_state::{CapacityMemory, InstanceSize, planted};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// While no instance was ever seen, only the number of tasks limits them.
const UNKNOWN: Resources = Resources { cpu: u32::MAX, memory: u32::MAX };

/// Whether an instance has room for a service task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// RunTask may be called.
    Yes,
    /// Not yet, and why.
    No {
        /// One CamelCase word for the condition: `ScalingUp`, `AtMaximum`, `TooLarge`, `WrongArchitecture`, `Unknown`.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
}

impl Room {
    /// Before the fleet was read.
    pub fn unknown() -> Room {
        Room::No { reason: "Unknown", message: "the instances have not been read yet".to_owned() }
    }
}

/// Who goes where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Waiting service → whether it has room.
    pub rooms: BTreeMap<String, Room>,
    /// EC2 ids of the instances that waiting tasks count on: these must stay.
    pub nominated: BTreeSet<String>,
    /// Instances on their way out whose removal is to be taken back.
    pub recalled: BTreeSet<String>,
    /// How many instances that have not joined yet are counted on.
    pub fresh: u32,
    /// By how many instances the group is to grow.
    pub grow: u32,
}

struct Slot<'a> {
    instance: &'a Instance,
    free: Resources,
    tasks: u32,
    /// ECS had no room here for a task of this size.
    refused: Option<Resources>,
}

/// Places waiting tasks on the fullest instances first, so that the emptiest can go.
pub fn place(
    settings: &Settings,
    demand: &Demand,
    fleet: &Fleet,
    memory: &CapacityMemory,
    full: &Full,
) -> Placement {
    let mut placement = Placement::default();
    let leaving =
        |id: &str| fleet.group.members.iter().any(|member| member.ec2_id == id && !member.is_part());
    let (mut slots, mut parked): (Vec<Slot>, Vec<Slot>) = fleet
        .instances
        .iter()
        .filter(|instance| instance.connected && !leaving(&instance.ec2_id))
        .map(|instance| slot(instance, demand, full))
        .partition(|slot| slot.instance.active && !memory.removals.contains_key(&slot.instance.ec2_id));
    // Only those can be called back that are not being terminated, and that we drained ourselves.
    parked.retain(|slot| {
        memory.removals.get(&slot.instance.ec2_id).is_some_and(|removal| removal.terminate_at.is_none())
    });
    slots.sort_by(|a, b| (b.tasks, &a.instance.ec2_id).cmp(&(a.tasks, &b.instance.ec2_id)));

    let limit = settings.max_tasks_per_instance;
    let fits_none = |want: &Want| fleet.own().all(|instance| !instance.registered.fits(want.resources));
    let largest = largest(fleet);
    let joined = fleet.instances.iter().filter(|instance| {
        fleet.group.members.iter().any(|member| member.ec2_id == instance.ec2_id && member.is_part())
    });
    let desired = desired(fleet, memory);
    let coming = desired.saturating_sub(count(joined));
    // The place of one that is being terminated is free soon.
    let going = memory.removals.iter().filter(|(id, removal)| {
        removal.terminate_at.is_some() && fleet.group.members.iter().any(|m| m.ec2_id == **id && m.is_part())
    });
    let spare = most(fleet).saturating_sub(desired).saturating_add(count(going));
    let mut homeless: Vec<&Want> = Vec::new();

    let waiting: Vec<Want> = demand
        .waiting
        .iter()
        .map(|want| Want { architecture: want.architecture.or(settings.architecture), ..want.clone() })
        .collect();
    for want in &waiting {
        let room = if let Some(slot) = take(&mut slots, want, limit) {
            placement.nominated.insert(slot);
            Room::Yes
        } else if let Some(slot) = take(&mut parked, want, limit) {
            placement.recalled.insert(slot.clone());
            placement.nominated.insert(slot);
            scaling_up("an instance is being kept that was to go")
        } else if let Some(room) = of_another(fleet, want) {
            room
        } else if let Some(size) = largest.filter(|_| fits_none(want)) {
            too_large(want, size)
        } else if want.in_flight {
            scaling_up("it is being started")
        } else {
            homeless.push(want);
            continue;
        };
        placement.rooms.insert(want.service.clone(), room);
    }
    let mut tasks: Vec<Resources> = homeless.iter().map(|want| want.resources).collect();
    // Room for whoever comes next, behind all that wait; what is large enough already is kept for it.
    for size in std::iter::repeat_n(demand.slot, count_of(settings.headroom)).flatten() {
        let next = Want {
            service: String::new(),
            resources: size,
            architecture: settings.architecture,
            since: Timestamp::MAX,
            in_flight: false,
        };
        let kept = take(&mut slots, &next, limit).or_else(|| {
            let slot = take(&mut parked, &next, limit)?;
            placement.recalled.insert(slot.clone());
            Some(slot)
        });
        match kept {
            Some(slot) => {
                placement.nominated.insert(slot);
            }
            None => tasks.push(size),
        }
    }
    let most_new = coming.saturating_add(spare);
    let size = largest.or(memory.size.map(from_memory)).unwrap_or(UNKNOWN);
    let new = longest_waiting_first(pack(&tasks, size, limit));
    for (want, instance) in homeless.iter().zip(&new) {
        placement.rooms.insert(want.service.clone(), on_new(fleet, memory, *instance < most_new));
    }
    placement.fresh = new.iter().map(|instance| instance.saturating_add(1)).max().unwrap_or(0).min(most_new);
    placement.grow = placement.fresh.saturating_sub(coming);
    placement
}

/// Numbers instances by who is on them and waits longest: the first ones are had first.
fn longest_waiting_first(on: Vec<usize>) -> Vec<u32> {
    let mut numbers: BTreeMap<usize, u32> = BTreeMap::new();
    on.into_iter()
        .map(|instance| {
            let next = count(numbers.iter());
            *numbers.entry(instance).or_insert(next)
        })
        .collect()
}

fn on_new(fleet: &Fleet, memory: &CapacityMemory, may_be: bool) -> Room {
    match fleet.launch_failure.as_ref().or(memory.lack.as_ref().map(|lack| &lack.why)) {
        _ if !may_be => Room::No {
            reason: "AtMaximum",
            message: format!("all {} instances of the group are full: raise its maximum", fleet.group.max),
        },
        Some(why) => {
            Room::No { reason: "LaunchFailed", message: format!("no instance can be launched: {why}") }
        }
        None => scaling_up("an instance is being started for it"),
    }
}

/// The largest instance of the group that there is, to be remembered for when there is none.
pub(super) fn largest(fleet: &Fleet) -> Option<Resources> {
    fleet.own().map(|instance| instance.registered).max_by_key(|size| (size.memory, size.cpu))
}

fn from_memory(size: InstanceSize) -> Resources {
    Resources { cpu: size.cpu, memory: size.memory }
}

/// The desired capacity as far as it is known: what was asked for and is not seen yet counts.
pub(super) fn desired(fleet: &Fleet, memory: &CapacityMemory) -> u32 {
    let asked = memory.target.unwrap_or_default().min(most(fleet));
    fleet.group.desired.max(asked)
}

/// How many instances there may be.
pub(super) fn most(fleet: &Fleet) -> u32 {
    if planted!(AboveMaximum) { u32::MAX } else { fleet.group.max }
}

fn slot<'a>(instance: &'a Instance, demand: &Demand, full: &Full) -> Slot<'a> {
    let since: Vec<Resources> =
        demand.placed_since.iter().filter(|(on, _)| *on == instance.arn).map(|(_, size)| *size).collect();
    Slot {
        instance,
        free: since.iter().fold(instance.remaining, |free, taken| free.minus(*taken)),
        // Ours are known one by one; what ECS counted may or may not have them in already.
        tasks: instance.tasks.max(demand.occupied.get(&instance.arn).copied().unwrap_or_default()),
        refused: full.get(&instance.arn).copied(),
    }
}

fn take(slots: &mut [Slot<'_>], want: &Want, limit: u32) -> Option<String> {
    let has_room = |slot: &&mut Slot<'_>| {
        let refused = slot.refused.is_some_and(|size| want.resources.fits(size));
        slot.tasks < limit && slot.free.fits(want.resources) && runs(slot.instance, want) && !refused
    };
    let slot = slots.iter_mut().find(has_room)?;
    slot.tasks += 1;
    slot.free = slot.free.minus(want.resources);
    Some(slot.instance.ec2_id.clone())
}

fn scaling_up(message: &str) -> Room {
    Room::No { reason: "ScalingUp", message: message.to_owned() }
}

fn too_large(want: &Want, size: Resources) -> Room {
    Room::No {
        reason: "TooLarge",
        message: format!(
            "it takes {} CPU units and {} MiB with its sidecar; the largest instance has {} and {}",
            want.resources.cpu, want.resources.memory, size.cpu, size.memory
        ),
    }
}

fn count_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    items.count().try_into().unwrap_or(u32::MAX)
}
