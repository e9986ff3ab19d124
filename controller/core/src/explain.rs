//! ECS's reasons in plain words, with what to do.
//!
//! Source: Amazon ECS Developer Guide, "Amazon ECS stopped tasks error messages" and "API failure reasons".

/// What a reason contains, what that means, and what to do. The first that fits is taken: the closer one stands first.
const KNOWN: &[(&str, &str, &str)] = &[
    // Images.
    ("toomanyrequests", "the registry lets no more pulls through", "sign in there, or copy the image to ECR"),
    ("no space left on device", "the instance's disk is full", "give the launch template a larger volume"),
    (
        "no matching manifest for",
        "the image was not built for the instance's processor",
        "push it for that platform, or use instances of the other one",
    ),
    (
        "no match for platform",
        "the image was not built for the instance's processor",
        "push it for that platform",
    ),
    (
        "pull access denied",
        "the registry gives the image to nobody without rights",
        "check its name, and what the execution role may read",
    ),
    (
        "CannotPullContainerError",
        "the image could not be pulled",
        "check its name and tag, the execution role, and the route to the registry",
    ),
    (
        "CannotPullImageManifestError",
        "the image's manifest could not be pulled",
        "check its name, tag and platform",
    ),
    (
        "CannotPullECRContainerError",
        "the image could not be pulled from ECR",
        "check that it is there, and what the execution role may read",
    ),
    // Before the container runs.
    (
        "unable to assume the role",
        "ECS may not use a role of the task",
        "check that `taskRoleArn` and the execution role exist and trust ecs-tasks.amazonaws.com",
    ),
    (
        "unable to pull secrets",
        "a secret of the task could not be read",
        "check the ARNs in `secrets`, what the execution role may read, and the subnets' route to Secrets Manager",
    ),
    (
        "failed to validate logger args",
        "the task's log stream could not be made",
        "check that the log group exists, and that the execution role may write to it",
    ),
    (
        "ResourceInitializationError",
        "the task's secrets, logs or network could not be set up",
        "check the execution role and the subnets' routes",
    ),
    (
        "Timeout waiting for network interface",
        "the network interface could not be attached in time",
        "it is tried again; if it stays so, look for free addresses in the subnets",
    ),
    (
        "Unexpected EC2 error while attempting to Create Network Interface",
        "no network interface could be made",
        "look for free addresses in the subnets, and for the account's limit of interfaces",
    ),
    (
        "executable file not found",
        "the container's program is not in its image",
        "check `command` and `entryPoint`",
    ),
    ("CannotStartContainerError", "the container could not be started", "check `command` and `entryPoint`"),
    ("CannotCreateContainerError", "the container could not be created", "check the task definition"),
    (
        "CannotCreateVolumeError",
        "a volume of the task could not be made",
        "check the task definition's volumes",
    ),
    (
        "CannotInspectContainerError",
        "the instance's container runtime does not answer",
        "it is tried again; if it stays so, replace the instance",
    ),
    (
        "CannotStopContainerError",
        "the instance's container runtime could not stop the container",
        "if it stays so, replace the instance",
    ),
    (
        "DockerTimeoutError",
        "the instance's container runtime was too slow",
        "it is tried again; if it stays so, use a larger instance or disk",
    ),
    (
        "ContainerRuntimeTimeoutError",
        "the machine's container runtime was too slow",
        "it is tried again; if it stays so, give the task more CPU",
    ),
    ("ContainerRuntimeError", "the machine's container runtime failed", "it is tried again"),
    ("InternalError", "ECS's agent failed", "it is tried again; if it stays so, replace the instance"),
    // While it runs.
    ("OutOfMemory", "the container used more memory than it has", "raise `memory` in the manifest"),
    (
        "app exited with 137",
        "the container was killed",
        "raise `memory` in the manifest if it needs more, and have it end within 30 s of SIGTERM",
    ),
    ("app exited with 139", "the container crashed (segmentation fault)", "look into its logs"),
    ("app exited with 127", "the container's program was not found", "check `command` and `entryPoint`"),
    (
        "app exited with 126",
        "the container's program may not be executed",
        "check `command`, and its permissions in the image",
    ),
    (
        "failed container health checks",
        "the container's own health check failed",
        "look into its logs, and into the task definition's health check",
    ),
    (
        "SpotInterruption",
        "AWS took the Spot machine back",
        "another one is started; `proxy.spot: false` avoids it",
    ),
    (
        "Spot Task was interrupted",
        "AWS took the Spot machine back",
        "another one is started; `proxy.spot: false` avoids it",
    ),
    ("Host EC2", "the instance it ran on was terminated", "another one is started"),
    // Room.
    (
        "Capacity is unavailable",
        "Fargate has no machine free there",
        "it is tried again; subnets in more zones, or `proxy.spot: false`, help",
    ),
    (
        "limit on the number of vCPUs",
        "the account's Fargate quota is used up",
        "ask for a higher one in Service Quotas",
    ),
    ("RESOURCE:CPU", "no instance has enough free CPU for it", "lower `cpu`, or use larger instances"),
    (
        "RESOURCE:MEMORY",
        "no instance has enough free memory for it",
        "lower `memory`, or use larger instances",
    ),
    (
        "RESOURCE:ENI",
        "no instance has a free network interface",
        "lower MAX_TASKS_PER_INSTANCE, use larger instances, or turn ENI trunking on",
    ),
    ("RESOURCE:PORTS", "no instance has its port free", "use `awsvpc` as the definition's network mode"),
    ("RESOURCE:GPU", "no instance has a free GPU", "use instances with one"),
    ("RESOURCE:", "no instance has what it asks for", "compare the task definition with the instances"),
    ("NO_INSTANCES", "no instance has joined the cluster yet", "one is started"),
    (
        "No Container Instances were found",
        "no instance has joined the cluster yet",
        "one is started; if none joins, look at its user data and role",
    ),
    ("AGENT", "the ECS agent of the instance is not connected", "if it stays so, replace the instance"),
    (
        "ATTRIBUTE",
        "no instance has an attribute that the task definition asks for",
        "compare its platform, log driver and volumes with the instances",
    ),
    (
        "MemberOf",
        "no instance meets the task definition's placement constraints",
        "compare them with the instances",
    ),
    // Calls.
    (
        "iam:PassRole",
        "the controller may not give that role to tasks",
        "roles of manifests need the path that the stack's output names",
    ),
    (
        "not authorized to perform",
        "the controller's role lacks a permission",
        "compare it with manifests/infrastructure/policies",
    ),
    ("AccessDenied", "a role lacks a permission", "the message names it; add it to the role's policy"),
    ("Throttling", "AWS lets fewer calls through right now", "it is tried again, later each time"),
    ("Rate exceeded", "AWS lets fewer calls through right now", "it is tried again, later each time"),
    ("ClusterNotFound", "the cluster is not there", "check PROXY_CLUSTER and SERVICE_CLUSTER"),
];

