//! A running local AWS of a test's own, and what it knows to be true.

use crate::api::Service;
use crate::aws::Aws;
use crate::control::Control;
use crate::controller::Controller;
use crate::dns::{self, Record, Resolver};
use crate::eventually::{SOON, eventually};
use crate::http::{Answer, PATIENCE, Request};
use crate::options::{DELAYS, Options};
use crate::paths::{localstack, program, python};
use crate::policy;
use crate::stack;
use crate::tasks::{self, Role, Task};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Port of proxies and of the activator.
pub const PORT: u16 = 9060;
/// Public domain of every world.
pub const DOMAIN: &str = "dormouse.test";
/// Private domain of those worlds that have one.
pub const PRIVATE_DOMAIN: &str = "internal.test";

/// A local AWS with its processes.
#[derive(Debug)]
pub struct World {
    /// What it was made from.
    pub options: Options,
    /// Its control endpoint.
    pub control: Control,
    /// Calls of somebody else to it.
    pub aws: Aws,
    /// Ids of what was seeded.
    pub ids: Value,
    /// What is not Dormouse's, as it was at the start.
    pub foreign: Foreign,
    local: Child,
    directory: TempDir,
    controllers: AtomicU8,
}

/// What is not Dormouse's.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// Records of the public zone.
    pub records: Vec<Record>,
    /// A running task in the proxies' cluster.
    pub task: Task,
}

impl World {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn start(options: Options) -> World {
        let directory = tempfile::Builder::new().prefix("dormouse-e2e-").tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        write(&at("images.json"), &images(&options));
        write(&at("seed.json"), &seed(&options));
        let log = File::create(at("local.log")).expect("a log");
        let mut command = Command::new(python());
        command
            .args(["-m", "awslocal", "serve", "--port", "0", "--die-with-parent"])
            .arg("--ready-file")
            .arg(at("ready.json"))
            .arg("--images")
            .arg(at("images.json"))
            .arg("--seed")
            .arg(at("seed.json"))
            .arg("--data")
            .arg(at("data"))
            .args(DELAYS.iter().map(|(name, delay)| format!("--{name}={}ms", delay.as_millis())))
            .args(&options.local)
            .current_dir(localstack())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        let mut local = command.spawn().expect("the local AWS starts");
        let ready = eventually("the local AWS is up", Duration::from_secs(60), || {
            if let Ok(Some(status)) = local.try_wait() {
                panic!("the local AWS ended, {status}: {}", read(&at("local.log")));
            }
            fs::read(at("ready.json")).map_err(|error| error.to_string())
        });
        let ready: Value = serde_json::from_slice(&ready).expect("the ready file is JSON");
        let endpoint = ready["endpoint"].as_str().and_then(|url| url.strip_prefix("http://"));
        let address: SocketAddr = endpoint.and_then(|address| address.parse().ok()).expect("an endpoint");
        let (control, aws) = (Control::new(address), Aws::new(address));
        let ids = if options.stack {
            stack::make(&control, aws)
        } else {
            let ids = control.get("world");
            policy::enforce(&control, &ids, stack::INSTALL);
            ids
        };
        let foreign = foreign(control, aws, &ids);
        World { options, control, aws, ids, foreign, local, directory, controllers: AtomicU8::new(0) }
    }

