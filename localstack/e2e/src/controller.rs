//! A `dormouse controller` process.

use crate::api::{Api, Service};
use crate::eventually::{SOON, eventually};
use crate::manifest::Manifest;
use crate::options::SETTINGS;
use crate::paths::program;
use crate::world::{self, PORT, World, ready};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Port of the API.
pub const API_PORT: u16 = 9070;

/// One controller; killed when dropped.
#[derive(Debug)]
pub struct Controller {
    /// Its API.
    pub api: Api,
    address: String,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Child,
}

impl Controller {
    /// Starts one on an address of its own. Later variables go before earlier ones.
    #[track_caller]
    pub(crate) fn start(world: &World, number: u8, more: &[(&str, &str)]) -> Controller {
        let address = world.address(number);
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut variables: Vec<(String, String)> = SETTINGS.iter().map(text).collect();
        variables.extend(world.variables());
        variables.extend([
            ("DORMOUSE_API_LISTEN".into(), format!("{address}:{API_PORT}")),
            ("DORMOUSE_ACTIVATOR_LISTEN".into(), format!("{address}:{PORT}")),
            ("DORMOUSE_CONTROLLER_URL".into(), format!("http://{address}:{API_PORT}")),
            ("DORMOUSE_PUBLIC_IP".into(), address.clone()),
        ]);
        variables.extend(world.options.controller.iter().cloned());
        variables.extend(more.iter().map(text));
        Controller::launch(address, variables, world.directory().join(format!("controller-{number}.log")))
    }

    /// Starts one with these variables, which listens at this address.
    pub(crate) fn launch(address: String, variables: Vec<(String, String)>, log: PathBuf) -> Controller {
        let child = spawn(&variables, &log);
        let api: SocketAddr = format!("{address}:{API_PORT}").parse().expect("an address");
        Controller { api: Api::new(api), address, variables, log, child }
    }

    /// Where it listens, without a port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its activator listens.
    pub fn activator(&self) -> SocketAddr {
        world::socket(&self.address)
    }

    /// Its URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}:{API_PORT}", self.address)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        world::read(&self.log)
    }

    /// Waits until it has read everything once.
    #[track_caller]
    pub fn is_up(&self) {
        eventually("the controller is ready", SOON, || {
            match self.api.send("GET", "/readyz", None, Duration::from_secs(5)) {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.to_string()),
                Err(error) => Err(format!("{error}\n{}", world::read(&self.log))),
            }
        });
    }

    /// Declares a service.
    #[track_caller]
    pub fn declare(&self, manifest: &Manifest) {
        self.api.declare(manifest);
    }

    /// Wakes a service and waits until it is ready.
    #[track_caller]
    pub fn wake(&self, name: &str) -> Service {
        self.api.wake(name);
        self.ready(name)
    }

    /// Waits until a service is ready.
    #[track_caller]
    pub fn ready(&self, name: &str) -> Service {
        eventually(&format!("{name} is ready"), SOON, || {
            let service = self.api.find(name)?;
            ready(&service).map(|()| service)
        })
    }

    /// Waits until a service is in a phase.
    #[track_caller]
    pub fn phase(&self, name: &str, phase: &str) -> Service {
        eventually(&format!("{name} is {phase}"), SOON, || {
            let service = self.api.find(name)?;
            if service.phase() == phase { Ok(service) } else { Err(service.0["status"].to_string()) }
        })
    }

    /// Waits until a condition holds for a service.
    #[track_caller]
    pub fn until(&self, what: &str, name: &str, mut look: impl FnMut(&Service) -> bool) -> Service {
        eventually(what, SOON, || {
            let service = self.api.find(name)?;
            if look(&service) { Ok(service) } else { Err(service.0["status"].to_string()) }
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the controller has ended", SOON, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// SIGTERM, and its orderly end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Starts it again with the same settings, after it has ended, and waits until it is up.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.launch_again();
        self.is_up();
    }

    /// The same without waiting.
    pub fn launch_again(&mut self) {
        self.child = spawn(&self.variables, &self.log);
    }

    /// Whether its process is over.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// `kill -9`, and a new process in its place.
    #[track_caller]
    pub fn crash(&mut self) {
        self.kill();
        self.start_again();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(variables: &[(String, String)], log: &PathBuf) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(log).expect("a log");
    Command::new(program("dormouse"))
        .arg("controller")
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("the controller starts")
}
