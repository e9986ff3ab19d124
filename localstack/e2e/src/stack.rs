//! A world that the CloudFormation template makes, deployed and removed by the very programs that users run.

use crate::aws::Aws;
use crate::control::Control;
use crate::paths::{infrastructure, python};
use crate::world::DOMAIN;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::process::{Command, Output};

/// Tells this installation from others.
pub const INSTALL: &str = "e2e";
/// Who deploys.
const OPERATOR: &str = "AKIALOCALOPERATOR000";
/// Where the images are; which programs they are stands in the world's map of images.
pub const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const REPOSITORIES: [&str; 3] = ["dormouse", "dormouse-proxy", "dormouse-service"];
const TAGS: [&str; 2] = ["e2e", "e2e-2"];

fn program(name: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(python());
    command
        .arg(infrastructure().join(name))
        .args(["--install-id", INSTALL, "--yes"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", OPERATOR)
        .env("AWS_SECRET_ACCESS_KEY", "local");
    command
}

/// `make deploy`, with parameters of the template: `Name=value`.
pub fn deploy(address: SocketAddr, parameters: &[&str]) -> Output {
    let mut command = program("deploy.py", address);
    command.args(["--domain", DOMAIN, "--images", REGISTRY, "--tag", TAGS[0]]);
    for one in parameters {
        command.args(["--set", one]);
    }
    command.output().expect("the deployment starts")
}

/// `make undeploy`, with more arguments.
pub fn undeploy(address: SocketAddr, arguments: &[&str]) -> Output {
    program("undeploy.py", address).args(arguments).output().expect("the removal starts")
}

/// Deploys, and answers the ids of that world in the shape of a seeded one's.
///
/// # Panics
/// When it fails.
pub fn make(control: &Control, aws: Aws) -> Value {
    push(aws);
    let mut ids = control.get("world");
    let done = deploy(control.address(), &[]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "make deploy: {said}");
    let settings: Map<String, Value> = String::from_utf8_lossy(&done.stdout)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let text = |name: &str| settings.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    ids["clusters"] = json!([text("PROXY_CLUSTER"), text("SERVICE_CLUSTER")]);
    ids["subnets"] = text("PROXY_SUBNET_IDS").split(',').collect();
    ids["securityGroup"] = json!(text("SECURITY_GROUP_ID"));
    ids["asg"] = json!(text("SERVICE_ASG_NAME"));
    ids["table"] = json!(text("LAUNCH_LOCKS_TABLE_NAME"));
    ids["outputs"] = outputs(aws);
    for (name, value) in settings {
        ids["env"][name] = value;
    }
    ids["env"]["DORMOUSE_SECRET"] = secret(aws, &ids)["secret"].clone();
    // The controller acts under the very role that the stack has for it.
    let role = json!({"role": ids["outputs"]["ControllerRoleArn"]});
    control.post("iam", &json!({"key": ids["env"]["AWS_ACCESS_KEY_ID"], "policy": role}));
    ids
}

/// Has the images in the account's registry, as far as anybody looks at them there.
pub fn push(aws: Aws) {
    let call = |operation: &str, given: &Value| {
        aws.json("ecr", &format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), given)
    };
    for name in REPOSITORIES {
        call("CreateRepository", &json!({"repositoryName": name}));
        for tag in TAGS {
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
                    "digest": format!("sha256:{:0>64}", name.len() + tag.len()),
                },
                "layers": [],
            });
            let given =
                json!({"repositoryName": name, "imageTag": tag, "imageManifest": manifest.to_string()});
            call("PutImage", &given);
        }
    }
}

/// The stack's outputs, by their names.
fn outputs(aws: Aws) -> Value {
    let answer = aws.cloudformation("DescribeStacks", &[("StackName", &format!("dormouse-{INSTALL}"))]);
    let mut found = Map::new();
    for member in answer.split("<OutputKey>").skip(1) {
        let text = |from: &str, until: &str| {
            let rest = member.split_once(from).map_or("", |(_, rest)| rest);
            rest.split(until).next().unwrap_or_default().to_owned()
        };
        let name = member.split('<').next().unwrap_or_default().to_owned();
        found.insert(name, json!(text("<OutputValue>", "</OutputValue>")));
    }
    Value::Object(found)
}

/// What the stack's secret holds.
pub fn secret(aws: Aws, ids: &Value) -> Value {
    let id = &ids["outputs"]["ControllerSecretArn"];
    let answer = aws.json("secretsmanager", "secretsmanager.GetSecretValue", &json!({"SecretId": id}));
    serde_json::from_str(answer["SecretString"].as_str().unwrap_or_default()).expect("the secret is JSON")
}