    /// The directory of everything that belongs to it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a controller, and waits until it has read everything once and every name resolves.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn controller(&self) -> Controller {
        let controller = self.controller_with(&[]);
        controller.is_up();
        self.is_open();
        controller
    }

    /// Waits until the wildcard stands: from then on every name resolves at every moment.
    #[track_caller]
    pub fn is_open(&self) {
        eventually("the wildcard stands", SOON, || self.record("*").map(|_| ()).ok_or("there is none"));
    }

    /// Starts a controller with variables of its own, without waiting.
    #[track_caller]
    pub fn controller_with(&self, variables: &[(&str, &str)]) -> Controller {
        let number = self.controllers.fetch_add(1, Ordering::SeqCst);
        Controller::start(self, number, variables)
    }

    /// An address of this world's own for a controller: tasks never get one that ends with 1.
    pub fn address(&self, number: u8) -> String {
        let mut parts: Vec<&str> = self.foreign.task.address().split('.').collect();
        let number = number.to_string();
        parts.truncate(2);
        parts.extend([number.as_str(), "1"]);
        parts.join(".")
    }

    /// The variables that this world gives to controllers.
    pub fn variables(&self) -> Vec<(String, String)> {
        let given = self.ids["env"].as_object().cloned().unwrap_or_default();
        given.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// An id of something seeded, such as `hostedZone`.
    pub fn id(&self, what: &str) -> &str {
        self.ids[what].as_str().unwrap_or_default()
    }

    /// Every record of the public zone.
    pub fn records(&self) -> Vec<Record> {
        dns::records(&self.control, self.id("hostedZone"))
    }

    /// The value of a name's own A record in the public zone.
    pub fn record(&self, name: &str) -> Option<String> {
        let name = host(name);
        let records = self.records();
        records.iter().find(|one| one.kind == "A" && one.name == name).map(|one| one.values.join(","))
    }

    /// A client's resolver.
    pub fn resolver(&self) -> Resolver {
        Resolver::new(self.control, self.id("hostedZone"))
    }

    /// Where a service's name leads right now.
    ///
    /// # Panics
    /// When it leads nowhere.
    #[track_caller]
    pub fn resolve(&self, name: &str) -> SocketAddr {
        let address = self.resolver().resolve(&host(name)).unwrap_or_else(|error| panic!("{error}"));
        socket(&address)
    }

    /// Sends a request to a service as a client would: by its name, wherever that leads.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn get(&self, name: &str, target: &str) -> Answer {
        let to = self.resolve(name);
        let request = Request::new("GET", &host(name), target).patience(PATIENCE);
        request.send(to).unwrap_or_else(|error| panic!("GET {target} of {name} at {to}: {error}"))
    }

    /// All tasks that a service ever had in a role, the oldest first.
    pub fn tasks_ever(&self, service: &str, role: Role) -> Vec<Task> {
        tasks::ever(&self.control, service, role)
    }

    /// The one live task of a service's role.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[track_caller]
    pub fn task(&self, service: &str, role: Role) -> Task {
        let mut live = tasks::live(&self.control, service, role);
        assert_eq!(live.len(), 1, "live {role:?} tasks of {service}: {}", list(&live));
        live.remove(0)
    }

    /// Waits until one pair of a service is left: another one took its place.
    #[track_caller]
    pub fn one_pair(&self, service: &str) {
        eventually(&format!("{service} has one pair"), SOON, || {
            let live = Role::ALL.map(|role| tasks::live(&self.control, service, role));
            if live.iter().all(|live| live.len() == 1) {
                Ok(())
            } else {
                Err(live.map(|live| list(&live)).concat())
            }
        });
    }

    /// A task by its id, as it is now.
    #[track_caller]
    pub fn again(&self, task: &Task) -> Task {
        Task::new(self.control.get(&format!("tasks/{}", task.id())))
    }

    /// Waits until a task has stopped.
    #[track_caller]
    pub fn stopped(&self, task: &Task) -> Task {
        eventually(&format!("task {} has stopped", task.id()), SOON, || {
            let now = self.again(task);
            if now.is_live() { Err(now.to_string()) } else { Ok(now) }
        })
    }

    /// Waits until nothing of a service is left but its row: no live task, no record.
    #[track_caller]
    pub fn nothing_of(&self, service: &str) {
        eventually(&format!("nothing of {service} is left"), SOON, || {
            let live: Vec<Task> =
                Role::ALL.into_iter().flat_map(|role| tasks::live(&self.control, service, role)).collect();
            if !live.is_empty() {
                return Err(list(&live));
            }
            let own = [host(service), format!("{service}._dormouse.{DOMAIN}")];
            let records: Vec<Record> =
                self.records().into_iter().filter(|one| own.contains(&one.name)).collect();
            if records.is_empty() { Ok(()) } else { Err(format!("{records:?}")) }
        });
    }

    /// How many instances of the group there are, whatever their state.
    pub fn instances(&self) -> usize {
        self.control.get("instances")["instances"].as_array().map_or(0, Vec::len)
    }

    /// Waits until there are so many instances.
    #[track_caller]
    pub fn has_instances(&self, count: usize) {
        eventually(&format!("there are {count} instances"), SOON, || {
            let now = self.instances();
            if now == count { Ok(()) } else { Err(self.control.get("instances").to_string()) }
        });
    }

    /// How often an operation was called, such as `ecs.RunTask`.
    pub fn calls(&self, operation: &str) -> u64 {
        self.control.get("stats")["calls"][operation].as_u64().unwrap_or_default()
    }

    /// Everything that the applications of a service have printed, of all of its tasks.
    pub fn printed(&self, service: &str) -> String {
        let folder = self.directory().join("data/logs").join(self.id_of_cluster(1));
        let mut text = String::new();
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.contains(&format!("-{service}-service.")) && name.ends_with(".app.log") {
                text.push_str(&read(&file.path()));
            }
        }
        text
    }

    fn id_of_cluster(&self, number: usize) -> String {
        self.ids["clusters"][number].as_str().unwrap_or_default().to_owned()
    }

    /// Ends it, and waits for that.
    pub fn end(&mut self) {
        if let Some(pid) = i32::try_from(self.local.id()).ok().and_then(Pid::from_raw)
            && let Ok(None) = self.local.try_wait()
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.local.wait();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end();
        if std::env::var_os("E2E_KEEP").is_some() {
            self.directory.disable_cleanup(true);
            eprintln!("kept: {}", self.directory().display());
        }
    }
}

