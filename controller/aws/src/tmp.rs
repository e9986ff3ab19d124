//! The `/tmp` that the user's container shares with its sidecar, so that a file left there is seen.

use aws_sdk_ecs::types::{
    ContainerCondition, ContainerDefinition, ContainerDependency, HostVolumeProperties, MountPoint, Volume,
};

const NAME: &str = "dormouse-tmp";
const PATH: &str = "/tmp";

/// Mounts the user's `/tmp` into every container of ours (those without a mount there), and answers the volumes
/// with the one that this takes. A volume that the user mounts there already is the one to share.
///
/// Ours start after the user's: a fresh volume takes its content and its mode from the image that mounts it first.
pub fn share(containers: &mut [ContainerDefinition], user: &str, mut volumes: Vec<Volume>) -> Vec<Volume> {
    let theirs =
        containers.iter().find(|container| container.name.as_deref() == Some(user)).and_then(|container| {
            let mounts = container.mount_points.iter().flatten();
            mounts
                .filter(|mount| mount.container_path.as_deref() == Some(PATH))
                .find_map(|mount| mount.source_volume.clone())
        });
    let source = theirs.unwrap_or_else(|| {
        volumes.push(Volume::builder().name(NAME).host(HostVolumeProperties::builder().build()).build());
        NAME.to_owned()
    });
    for container in containers {
        let ours = container.name.as_deref() == Some(dormouse_core::naming::SIDECAR_CONTAINER);
        let is_user = container.name.as_deref() == Some(user);
        let mounts = container.mount_points.get_or_insert_default();
        let taken = mounts.iter().any(|mount| mount.container_path.as_deref() == Some(PATH));
        if (ours || is_user) && !taken {
            mounts.push(MountPoint::builder().source_volume(&source).container_path(PATH).build());
        }
        if ours {
            let after =
                ContainerDependency::builder().container_name(user).condition(ContainerCondition::Start);
            // Both fields are set: it always builds.
            container.depends_on.get_or_insert_default().extend(after.build().ok());
        }
    }
    volumes
}
