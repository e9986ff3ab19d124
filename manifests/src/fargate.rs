//! The sizes that Fargate offers for a task.
//!
//! From "Troubleshoot Amazon ECS task definition invalid CPU or memory errors" in the Amazon ECS
//! developer guide.

/// CPU units that the service sidecar takes beside the user's container.
pub const SIDECAR_CPU: u32 = 32;
/// MiB of the service sidecar; a hard limit.
pub const SIDECAR_MEMORY: u32 = 32;

/// CPU units, then memory in MiB: smallest, largest, step.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// CPU units and MiB of the largest task.
pub(crate) const LARGEST: (u32, u32) = (16_384, 122_880);

/// The CPU sizes.
pub fn cpu_sizes() -> impl Iterator<Item = u32> {
    SIZES.into_iter().map(|(cpu, ..)| cpu)
}

/// The memory sizes for a CPU size; none when there is no such CPU size.
pub fn memory_sizes(cpu: u32) -> Vec<u32> {
    let Some((cpu, smallest, largest, step)) = SIZES.into_iter().find(|(size, ..)| *size == cpu) else {
        return Vec::new();
    };
    (smallest..=largest)
        .step_by(usize::try_from(step).unwrap_or(1024))
        // The smallest CPU size leaves one step out.
        .filter(|memory| (cpu, *memory) != (256, 1536))
        .collect()
}

/// The cheapest size that has room for so much: CPU units and MiB. `None` when there is none.
pub fn fitting(cpu: u32, memory: u32) -> Option<(u32, u32)> {
    cpu_sizes().filter(|size| *size >= cpu).find_map(|size| {
        let memory = memory_sizes(size).into_iter().find(|offered| *offered >= memory)?;
        Some((size, memory))
    })
}

/// The memory sizes for a CPU size, in words.
pub(crate) fn describe_memory(cpu: u32) -> String {
    let sizes = memory_sizes(cpu);
    match sizes.as_slice() {
        [first, second, .., last] if sizes.len() > 7 => {
            format!("{first} to {last} in steps of {}", second - first)
        }
        sizes => sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{describe_memory, fitting, memory_sizes};

    #[test]
    fn the_cheapest_size_with_room() {
        for (cpu, memory, size) in [
            (1, 1, Some((256, 512))),
            (256, 512, Some((256, 512))),
            (256, 1025, Some((256, 2048))),
            (288, 544, Some((512, 1024))),
            // A CPU size has only so much memory.
            (256, 2049, Some((512, 3072))),
            (1024, 30_721, Some((8192, 32_768))),
            (16_384, 122_880, Some((16_384, 122_880))),
            (16_385, 1, None),
            (1, 122_881, None),
        ] {
            assert_eq!(fitting(cpu, memory), size, "{cpu} {memory}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_guide() {
        assert_eq!(memory_sizes(256), [512, 1024, 2048]);
        assert_eq!(memory_sizes(512), [1024, 2048, 3072, 4096]);
        assert_eq!(memory_sizes(1024).len(), 7);
        assert_eq!(memory_sizes(8192).last(), Some(&61_440));
        assert_eq!(memory_sizes(16_384).len(), 12);
        assert!(memory_sizes(300).is_empty());
        assert_eq!(describe_memory(256), "512, 1024, 2048");
        assert_eq!(describe_memory(4096), "8192 to 30720 in steps of 1024");
    }
}
