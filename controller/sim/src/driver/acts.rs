//! What people, machines and bad luck do, and the end of it.

use super::{Driver, TEMPLATE};
use crate::check;
use crate::client;
use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::queue::Event;
use crate::script::{Act, name_of};
use crate::sim::Sim;
use crate::truth::zone::Which;
use dormouse::plane::{Asked, Plane as _};
use dormouse_core::naming;
use dormouse_peer::wire::Role;
use dormouse_state::Store as _;
use futures::FutureExt as _;
use std::sync::atomic::Ordering;

impl Driver {
    pub(super) fn act(&mut self, index: usize) {
        let Some((_, act)) = self.script.acts.get(index).cloned() else { return };
        {
            let mut sim = self.world.sim();
            let now = sim.now;
            sim.trace.note(now, format_args!("· {act:?}"));
            if !matches!(act, Act::Wake(_) | Act::Ask { .. }) {
                check::disturbed(&mut sim);
            }
        }
        match act {
            Act::Crash(controller, down) => return self.end_process(controller, down, "crashes"),
            Act::Freeze(controller, span) => return self.freeze(controller, span),
            Act::Replace(controller) => {
                if let Some(process) = &self.processes[controller] {
                    process.stop();
                }
                return;
            }
            Act::Jump(controller, by) => {
                self.clocks[controller].wrong_by.fetch_add(by, Ordering::Relaxed);
                let mut sim = self.world.sim();
                let now = sim.now;
                sim.audit.jumps.push((now, by.unsigned_abs()));
                return;
            }
            Act::LoseRow(service) => return self.lose_row(service),
            Act::Split(span) => {
                let lease = self.rows.lease().now_or_never().and_then(Result::ok).flatten();
                return self.world.sim().split_lease(span, lease);
            }
            Act::LoseLease => {
                self.rows.lose_lease();
                let mut sim = self.world.sim();
                sim.audit.lease_lost_at = sim.now;
                return;
            }
            Act::Declare(service) => {
                *self.versions.entry(service).or_default() += 1;
                let manifest = self.manifest(service);
                if let Some(process) = self.front() {
                    client::declare(&self.world, process, manifest);
                }
                return;
            }
            Act::DeclareTemplate => {
                self.template_version += 1;
                if let Some(process) = self.front() {
                    client::declare_template(process, self.template());
                }
                return;
            }
            Act::DeleteTemplate => {
                let Some(process) = self.front() else { return };
                let plane = process.plane.clone();
                process.spawn(async move { drop(plane.delete_template(TEMPLATE).await) });
                return;
            }
            Act::Delete(service) | Act::Wake(service) | Act::Sleep(service) => {
                let name = name_of(service);
                let Some(process) = self.front() else { return };
                let plane = process.plane.clone();
                if matches!(act, Act::Delete(_)) {
                    check::delete_asked(&mut self.world.sim(), &name);
                }
                process.spawn(async move {
                    let asked = Asked { origin: "api", reason: "an operator".to_owned() };
                    // Whatever comes of it: an operator would look, and try again.
                    match act {
                        Act::Delete(_) => drop(plane.delete(&name).await),
                        Act::Wake(_) => drop(plane.wake(&name, asked, None).await),
                        _ => drop(plane.sleep(&name, asked).await),
                    }
                });
                return;
            }
            _ => {}
        }
        let mut sim = self.world.sim();
        let sim = &mut *sim;
        match act {
            Act::Ask { service, count, gap, takes } => {
                sim.plan(0, Event::Ask { service, takes, left: count, gap })
            }
            Act::Wish(service) => {
                if let Some(arn) = sim.newest(service, Role::Service)
                    && let Some(task) = sim.truth.tasks.get_mut(&arn)
                {
                    task.sidecar.wish.get_or_insert(None);
                }
            }
            Act::Kill(service, role) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.exit_task(&arn, "app", 1);
                }
            }
            Act::Stop(service, role) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.stop_task(&arn, false, "by hand");
                }
            }
            Act::Hang(service, role, span) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.truth.hung.insert(arn, sim.now + span);
                }
            }
            Act::Deaf(service, span) => {
                if let Some(arn) = sim.newest(service, Role::Service)
                    && let Some(task) = sim.truth.tasks.get_mut(&arn)
                    && task.sidecar.answers_at < Ms::MAX
                {
                    if task.sidecar.answers_at <= sim.now {
                        sim.audit.answered_until.insert(arn, sim.now);
                    }
                    task.sidecar.answers_at = sim.now + span;
                }
            }
            Act::Break(nth) => sim.kill_instance(nth),
            Act::Disconnect(nth, span) => sim.disconnect(nth, span),
            Act::Other(other) => sim.other(&other),
            Act::Stranger(lives) => sim.stranger_task(lives),
            Act::Record(service, set) => {
                let name = naming::record_name(&name_of(service), &sim.settings.domain);
                sim.operator_record(Which::Public, &name, set.then_some("192.0.2.66"));
            }
            Act::PrivateRecord(service, set) => {
                if let Some(zone) = sim.settings.private_zone.clone() {
                    let name = format!("{}.proxy.{}", name_of(service), zone.name);
                    sim.operator_record(Which::Private, &name, set.then_some("192.0.2.66"));
                }
            }
            Act::Outage(aws, span) => {
                let until = sim.now + span;
                sim.truth.outages.insert(aws, until);
            }
            Act::Undo(service, count, gap) => {
                for nth in 0..count {
                    sim.plan(nth * gap, Event::Do(Box::new(move |sim| sim.undo_record(service))));
                }
            }
            Act::Poison(service) => {
                sim.truth.poisoned.insert(name_of(service));
            }
            Act::Part(span) => sim.truth.parted_until = sim.now + span,
            Act::Rebalance => sim.rebalance(),
            Act::Barren(span) => sim.lack_instances(span),
            Act::Scarce(spot_only, span) => {
                let (fargate, spot) = &mut sim.truth.scarce_until;
                *(if spot_only { spot } else { fargate }) = sim.now + span;
            }
            Act::Least(least, span) => {
                sim.set_least(least);
                sim.plan(span, Event::Do(Box::new(|sim| sim.set_least(0))));
            }
            Act::Spot(service) => {
                if let Some(arn) = sim.newest(service, Role::Proxy) {
                    sim.interrupt_task(&arn);
                }
            }
            _ => {}
        }
    }

    /// Somebody deletes a row of the table: nobody remembers the service any more.
    fn lose_row(&self, service: usize) {
        let name = name_of(service);
        let Some(Ok(Some(row))) = self.rows.service(&name).now_or_never() else { return };
        let _ = self.rows.delete_service(&name, row.version, None).now_or_never();
        let mut sim = self.world.sim();
        sim.truth.lost_rows.insert(name.clone());
        // Whose ids nobody remembers: no more than the usual time is waited for these.
        sim.hasten_changes();
        check::row_removed(&mut sim, None, &name);
    }

    /// Faults cease: what is broken is mended, and the world is left alone.
    pub(super) fn calm(&mut self) {
        let mut sim = self.world.sim();
        check::calm(&mut sim);
        sim.profile = Profile { stale: 0, ..Profile::CALM };
        sim.calm = true;
        let now = sim.now;
        sim.trace.note(now, format_args!("CALM"));
        let domain = sim.settings.domain.clone();
        sim.truth.outages.values_mut().for_each(|until| *until = now.min(*until));
        sim.truth.split = None;
        sim.truth.parted_until = now;
        sim.lack_instances(0);
        sim.set_least(0);
        sim.mend_instances();
        sim.hasten_changes();
        sim.truth.scarce_until = (0, 0);
        sim.truth.poisoned.clear();
        for name in [sim.truth.services.clone(), sim.truth.made.clone()].concat() {
            let record = naming::record_name(&name, &domain);
            if !sim.truth.zone.ours.contains(&(record.clone(), "A".to_owned())) {
                sim.operator_record(Which::Public, &record, None);
            }
            let Some(zone) = sim.settings.private_zone.clone() else { continue };
            let record = format!("{name}.proxy.{}", zone.name);
            if !sim.truth.private_zone.ours.contains(&(record.clone(), "A".to_owned())) {
                sim.operator_record(Which::Private, &record, None);
            }
        }
        let hung: Vec<String> = std::mem::take(&mut sim.truth.hung).into_keys().collect();
        for arn in hung {
            if let Some(step) = sim.truth.tasks.get(&arn).map(|task| task.step) {
                sim.plan(SECOND, Event::Task(arn, step));
            }
        }
        // Others stay where they are, but for our instances.
        let on_ours = |on: &String| sim.truth.fleet.is_ours(on);
        let strangers = sim.truth.tasks.values().filter(|task| {
            task.is_there()
                && task.seen.identity.is_none()
                && task.seen.container_instance.as_ref().is_some_and(on_ours)
        });
        let strangers: Vec<String> = strangers.map(|task| task.seen.arn.clone()).collect();
        strangers.iter().for_each(|arn| sim.over(arn));
        if !strangers.is_empty() {
            check::disturbed(&mut sim);
        }
        sim.plan(MINUTE, Event::Group);
        drop(sim);
        for process in self.processes.iter().flatten() {
            process.freeze(false);
        }
    }
}

impl Sim {
    /// Takes a record of ours out.
    fn undo_record(&mut self, service: usize) {
        let name = naming::record_name(&name_of(service), &self.settings.domain);
        if self.truth.zone.ours.contains(&(name.clone(), "A".to_owned())) && !self.calm {
            self.operator_record(Which::Public, &name, None);
        }
    }

    /// The newest task of a service's role that is there.
    fn newest(&self, service: usize, role: Role) -> Option<String> {
        let name = name_of(service);
        let of_role = self.truth.tasks.values().filter(|task| task.is_there() && task.role() == Some(role));
        of_role
            .filter(|task| task.service() == Some(&name))
            .max_by_key(|task| task.created)
            .map(|task| task.seen.arn.clone())
    }
}
