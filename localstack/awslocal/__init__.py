"""A process-backed local AWS: moto's server, with an ECS whose tasks are real local processes."""
