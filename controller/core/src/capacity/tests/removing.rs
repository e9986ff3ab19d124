//! An instance's way out.

use super::*;
use crate::capacity::Step;
use crate::testing::fleet::{arn, group};
use crate::testing::secs;
use std::collections::BTreeMap;

fn drain(id: &str) -> Vec<Step> {
    vec![Step::Drain(vec![arn(id)])]
}

fn terminate(id: &str) -> Vec<Step> {
    vec![Step::Terminate(id.into())]
}

/// A fleet, what is remembered of it, and what waits for it.
struct Way {
    fleet: Fleet,
    memory: CapacityMemory,
    demand: Demand,
}

impl Way {
    fn of(fleet: Fleet) -> Way {
        let mut way = Way { fleet, memory: CapacityMemory::default(), demand: Demand::default() };
        assert_eq!(way.at(0), []);
        way
    }

    fn at(&mut self, second: i64) -> Vec<Step> {
        let plan = planned(&self.demand, &self.fleet, &self.memory, second);
        let again = planned(&self.demand, &self.fleet, &plan.memory, second);
        assert_eq!(again.memory, plan.memory, "one plan is enough");
        self.memory = plan.memory;
        plan.steps
    }

    fn requeue(&self, second: i64) -> Option<u64> {
        planned(&self.demand, &self.fleet, &self.memory, second).requeue.map(|span| span.as_secs())
    }

    /// The Drain call is seen to have worked.
    fn drained(&mut self, id: &str) {
        let fleet = std::mem::take(&mut self.fleet);
        self.fleet = fleet.drained(id);
    }

    /// The Terminate call is seen to have worked.
    fn terminated(&mut self, id: &str) {
        self.fleet.member(id).lifecycle = "Terminating".into();
        self.fleet.group.desired -= 1;
    }
}

#[test]
fn what_still_holds_its_resources_is_there_although_it_is_not_counted() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.fleet.instance("i-a").remaining.cpu -= 256;
    for second in [180, 400, 4_000] {
        assert_eq!(way.at(second), []);
    }
    way.fleet.instance("i-a").remaining.cpu += 256;
    assert_eq!((way.at(4_001), way.at(4_180)), (vec![], vec![]));
    assert_eq!(way.at(4_181), drain("i-a"));
}

#[test]
fn empty_for_long_then_draining_then_terminated() {
    let mut way = Way::of(group(5).having("i-a", 0));
    assert_eq!(way.requeue(0), Some(180));
    assert_eq!(way.at(179), []);
    assert_eq!(way.at(180), drain("i-a"));
    assert_eq!(way.at(181), drain("i-a"), "until it is seen");
    way.drained("i-a");
    assert_eq!(way.at(182), []);
    assert_eq!(way.requeue(182), Some(15));
    assert_eq!(way.at(196), []);
    assert_eq!(way.at(197), terminate("i-a"));
    assert!(way.memory.removals["i-a"].terminate_at.is_some(), "intent first");
    assert_eq!(way.at(198), terminate("i-a"), "until it is seen");
    way.terminated("i-a");
    assert_eq!(way.at(199), []);
    assert_eq!(way.at(300), []);
    assert_eq!((way.memory.removals.len(), way.memory.empty_since.len(), way.memory.target), (0, 0, None));
}

/// Auto Scaling refuses to go below the minimum: what was on its way out is of use again, and nothing is asked for twice.
#[test]
fn a_raised_minimum_takes_removals_back() {
    let draining = || {
        let mut way = Way::of(group(5).having("i-a", 0));
        way.at(180);
        way.drained("i-a");
        way.at(182);
        way
    };
    let activate = [Step::Activate(vec![arn("i-a")])];
    let mut way = draining();
    way.fleet.group.min = 1;
    assert_eq!(way.at(190), activate);
    assert_eq!(way.at(400), activate, "until it is seen");
    way.fleet.instance("i-a").active = true;
    assert_eq!((way.at(401), way.at(4_000)), (vec![], vec![]));
    assert!(way.memory.removals.is_empty());
    way.fleet.group.min = 0;
    assert_eq!(way.at(4_001), drain("i-a"), "empty for long");

    // Terminate was called, and refused: for a while that is not known.
    let mut way = draining();
    assert_eq!(way.at(197), terminate("i-a"));
    way.fleet.group.min = 1;
    assert_eq!((way.at(198), way.at(261)), (vec![], vec![]));
    assert_eq!(way.at(262), activate);
    assert_eq!(way.memory.removals["i-a"].terminate_at, None);
}

