//! The patterns that the JSON Schema states for texts; `checks.rs` checks the same by hand, to say why.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

pub(crate) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";
pub(crate) const IMAGE: &str = "^\\S+$";
pub(crate) const TASK_DEFINITION: &str =
    "^(arn:aws[-a-z]*:ecs:[-a-z0-9]+:[0-9]{12}:task-definition/)?[-_A-Za-z0-9]{1,255}(:[1-9][0-9]*)?$";
pub(crate) const CONTAINER: &str = "^[-_A-Za-z0-9]{1,255}$";
pub(crate) const ENV_NAME: &str = "^[-._A-Za-z][-._A-Za-z0-9]*$";
pub(crate) const ROLE_ARN: &str = "^arn:aws[-a-z]*:iam::[0-9]{12}:role/\\S+$";
pub(crate) const PATH: &str = "^/\\S*$";
/// One `*`, and beside it what may stand in a DNS label.
pub(crate) const MATCH: &str = "^([a-z0-9][-a-z0-9]*)?\\*([-a-z0-9]*[a-z0-9])?$";
pub(crate) const TIMEZONE: &str = "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$";

macro_rules! text_schema {
    ($name:ident, $title:literal, $description:literal, $pattern:expr) => {
        /// Stands for a text in the schema only.
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $description,
                    "type": "string",
                    "pattern": $pattern,
                })
            }
        }
    };
}

text_schema!(ServiceName, "ServiceName", "Name of a service.", DNS_LABEL);
text_schema!(
    SecretReference,
    "SecretReference",
    "ARN of a Secrets Manager secret (`:key:stage:version` may follow) or of a Parameter Store parameter, or the parameter's name.",
    "^(arn:aws[-a-z]*:(secretsmanager:[-a-z0-9]+:[0-9]{12}:secret:|ssm:[-a-z0-9]+:[0-9]{12}:parameter/)\\S+|[-_./A-Za-z0-9]+)$"
);
text_schema!(PathGlob, "PathGlob", "Pattern of a path: `*` is any text, `?` one character.", "^[/*]\\S*$");
text_schema!(Glob, "Glob", "Pattern: `*` is any text, `?` one character.", "\\S");
text_schema!(Method, "Method", "An HTTP method, such as `HEAD`.", "^[-A-Z]{1,20}$");
text_schema!(Colour, "Colour", "A colour, such as `#0b7285`.", "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$");
text_schema!(PageName, "PageName", "Name of a page, without `.html`.", DNS_LABEL);
text_schema!(Clock, "Clock", "Time of the day, `00:00` to `23:59`.", "^([01][0-9]|2[0-3]):[0-5][0-9]$");
