//! LocalStack in place of the local AWS: `LOCALSTACK=1`, `LOCALSTACK_AUTH_TOKEN` and `AWS_ENDPOINT_URL` are set.
//!
//! It has no control endpoint, so what needs one is skipped. What the controller is to use was made before, by the
//! CloudFormation template for example, and stands in the controller's own variables (`DOMAIN`, `HOSTED_ZONE_ID` …).

use crate::controller::Controller;
use crate::options::SETTINGS;
use std::env;
use std::path::Path;

/// The variables for controllers, when the tests run on LocalStack.
pub fn variables() -> Option<Vec<(String, String)>> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let is_on = set("LOCALSTACK").as_deref() == Some("1");
    if !is_on || set("LOCALSTACK_AUTH_TOKEN").is_none() || set("AWS_ENDPOINT_URL").is_none() {
        return None;
    }
    let mut variables: Vec<(String, String)> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    // Containers reach the host under this name.
    variables.push(("DORMOUSE_CONTROLLER_URL".into(), "http://host.docker.internal:9070".into()));
    variables.push(("DORMOUSE_PUBLIC_IP".into(), "127.0.0.1".into()));
    variables.extend(env::vars());
    Some(variables)
}

/// Starts a controller on LocalStack, and waits until it is ready.
///
/// # Panics
/// When it does not come up.
#[track_caller]
pub fn controller(variables: Vec<(String, String)>, directory: &Path) -> Controller {
    let controller = Controller::launch("127.0.0.1".to_owned(), variables, directory.join("controller.log"));
    controller.is_up();
    controller
}