#[test]
fn a_busy_instance_stays() {
    let mut way = Way::of(group(5).having("i-a", 1));
    assert_eq!(way.at(10_000), []);
    assert_eq!(way.memory.empty_since, BTreeMap::new());
}

#[test]
fn being_empty_starts_anew_after_every_task() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.fleet.instance("i-a").tasks = 1;
    way.at(170);
    way.fleet.instance("i-a").tasks = 0;
    way.at(175);
    assert_eq!(way.at(354), []);
    assert_eq!(way.at(355), drain("i-a"));
}

#[test]
fn a_task_that_ecs_does_not_count_keeps_its_instance() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.demand.occupied = [(arn("i-a"), 1)].into();
    assert_eq!(way.at(10_000), []);
    way.demand = Demand { placed_since: vec![(arn("i-a"), Resources::default())], ..Demand::default() };
    assert_eq!(way.at(20_000), []);
}

#[test]
fn a_nominated_instance_stays() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.demand = waiting(1);
    assert_eq!(way.at(10_000), []);
}

#[test]
fn a_wake_takes_a_removal_back() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    way.demand = waiting(1);
    assert_eq!(way.at(182), [Step::Activate(vec![arn("i-a")])]);
    assert_eq!(way.at(183), [Step::Activate(vec![arn("i-a")])], "until it is seen");
    let instance = way.fleet.instance("i-a");
    (instance.active, instance.status) = (true, "ACTIVE".into());
    assert_eq!(way.at(184), []);
    assert_eq!(way.memory.removals, BTreeMap::new());
    let plan = planned(&way.demand, &way.fleet, &way.memory, 185);
    assert_eq!(rooms(&plan.placement), ["Yes"]);
}

/// Of the group nothing is known, or what was read before: so many tasks wait, whether it is to be terminated, and whether
/// it is called back.
#[test]
fn while_the_group_cannot_be_read_a_wake_takes_a_removal_back_all_the_same() {
    for (waits, terminated, called_back) in
        [(1, false, true), (0, false, false), (1, true, false), (0, true, false)]
    {
        let mut way = Way::of(group(5).having("i-a", 0));
        way.at(180);
        way.drained("i-a");
        way.at(181);
        if terminated {
            way.at(196);
        }
        let unknown = Fleet { instances: way.fleet.instances.clone(), ..Fleet::default() };
        for fleet in [&way.fleet, &unknown] {
            let (settings, full) = (Settings::example(), BTreeMap::new());
            let plan = call_back(&settings, &waiting(waits), fleet, &way.memory, &full);
            let steps = if called_back { vec![Step::Activate(vec![arn("i-a")])] } else { vec![] };
            assert_eq!(plan.steps, steps, "{waits} {terminated}");
            assert_eq!(plan.memory == way.memory, !called_back, "what drains is written down anew");
        }
    }
}

#[test]
fn a_wake_takes_a_removal_back_before_it_began() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.demand = waiting(1);
    assert_eq!(way.at(181), []);
    assert_eq!(way.memory.removals, BTreeMap::new());
}

#[test]
fn a_task_that_turns_up_while_it_drains_takes_it_back() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    way.fleet.instance("i-a").tasks = 1;
    assert_eq!(way.at(196), [Step::Activate(vec![arn("i-a")])]);
    way.fleet.instance("i-a").tasks = 0;
    assert_eq!(way.at(197), [], "the call may have worked: the wait begins anew");
    assert_eq!(way.at(211), []);
    assert_eq!(way.at(212), terminate("i-a"));
}

#[test]
fn a_task_that_turns_up_even_later_is_not_cut_off() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    assert_eq!(way.at(196), terminate("i-a"));
    way.fleet.instance("i-a").tasks = 1;
    assert_eq!(way.at(197), [], "the call was not made, or not taken");
    way.fleet.instance("i-a").tasks = 0;
    assert_eq!(way.at(300), []);
    assert_eq!(way.at(315), terminate("i-a"));
}

#[test]
fn a_wake_does_not_wait_for_what_is_terminated() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    way.at(196);
    way.demand = waiting(1);
    assert_eq!(way.at(197), [Step::SetDesired(2), Step::Terminate("i-a".into())]);
}

#[test]
fn an_instance_that_is_set_active_again_is_drained_again() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    way.fleet.instance("i-a").active = true;
    assert_eq!(way.at(190), drain("i-a"));
    way.drained("i-a");
    assert_eq!(way.at(196), [], "the wait begins anew");
    assert_eq!(way.at(211), terminate("i-a"));
}

