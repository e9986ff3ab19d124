//! The simulated AWS and the local one answer alike: the same small scenarios, through the same ports, on both.
//! Where they differ, the one that differs from AWS is wrong.
//!
//! The local one runs where `AWS_ENDPOINT_URL` is set, as `localstack/with-aws` does.

#![allow(clippy::unwrap_used, clippy::panic)]

mod local;
mod scenarios;
mod simulated;

use dormouse_aws::Cloud;
use dormouse_aws::ports::{RunAnswer, RunCall};
use dormouse_core::definition::{Base, Container, Content};
use dormouse_core::observed::{Task, TaskStatus};
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Launch, RunParameters};
use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

/// An AWS, and what there is in it.
struct Bench {
    cloud: Cloud,
    proxy_cluster: String,
    service_cluster: String,
    group: String,
    zone: String,
    domain: String,
    subnet: String,
    security_group: String,
    /// Nobody else's: the installation of these scenarios.
    install: String,
    /// How long something may take here, on the clock of this AWS.
    patience: Duration,
    number: Cell<u64>,
}

impl Bench {
    /// Waits until something is so.
    async fn until<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn started_by(&self) -> String {
        format!("dormouse/{}", self.install)
    }

    /// A definition of a family of its own.
    fn content(&self, launch: Launch, cpu: u32, memory: u32) -> Content {
        self.number.set(self.number.get() + 1);
        Content {
            family: format!("{}-{}", self.install, self.number.get()),
            base: Base::Own,
            fargate: launch != Launch::Ec2,
            falls_back: false,
            architecture: None,
            cpu,
            memory,
            task_role: None,
            execution_role: None,
            containers: vec![Container {
                name: "app".into(),
                image: "dormouse-demo:1".into(),
                command: Vec::new(),
                entry_point: Vec::new(),
                cpu,
                memory,
                env: [].into(),
                secrets: [].into(),
                port: Some(9050),
                stop_timeout: 2,
                health_command: Vec::new(),
                log: None,
            }],
            shares_tmp: None,
        }
    }

    /// A call that was not made before, of a definition that is registered for it.
    async fn call(&self, launch: Launch, cpu: u32, memory: u32) -> RunCall {
        let content = self.content(launch, cpu, memory);
        let task_definition = self.cloud.tasks.register(&self.install, &content).await.unwrap();
        let role = if launch == Launch::Ec2 { Role::Service } else { Role::Proxy };
        let attempt = u32::try_from(self.number.get()).unwrap();
        let identity = Identity { service: "hello".into(), role, epoch: 1, attempt };
        let cluster = if launch == Launch::Ec2 { &self.service_cluster } else { &self.proxy_cluster };
        RunCall {
            started_by: self.started_by(),
            client_token: format!("{}-{attempt}", self.install),
            parameters: RunParameters {
                cluster: cluster.clone(),
                task_definition,
                container: "app".into(),
                subnets: vec![self.subnet.clone()],
                security_groups: vec![self.security_group.clone()],
                launch,
                public_ip: launch != Launch::Ec2,
                controller_url: String::new(),
                incarnation: String::new(),
            },
            env: [(
                "DORMOUSE_TASK_TOKEN".to_owned(),
                dormouse_peer::token::sign(b"a secret of so many bytes, thirty-two", &identity),
            )]
            .into(),
            tags: [].into(),
            identity,
        }
    }

    /// Starts what must start.
    async fn start(&self, call: &RunCall) -> Task {
        match self.cloud.tasks.run(call).await.unwrap() {
            RunAnswer::Started(task) => *task,
            other => panic!("{other:?}"),
        }
    }

    async fn describe(&self, task: &Task) -> Option<Task> {
        let arns = [task.arn.clone()];
        let mark = self.started_by();
        self.cloud.tasks.describe(&task.cluster, &mark, &arns).await.unwrap().tasks.pop()
    }

    /// Waits until a task is so far.
    async fn comes_to(&self, task: &Task, status: TaskStatus) -> Task {
        let look = || async { self.describe(task).await.filter(|task| task.status == status) };
        self.until(&format!("{} {status:?}", task.arn), look).await
    }
}
