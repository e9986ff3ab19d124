//! Faults that can be planted into decisions, to see whether what watches over them notices. One at a time.
//!
//! Where a decision stands, [`planted!`](crate::planted!) says whether it is to be wrong. Without the feature `mutants`
//! that is the constant `false`, and there is nothing else here.

/// Whether this fault is planted: never, in what is shipped.
#[cfg(not(feature = "mutants"))]
#[macro_export]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}

/// Whether this fault is planted.
#[cfg(feature = "mutants")]
#[macro_export]
macro_rules! planted {
    ($fault:ident) => {
        $crate::planted::is_planted($crate::planted::Fault::$fault)
    };
}

#[cfg(feature = "mutants")]
mod faults {
    use std::cell::Cell;
    use std::sync::OnceLock;

    macro_rules! faults {
        ($($(#[doc = $what:literal])+ $name:ident,)+) => {
            /// A fault in a decision.
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum Fault {
                $($(#[doc = $what])+ $name,)+
            }

            impl Fault {
                /// Every fault.
                pub const ALL: &[Fault] = &[$(Fault::$name,)+];

                /// What is wrong, in a sentence.
                pub fn what(self) -> &'static str {
                    match self {
                        $(Fault::$name => concat!($($what),+).trim_ascii(),)+
                    }
                }
            }
        };
    }

    faults! {
        // What systems of this kind have got wrong before.
        /// A stopped proxy takes its name's record along, whoever has it by now.
        OldStopsNewRecord,
        /// Whoever cannot read the lease leads all the same.
        LeaseFailsOpen,
        /// The lease is renewed whoever holds it.
        LeaseHasNoOwner,
        /// A dead leader's lease is held against others for 15 minutes.
        LeaseHeldForLong,
        /// Tasks are matched by the beginning of their service's name.
        PrefixMatch,
        /// The desired capacity follows placed tasks alone: zero between joining and placing.
        ZeroUntilPlaced,
        /// Instances are removed by lowering the desired capacity.
        ScaleInByDesired,
        /// Instances are terminated without draining.
        NoDraining,
        /// A service counts as ready when waiting for it took too long.
        ReadyWhenGivenUp,
        /// The proxy is started once the service is healthy.
        ProxyAfterService,
        /// What ends within the first ten minutes is not noticed.
        BlindForTheGrace,
        /// Nothing ever falls asleep for want of traffic.
        NoIdleDetection,
        /// One page of tasks is read.
        OneUnpagedList,
        /// Any number of tasks is described in one call.
        UnchunkedDescribe,
        /// Any number of instances is protected in one call.
        UnchunkedProtect,

        // A service's pairs.
        /// A task whose RunTask was not answered is never found again.
        NeverAdopts,
        /// A task that ECS does not show is gone.
        MissingIsGone,
        /// A RunTask without an answer started nothing.
        UnansweredNeverRan,
        /// An answer that was lost is a token that is used up.
        LostAnswerBurns,
        /// Tasks that no pair names are left alone.
        StraysStay,
        /// A request that comes on the way to sleep changes nothing.
        LateRequestIgnored,
        /// What its proxy counts does not keep a service awake.
        TrafficIgnored,
        /// Idleness needs no proof: a report from before will do.
        IdlenessUnproven,
        /// On the way to sleep, the record need not be gone.
        StopsWhileFound,
        /// Resolvers forget at once.
        ResolversForgetAtOnce,
        /// What is in flight does not hold up the end.
        NoDrain,
        /// The service task is stopped before its proxy.
        ServiceBeforeProxy,
        /// A proxy is not told to drain.
        UnsaidDrain,
        /// A new try has the name of the last one.
        SameAttempt,
        /// A new wake has the epoch of the last one.
        SameEpoch,
        /// Tries follow each other at once.
        NoBackoff,
        /// Any number of generations may be there side by side.
        PileUp,
        /// A wake takes the end of a pair back.
        WakeRevives,
        /// A wake leaves the proxy draining.
        WakeKeepsDraining,
        /// A service is ready without a probe.
        UnprobedReady,
        /// A RunTask of its own for every try: another token each time.
        TokenPerTry,
        /// A row goes while its tasks run.
        RowGoesFirst,
        /// A task without a row stays.
        OrphansStay,
        /// A definition is deregistered while a task is to be run with it.
        DeregistersInUse,
        /// Sidecars report every 15 s, also while their pair is on its way up.
        SlowToHear,

        // A changed manifest.
        /// A pair takes over as soon as its tasks run.
        TakesOverUnready,
        /// A pair that is replaced drains while users are led to it.
        ReplacedAtOnce,
        /// A changed manifest waits for the next wake.
        NeverRollsOut,
        /// Another pair gets ready while the one before is on its way out.
        TwoRolloutsAtOnce,
        /// A manifest that does not come up is tried for ever.
        RollsOutForEver,
        /// What is rolled back keeps the manifest that failed.
        RollbackForgets,
        /// A manifest that is to be checked is believed.
        ChecksNothing,

        // What else keeps a service awake, or wakes it.
        /// A window that opens wakes nobody.
        WindowsWakeNobody,
        /// An open window keeps nobody awake.
        WindowsKeepNobody,
        /// What was put to sleep in an open window is woken at once.
        WindowOverrules,
        /// What others need falls asleep.
        DependenciesSleep,
        /// What a service needs is not woken: neither with it, nor when it is found asleep. Either is enough.
        DependenciesUnwoken,
        /// A template makes any number of services.
        TemplatesMakeAnyNumber,
        /// What a template made stays for ever.
        TemplatesStay,

        // Other pools.
        /// A service runs on Fargate although an instance is on its way.
        FallsBackAtOnce,
        /// A service waits for an instance however long.
        WaitsForEver,
        /// A proxy is asked of Spot although that is short.
        SpotForEver,

        // Names.
        /// What belongs to nobody stays in the zone.
        LeavesZone,
        /// A proxy that ends is still led to.
        EndingPublished,
        /// A foreign record is replaced.
        ReplacesForeign,
        /// A withdrawal is believed as soon as it is made.
        BelievesWithdrawal,
        /// A change is on every name server as soon as it is accepted.
        BelievesInsync,
        /// Records are made without their ownership TXT.
        NoOwnership,
        /// A record is put back as often as somebody takes it away.
        FightsOutsiders,
        /// Every installation's claims are taken for one's own.
        ClaimsOfAll,

        // Instances.
        /// What runs on an instance does not keep it.
        KillsBusy,
        /// Who waits for an instance does not keep it.
        NominatedGo,
        /// The group grows past its maximum.
        AboveMaximum,
        /// Instances are not protected from scale-in.
        Unprotected,
        /// All empty instances are removed at once.
        NoRemovalBudget,
        /// Nothing is ever removed.
        NeverShrinks,
        /// The desired capacity is raised before that is written down.
        GrowsUnintended,
        /// Empty instances are drained, whoever's they are.
        DrainsOthers,

        // Whom the webhook tells.
        /// What could not be told counts as told.
        FailedIsTold,
        /// The newest event is told first.
        NewestFirst,
        /// What is not told when its row is written next is told to nobody.
        NewsLost,

        // The shell.
        /// What was not listed yet is not there.
        BeforeListing,
        /// A listing that failed is an empty one.
        FailedListIsEmpty,
        /// Effects go on when the lease has run out: neither who keeps it notices, nor who acts. Either alone is enough.
        ActsWithoutLease,
        /// Steps are taken before the plan is remembered.
        ActsFirst,
        /// Steps are taken although the plan could not be written.
        ActsOnConflict,
        /// Writes of a leader are not fenced.
        Unfenced,
        /// The table forgets who led when it was written.
        FenceIgnored,
        /// The table takes the last write, whatever it was decided from.
        LastWriteWins,
        /// A live leader's lease is taken.
        TakesLiveLease,
        /// A new leader takes the times that the one before it wrote for its own clock's.
        TrustsOtherClocks,
        /// A standby does not say which rows it wrote.
        StandbysUntold,
        /// What standbys hold and forward is no use.
        StandbysUseForgotten,
        /// Calls are made as fast as they can be.
        NoBudget,
        /// A report is believed whoever signed it.
        BelievesForged,
    }

    thread_local! {
        static HERE: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants a fault into everything that this thread does, or takes it out again.
    pub fn plant(fault: Option<Fault>) {
        HERE.set(fault);
    }

    /// What is planted in this thread, to be planted in those that work for it.
    pub fn here() -> Option<Fault> {
        HERE.get()
    }

    /// Whether a fault is planted, in this thread or (`DORMOUSE_MUTANT=Name`) in this process.
    pub fn is_planted(fault: Fault) -> bool {
        static EVERYWHERE: OnceLock<Option<Fault>> = OnceLock::new();
        let named = EVERYWHERE.get_or_init(|| {
            // Faults are planted by whoever starts a test: there is no configuration to go through.
            #[allow(clippy::disallowed_methods)]
            let named = std::env::var("DORMOUSE_MUTANT").ok()?;
            Fault::ALL.iter().find(|fault| format!("{fault:?}") == named).copied()
        });
        HERE.get() == Some(fault) || *named == Some(fault)
    }
}

#[cfg(feature = "mutants")]
pub use faults::{Fault, here, is_planted, plant};
