//! ECS's reasons in plain words, with what to do.
//!
//! Source: Amazon ECS Developer Guide, "Stopped task error messages", "API failures messages".

/// What a reason starts with or contains, and what it means.
const KNOWN: &[(&str, &str)] = &[
    (
        "CannotPullContainerError",
        "the image could not be pulled: check its name and tag, the execution role, and the route to the registry",
    ),
    (
        "CannotPullImageManifestError",
        "the image's manifest could not be pulled: check its name, tag and platform",
    ),
    ("OutOfMemoryError", "the container used more memory than it has: raise `memory` in the manifest"),
    ("OutOfMemory", "the container used more memory than it has: raise `memory` in the manifest"),
    (
        "ResourceInitializationError",
        "the task's secrets, logs or network could not be set up: check the execution role and the subnets' routes",
    ),
    ("CannotStartContainerError", "the container could not be started: check `command` and `entryPoint`"),
    ("CannotCreateContainerError", "the container could not be created: check the task definition"),
    ("SpotInterruption", "AWS took the Spot machine back"),
    ("Host EC2", "the instance it ran on was terminated"),
    ("RESOURCE:CPU", "no instance has enough free CPU for it"),
    ("RESOURCE:MEMORY", "no instance has enough free memory for it"),
    (
        "RESOURCE:ENI",
        "no instance has a free network interface: lower MAX_TASKS_PER_INSTANCE, use larger instances, or turn ENI trunking on",
    ),
    ("RESOURCE:", "no instance has what it asks for"),
    ("NO_INSTANCES", "no instance has joined the cluster yet"),
    ("AGENT", "the ECS agent of the instance is not connected"),
    ("ATTRIBUTE", "no instance has an attribute that the task definition asks for"),
    (
        "Timeout waiting for network interface",
        "the network interface could not be attached in time: it is tried again",
    ),
];

/// A reason, with its meaning in front when it is a known one.
pub fn explain(reason: &str) -> String {
    match KNOWN.iter().find(|(mark, _)| reason.contains(mark)) {
        Some((_, meaning)) => format!("{meaning} ({reason})"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown() {
        assert!(explain("RESOURCE:ENI").starts_with("no instance has a free network interface"));
        assert!(explain("RESOURCE:GPU").starts_with("no instance has what it asks for"));
        assert_eq!(explain("Essential container in task exited"), "Essential container in task exited");
    }
}
