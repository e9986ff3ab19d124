//! A controller's shell, as the real one is: it reads, plans and writes, takes steps, remembers their answers.
//!
//! A plan and its write are one move: whoever comes between makes the write fail, and the next plan begins with what
//! was read then.

use crate::cloud::Cloud;
use crate::part::Part;
use crate::world::{Controller, NAME, Row, World};
use dormouse_core::capacity::Room;
use dormouse_core::dns::{self, Change, batch, wanted};
use dormouse_core::idle::AtActivator;
use dormouse_core::lifecycle::{self, Refusal, Step, View, outcome};
use dormouse_core::observed::Tasks;
use dormouse_core::peering;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{ServiceRecord, StoreError, admit};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What a move did to the world, for the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Run(Identity, dormouse_state::RunParameters),
    Stop(String),
    /// A batch that Route 53 accepted.
    Changed(Vec<Change>),
    /// The row was written, with this fence.
    Wrote(Option<u64>),
}

/// What is wrong with the shell, to see whether the checks notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Writes name no version.
    LastWriteWins,
    /// Steps are taken although the plan could not be written.
    ActsOnConflict,
    /// The row forgets which leader wrote it.
    Unfenced,
    /// A row that was not read completely is planned all the same.
    BeforeListing,
}

impl World {
    /// Writes the row, under the conditions of the table.
    fn write(
        &mut self,
        record: ServiceRecord,
        expected: u64,
        fence: Option<u64>,
    ) -> Result<Effect, StoreError> {
        let held = match self.broken {
            Broken::LastWriteWins => (expected, self.row.fence),
            Broken::Unfenced => (self.row.version, 0),
            _ => (self.row.version, self.row.fence),
        };
        let by = admit(NAME, held, expected, fence)?;
        self.ledger.change(|ledger| ledger.write(&record, fence));
        self.row = Part::new(Row { record, version: self.row.version + 1, fence: by });
        Ok(Effect::Wrote(fence))
    }

    /// Decides from the newest row, however often somebody else comes first.
    pub fn update(
        &mut self,
        fence: Option<u64>,
        change: impl FnOnce(&ServiceRecord) -> Option<ServiceRecord>,
    ) -> Option<Effect> {
        let next = change(&self.row.record)?;
        self.write(next, self.row.version, fence).ok()
    }

    /// Reads the table.
    pub fn read_table(&mut self, who: usize) {
        let row = Some(self.row.clone());
        if self.controllers[who].row != row {
            self.controllers[who].change(|own| own.row = row);
        }
    }

    /// Lists the tasks, and describes those and all that are intended.
    pub fn read_tasks(&mut self, who: usize) {
        let (listed, now) = (self.cloud.listed(), self.now);
        self.controllers[who].change(|own| {
            let intended: BTreeSet<String> = own.row.iter().flat_map(|row| intended(&row.record)).collect();
            let mut tasks = (*own.tasks).clone();
            tasks.by_arn.retain(|arn, _| listed.contains_key(arn) || intended.contains(arn));
            for (arn, task) in listed.into_iter().filter(|(_, task)| task.identity.is_some()) {
                // A task's life has one direction.
                if tasks.by_arn.get(&arn).is_none_or(|known| known.status <= task.status) {
                    tasks.by_arn.insert(arn, task);
                }
            }
            tasks.missing = intended.into_iter().filter(|arn| !tasks.by_arn.contains_key(arn)).collect();
            tasks.listed_at = Some(now);
            own.tasks = Part::new(tasks);
        });
    }

    pub fn read_zone(&mut self, who: usize) {
        let zone = Some(self.cloud.zone.clone());
        if self.controllers[who].zone != zone {
            self.controllers[who].change(|own| own.zone = zone);
        }
    }

    /// Every sidecar reports to it, and hears its answer.
    pub fn beats(&mut self, who: usize) {
        let Some(row) = self.controllers[who].row.clone() else { return };
        let now = self.now;
        let mut heard = BTreeMap::new();
        let mut answers = BTreeMap::new();
        for (arn, life) in &self.cloud.lives {
            let Some((identity, beat)) = life.task.identity.clone().zip(self.cloud.beat(life, now)) else {
                continue;
            };
            if let Some(answer) = peering::answer(&row.record, &self.controllers[who].tasks, &identity, None)
                && life.drains != answer.drain
            {
                answers.insert(arn.clone(), answer.drain);
            }
            let beat = beat.after(self.controllers[who].beats.get(&identity));
            heard.insert(identity, beat);
        }
        if heard.iter().any(|(identity, beat)| self.controllers[who].beats.get(identity) != Some(beat)) {
            self.controllers[who].change(|own| own.beats.change(|beats| beats.extend(heard)));
        }
        if !answers.is_empty() {
            self.cloud.change(|cloud| {
                for (arn, drains) in answers {
                    cloud.lives.get_mut(&arn).into_iter().for_each(|life| life.drains = drains);
                }
            });
        }
    }