/// A reason, with its meaning and what to do in front when it is a known one.
pub fn explain(reason: &str) -> String {
    match KNOWN.iter().find(|(mark, ..)| reason.contains(mark)) {
        Some((_, meaning, remedy)) => format!("{meaning}: {remedy} ({reason})"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ecs_says_is_explained() {
        // As ECS words it, and how the explanation begins.
        for (reason, beginning) in [
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/nginx:9: not found",
                "the image could not be pulled: check its name",
            ),
            (
                "CannotPullContainerError: inspect image has been retried 1 time(s): toomanyrequests: Rate exceeded",
                "the registry lets no more pulls through: sign in",
            ),
            (
                "CannotPullContainerError: no matching manifest for linux/arm64/v8 in the manifest list entries",
                "the image was not built for the instance's processor",
            ),
            (
                "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
                "the instance's disk is full",
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: AccessDeniedException",
                "a secret of the task could not be read: check the ARNs",
            ),
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: ResourceNotFoundException",
                "the task's log stream could not be made",
            ),
            ("OutOfMemoryError: Container killed due to memory usage", "the container used more memory"),
            ("Essential container in task exited (app exited with 137)", "the container was killed: raise"),
            (
                "CannotStartContainerError: exec: \"serve\": executable file not found in $PATH",
                "the container's program is not in its image",
            ),
            ("Your Spot Task was interrupted.", "AWS took the Spot machine back"),
            ("Host EC2 (instance i-0123456789abcdef0) terminated.", "the instance it ran on was terminated"),
            ("RESOURCE:ENI", "no instance has a free network interface: lower MAX_TASKS_PER_INSTANCE"),
            ("RESOURCE:FPGA", "no instance has what it asks for"),
            (
                "InvalidParameterException: No Container Instances were found in your cluster.",
                "no instance has joined the cluster yet",
            ),
            (
                "Capacity is unavailable at this time. Please try again later or in a different availability zone",
                "Fargate has no machine free there",
            ),
            ("ThrottlingException: Rate exceeded", "AWS lets fewer calls through"),
        ] {
            let explained = explain(reason);
            assert!(explained.starts_with(beginning), "{explained}");
            assert!(explained.ends_with(&format!("({reason})")), "{explained}");
        }
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        for reason in ["Essential container in task exited (app exited with 1)", "", "dormouse: it sleeps"] {
            assert_eq!(explain(reason), reason);
        }
    }

    #[test]
    fn none_stands_behind_one_that_takes_its_place() {
        for (index, (mark, ..)) in KNOWN.iter().enumerate() {
            let first = KNOWN.iter().position(|(other, ..)| mark.contains(other));
            assert_eq!(first, Some(index), "{mark}");
        }
    }
}