/// A service's host name.
pub fn host(service: &str) -> String {
    format!("{service}.{DOMAIN}")
}

/// The port for traffic at an address.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn socket(address: &str) -> SocketAddr {
    format!("{address}:{PORT}").parse().unwrap_or_else(|_| panic!("no address: {address:?}"))
}

/// A file's text, however it is encoded; empty when it cannot be read.
pub fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Tasks in words.
pub fn list(tasks: &[Task]) -> String {
    if tasks.is_empty() {
        "none".to_owned()
    } else {
        tasks.iter().map(|task| format!("\n  {task}")).collect()
    }
}

/// Whether a service is ready, in words when not.
///
/// # Errors
/// Where it is instead.
pub fn ready(service: &Service) -> Result<(), String> {
    if service.is("Ready") { Ok(()) } else { Err(service.0["status"].to_string()) }
}

fn write(path: &PathBuf, value: &Value) {
    fs::write(path, value.to_string()).expect("a file in the test's own directory");
}

fn images(options: &Options) -> Value {
    let healthy = if options.no_health_commands { json!(["/bin/true"]) } else { Value::Null };
    let image = |name: &str, command: &PathBuf| json!({"image": format!("{name}:*"), "command": [command]});
    let mut proxy = image("*dormouse-proxy", &program("dormouse-proxy"));
    let mut service = image("*dormouse-service", &program("dormouse-service"));
    for (name, value) in &options.proxy {
        proxy["environment"][name] = json!(value);
    }
    for one in [&mut proxy, &mut service] {
        one["healthcheck"] = healthy.clone();
    }
    // The controller's own task: that it may start is all that is seen of it.
    let controller = json!({"image": "*dormouse:*", "command": ["/bin/sh", "-c", "exec sleep 600"]});
    let app = image("*e2e-app", &program("e2e-app"));
    json!([proxy, service, controller, app, {"image": "exec:*", "kind": "exec"}])
}

fn seed(options: &Options) -> Value {
    let mut seed = json!({
        "domain": DOMAIN,
        "records": [
            {"name": format!("www.{DOMAIN}"), "type": "A", "values": ["192.0.2.80"]},
            {"name": format!("mail.{DOMAIN}"), "type": "MX", "values": ["10 mail.example.net."]},
            {"name": format!("note.{DOMAIN}"), "type": "TXT", "values": ["\"not of this system\""], "ttl": 300},
        ],
        "taskDefinitions": [{
            "family": "foreign",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE", "EC2"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [
                {"name": "main", "image": "exec:1", "command": ["sleep", "3600"], "essential": true, "stopTimeout": 2},
            ],
        }],
    });
    for (field, value) in options.seed.as_object().into_iter().flatten() {
        if let (Some(known), Some(more)) = (seed[field].as_array_mut(), value.as_array()) {
            known.extend(more.iter().cloned());
        } else {
            seed[field] = value.clone();
        }
    }
    seed
}

/// Somebody else's things, which must be the same at the end.
fn foreign(control: Control, aws: Aws, ids: &Value) -> Foreign {
    let answer = aws.ecs(
        "RunTask",
        &json!({
            "cluster": ids["clusters"][0],
            "taskDefinition": "foreign",
            "launchType": "FARGATE",
            "startedBy": "somebody",
            "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": [ids["subnets"][0]], "securityGroups": [ids["securityGroup"]],
            }},
        }),
    );
    let arn = answer["tasks"][0]["taskArn"].as_str().unwrap_or_else(|| panic!("no foreign task: {answer}"));
    let id = arn.rsplit('/').next().unwrap_or_default();
    let task = eventually("the foreign task runs", SOON, || {
        let task = Task::new(control.get(&format!("tasks/{id}")));
        if task.is_running() { Ok(task) } else { Err(task.to_string()) }
    });
    let zone = ids["hostedZone"].as_str().expect("a zone");
    Foreign { records: dns::records(&control, zone), task }
}