    /// Plans the service, and writes what is to be remembered.
    pub fn plan(&mut self, who: usize) -> Option<Effect> {
        let own = &self.controllers[who];
        let (row, now) = (own.row.clone()?, self.now);
        let mut plan = lifecycle::plan(self.settings, &row.record, &view(own, &Room::Yes), now);
        if self.broken == Broken::BeforeListing && own.tasks.listed_at.is_none() {
            let own = Controller {
                tasks: Part::new(Tasks { listed_at: Some(now), ..Tasks::default() }),
                ..(**own).clone()
            };
            plan = lifecycle::plan(self.settings, &row.record, &view(&own, &Room::Yes), now);
        }
        let mut effect = None;
        if plan.record != row.record
            && !dormouse_core::status::differs_in_words_only(&row.record, &plan.record)
        {
            effect = self.keep(who, plan.record, &row);
            if effect.is_none() && self.broken != Broken::ActsOnConflict {
                return None;
            }
        }
        if !plan.steps.is_empty() {
            self.controllers[who].change(|own| own.steps = plan.steps);
        }
        effect
    }

    /// Writes what was decided from a row, or reads what came first.
    fn keep(&mut self, who: usize, next: ServiceRecord, from: &Row) -> Option<Effect> {
        let result = self.write(next, from.version, self.controllers[who].epoch);
        if !matches!(result, Err(StoreError::Fenced { .. })) {
            self.read_table(who);
        }
        result.ok()
    }

    /// Plans the zone, and writes what is to be remembered.
    pub fn plan_zone(&mut self, who: usize) -> Option<Effect> {
        let own = &self.controllers[who];
        let (row, zone, now) = (own.row.clone()?, own.zone.clone()?, self.now);
        own.tasks.listed_at?;
        let wants = wanted::public(self.settings, &row.record, &view(own, &Room::unknown()));
        let wants = wants.map(|want| (NAME.to_owned(), want)).into_iter().collect();
        let records = [(NAME.to_owned(), &row.record)].into();
        let mut plan = dns::plan(self.settings, &records, &wants, &zone, now);
        let mut effect = None;
        if let Some(memory) = plan.memories.remove(NAME) {
            effect = self.keep(who, ServiceRecord { dns: memory, ..row.record.clone() }, &row);
            if effect.is_none() {
                plan.groups.retain(|group| group.owner != NAME);
            }
        }
        let polls: BTreeSet<String> = plan.polls.into_keys().collect();
        if polls != self.controllers[who].polls || !plan.groups.is_empty() {
            self.controllers[who].change(|own| {
                own.batches = batch::batches(plan.groups);
                own.polls = polls;
            });
        }
        effect
    }

    /// Takes the next of its steps.
    pub fn call(&mut self, who: usize, lost: bool) -> Option<Effect> {
        let (now, settings) = (self.now, self.settings);
        let step = self.controllers[who].change(|own| own.steps.remove(0));
        if lost {
            self.controllers[who].change(|own| {
                let tries = own.refusal.as_ref().map_or(0, |known| known.tries) + 1;
                own.refusal = Some(Refusal { at: now, tries, why: "no answer".into() });
            });
        }
        match step {
            Step::Run { identity, parameters } => {
                let task = self.cloud.change(|cloud| cloud.run(settings, &identity, &parameters, now));
                if !lost {
                    self.controllers[who].change(|own| {
                        own.started.push((identity.clone(), task.arn.clone()));
                        own.tasks.change(|tasks| {
                            if !tasks.by_arn.contains_key(&task.arn) {
                                tasks.by_arn.insert(task.arn.clone(), task);
                            }
                        });
                    });
                }
                Some(Effect::Run(identity, parameters))
            }
            Step::Stop { arn, .. } => {
                // The call changes nothing of what ends already.
                let lives =
                    self.cloud.lives.get(&arn).is_some_and(|life| life.lives() && !life.task.stopping);
                self.cloud.change(|cloud| cloud.stop(&arn));
                if !lost {
                    self.controllers[who].change(|own| {
                        own.tasks.change(|tasks| {
                            tasks.by_arn.get_mut(&arn).into_iter().for_each(|task| task.stopping = true);
                        });
                    });
                }
                lives.then_some(Effect::Stop(arn))
            }
            Step::Probe { .. } => {
                if let Some(address) = self.cloud.answers(&step).filter(|_| !lost) {
                    self.controllers[who].change(|own| own.probed = Some((now, address)));
                }
                None
            }
            Step::Register { .. } | Step::Deregister { .. } | Step::Remove => None,
        }
    }