#[test]
fn an_instance_that_drains_and_nobody_removes_goes_all_the_same() {
    // Its removal was taken back over a reading from before the Drain call: nobody would call it back.
    let mut way = Way::of(group(5).having("i-a", 0).drained("i-a"));
    assert_eq!(way.at(179), []);
    assert_eq!(way.at(180), []);
    assert!(way.memory.removals.contains_key("i-a"));
    assert_eq!(way.at(195), terminate("i-a"));
}

#[test]
fn the_minimum_is_respected() {
    let mut fleet = group(5).having("i-a", 0).having("i-b", 0);
    fleet.group.min = 1;
    let mut way = Way::of(fleet);
    assert_eq!(way.at(180), drain("i-a"));
    way.drained("i-a");
    way.at(181);
    assert_eq!(way.at(196), terminate("i-a"));
    way.terminated("i-a");
    assert_eq!(way.at(10_000), []);
}

#[test]
fn one_removal_a_minute_from_a_small_fleet() {
    let mut way = Way::of((0..5).fold(group(9), |fleet, n| fleet.having(&format!("i-{n}"), 0)));
    let mut terminated = Vec::new();
    for second in 180..800 {
        for step in way.at(second) {
            match step {
                Step::Drain(_) => {}
                Step::Terminate(id) => {
                    terminated.push(second);
                    way.terminated(&id);
                }
                other => panic!("{other:?}"),
            }
        }
        let removing: Vec<String> = way.memory.removals.keys().cloned().collect();
        removing.iter().for_each(|id| way.drained(id));
    }
    assert_eq!(terminated.len(), 5);
    assert!(terminated.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{terminated:?}");
    assert!(terminated[4] <= 180 + 16 + 4 * 85, "{terminated:?}");
}

#[test]
fn one_in_ten_from_a_large_one() {
    let mut way = Way::of((0..40).fold(group(99), |fleet, n| fleet.having(&format!("i-{n}"), 0)));
    assert_eq!(way.at(180).len(), 4);
}

#[test]
fn an_instance_that_never_joins_is_removed() {
    let mut way = Way::of(group(5).expecting("i-a"));
    way.demand = waiting(1);
    assert_eq!(way.requeue(0), Some(600));
    assert_eq!(way.at(599), []);
    assert_eq!(way.at(600), []);
    assert_eq!(way.at(615), terminate("i-a"));
}

#[test]
fn one_that_joins_at_the_last_moment_is_kept_when_it_is_wanted() {
    let mut way = Way::of(group(5).expecting("i-a"));
    way.demand = waiting(1);
    way.at(600);
    way.fleet = group(5).having("i-a", 0);
    assert_eq!(way.at(610), []);
    assert_eq!(way.at(700), []);
    assert_eq!(way.memory.removals, BTreeMap::new());
}

#[test]
fn an_instance_whose_agent_is_gone_is_replaced() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.fleet.instance("i-a").connected = false;
    way.demand = waiting(1);
    assert_eq!(way.at(1), [Step::SetDesired(2)]);
}

#[test]
fn what_is_chosen_for_removal_is_not_protected() {
    let mut way = Way::of(group(5).having("i-a", 0));
    way.at(180);
    way.fleet.member("i-a").protected = false;
    assert_eq!(way.at(181), drain("i-a"));
}

#[test]
fn the_delay_and_the_wait_are_settings() {
    let settings = Settings { scale_in_delay: secs(5), drain_wait: secs(1), ..Settings::example() };
    let run = |fleet: &Fleet, memory: &CapacityMemory, second| {
        plan(&settings, &Demand::default(), fleet, memory, &BTreeMap::new(), at(second))
    };
    let fleet = group(5).having("i-a", 0);
    let memory = run(&fleet, &CapacityMemory::default(), 0).memory;
    let memory = run(&fleet, &memory, 5).memory;
    let fleet = fleet.drained("i-a");
    let memory = run(&fleet, &memory, 6).memory;
    assert_eq!(run(&fleet, &memory, 7).steps, terminate("i-a"));
}

#[test]
fn a_removal_counts_for_a_minute_from_its_last_try() {
    let mut way = Way::of(group(5).having("i-a", 0).having("i-b", 0));
    way.at(180);
    way.drained("i-a");
    way.at(181);
    // Its call fails for two minutes.
    for second in 196..316 {
        assert_eq!(way.at(second), terminate("i-a"));
    }
    way.terminated("i-a");
    assert_eq!(way.at(317), []);
    assert_eq!(way.at(370), [], "less than a minute after it");
    assert_eq!(way.at(381), drain("i-b"));
}
