//! Every fault that a run can have, in a line each.

/// Name and what it is. Rates are drawn for a seed, and each kind is absent in many; what happens once, or now and
/// then, is an act of the script.
pub const FAULTS: &[(&str, &str)] = &[
    ("call fails", "any call: it never arrives, and is not answered"),
    ("answer lost", "any changing call: it takes effect, and is not answered"),
    (
        "call delayed",
        "any changing call: seconds on the way, whatever becomes of the caller meanwhile; or given up by it, and in effect \
         up to 20 s later",
    ),
    ("throttled", "at random; and by the account's real buckets, of which neighbours take up to 98 %"),
    ("service outage", "ECS, Auto Scaling, Route 53, EC2 or DynamoDB answers nobody for up to 10 min"),
    (
        "stale reads",
        "ECS, the group, Route 53: up to 60 s old, each (and in an answer each task) as old as it happens to be, so that \
         they go back in time",
    ),
    (
        "short pages",
        "a listing in pages of 1-4 entries, each of its own age, so that entries are missed; one fails: all fail",
    ),
    (
        "RunTask failures",
        "no instance, no room, no capacity, an attribute that is missing, an inactive definition",
    ),
    ("Fargate without capacity", "Fargate, or only Spot, has none for up to 12 min"),
    ("ENI time-out", "a task's network interface does not come up: it ends after 3 min in PROVISIONING"),
    ("ENI late", "a proxy's public address is shown up to 30 s late"),
    ("tasks die", "at any moment, early in their life, or by an operator's StopTask"),
    ("tasks hang", "in any state of their life, up to an hour"),
    (
        "poisoned service",
        "its container ends soon after each start, and every batch of records with one of its is refused",
    ),
    ("containers flap", "the user's container does not answer for a while"),
    ("Spot", "Fargate Spot takes a proxy back"),
    (
        "agent disconnect",
        "an instance's agent is gone for up to 10 min: it tells of no exit, and is told of no StopTask",
    ),
    (
        "instances",
        "boot in 30-300 s, and are InService long before they join; never join; break with all that runs there, which ECS \
         shows running until the group notices, up to 5 min later",
    ),
    ("minimum raised", "somebody raises the group's smallest size for up to 15 min"),
    ("no capacity", "EC2 has no instance of the group's types for up to 15 min"),
    ("AZ rebalance", "the group launches another instance and takes an unprotected one away"),
    ("strangers' tasks", "somebody runs tasks on our instances"),
    (
        "another installation",
        "in the same account: its instances in our cluster, its tasks on ours, its records and claims, also of names of ours",
    ),
    ("Route 53 busy", "PriorRequestNotComplete for up to 10 s"),
    (
        "slow INSYNC",
        "up to 55 s until all name servers have a change, one that is asked about up to 5 min; resolvers ask those that have, and those that have not",
    ),
    (
        "foreign records",
        "an operator sets or removes records of our names, in the public and in the private zone",
    ),
    ("DynamoDB unknown", "reads that fail; writes that fail before, or after, they were made"),
    ("row lost", "an operator deletes a service's row, or the lease's"),
    (
        "heartbeats",
        "lost, up to 20 s late and out of order, doubled, forged, sent to the replica that does not lead",
    ),
    ("clocks", "wrong by up to 10 min, each controller's by another; 2 % fast or slow; jumps of up to 60 s"),
    (
        "controller crash",
        "at any await; what it has sent arrives all the same; back after a second to a minute",
    ),
    ("controller frozen", "for 1-120 s, in the middle of whatever it does, the making of a call among it"),
    (
        "split brain",
        "for up to 3 min each controller sees of the lease only what it wrote: two or three lead",
    ),
    (
        "link between controllers",
        "what one says to another is late, breaks the connection, or does not come through for up to 5 min",
    ),
    (
        "webhook's receiver",
        "refuses, is not reached, or is slow; takes what it was given up for; takes it, and its answer is lost",
    ),
    ("controllers", "one to three, any of them may be replaced"),
    (
        "operators",
        "wake, put to sleep, declare anew (also half-way through a wake), delete; services and templates",
    ),
    ("addresses reused", "released public addresses go to other proxies, or to strangers"),
    ("requests", "at any time, through resolvers with caches; answers take up to a minute"),
];