    /// Remembers what came of its steps.
    pub fn remember(&mut self, who: usize) -> Option<Effect> {
        let (now, fence) = (self.now, self.controllers[who].epoch);
        let started = self.controllers[who].change(|own| {
            own.refusal = None;
            std::mem::take(&mut own.started)
        });
        let effect = self.update(fence, |record| {
            let mut next = record.clone();
            for (identity, arn) in &started {
                outcome::started(&mut next, identity, arn, now);
            }
            Some(next)
        });
        if effect.is_some() {
            self.read_table(who);
        }
        effect
    }

    /// Makes the next of its changes.
    pub fn change(&mut self, who: usize, lost: bool) -> Option<Effect> {
        let now = self.now;
        let groups = self.controllers[who].change(|own| own.batches.remove(0));
        let changes: Vec<Change> = groups.iter().flat_map(|group| group.changes.clone()).collect();
        let id = self.cloud.change(|cloud: &mut Cloud| cloud.change(&changes, now));
        let effect = id.is_some().then(|| Effect::Changed(changes.clone()));
        match id {
            // It may have happened: the zone tells.
            _ if lost => self.read_zone(who),
            Some(id) => self.controllers[who].change(|own| {
                if let Some(zone) = &mut own.zone {
                    zone.change(|zone| changes.iter().for_each(|change| zone.apply(change)));
                }
                own.accepted.push((id, groups.into_iter().map(|group| group.owner).collect()));
            }),
            None => match batch::halves(groups) {
                Some((first, second)) => {
                    self.controllers[who].change(|own| drop(own.batches.splice(0..0, [first, second])))
                }
                None => self.read_zone(who),
            },
        }
        effect
    }

    /// Remembers the id of an accepted change.
    pub fn remember_change(&mut self, who: usize) -> Option<Effect> {
        let fence = self.controllers[who].epoch;
        let (id, owners) = self.controllers[who].change(|own| own.accepted.remove(0));
        if !owners.iter().any(|owner| owner == NAME) {
            return None;
        }
        let effect = self.update(fence, |record| {
            let mut next = record.clone();
            dns::accepted(&mut next.dns, &id);
            (next != *record).then_some(next)
        });
        if effect.is_some() {
            self.read_table(who);
        }
        effect
    }

    /// Asks whether a change has reached every name server, and remembers when it has.
    pub fn poll(&mut self, who: usize) -> Option<Effect> {
        let (fence, now) = (self.controllers[who].epoch, self.now);
        let id = self.controllers[who].change(|own| own.polls.pop_first())?;
        if !self.cloud.is_insync(&id) {
            return None;
        }
        let effect = self.update(fence, |record| {
            let mut next = record.clone();
            let pending = next.dns.pending.as_ref()?;
            (pending.change_id.as_deref() == Some(&id)).then(|| {
                dns::settled(&mut next.dns, now);
                next
            })
        });
        if effect.is_some() {
            self.read_table(who);
        }
        effect
    }

    /// It takes the lease, whoever else believes to have it.
    pub fn lead(&mut self, who: usize) {
        self.lease += 1;
        let epoch = self.lease;
        self.controllers[who].change(|own| own.epoch = Some(epoch));
    }
}

/// ARNs of all tasks that the row names and that are not known to be over.
fn intended(record: &ServiceRecord) -> Vec<String> {
    let of_pairs = record.pairs().flat_map(|pair| {
        Role::ALL
            .map(|role| Some(pair.task(role)).filter(|it| it.is_open()).and_then(|it| it.task_arn.clone()))
    });
    of_pairs.flatten().chain(record.strays.keys().cloned()).collect()
}

fn view<'a>(own: &'a Controller, room: &'a Room) -> View<'a> {
    View {
        tasks: &own.tasks,
        beats: own.beats.of(NAME),
        activator: AtActivator::default(),
        room,
        dependents_awake: false,
        probed: own.probed.as_ref().map(|(at, address): &(Timestamp, String)| (*at, address.as_str())),
        conflict: None,
        refusal: own.refusal.as_ref(),
        stop_refusal: None,
        unanswered: None,
        spot_is_short: false,
        compared: true,
    }
}
