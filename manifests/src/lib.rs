//! The Service manifest: what a user declares, read with care and explained when it is wrong.
//!
//! # Layout
//!
//! - `types` – the manifest as plain data, every default resolved; `duration`, `rate` and `window`
//!   are the values that are written as short texts, `patterns` what the schema says about others
//! - [`template`] – templates of services, as plain data; `places` – what is filled into their texts
//! - `load` – texts, files and directories to services and templates; `set`, `set_templates` – checks between them
//! - `source`, `diagnostic`, `located` – places in texts, and what is wrong there
//! - `yaml`, `node` – YAML to a tree with places
//! - `service`, `spec`, `proxy` – the tree to a service, by `read` (typed values), `fields` (their names),
//!   `checks` (what texts must be), `fargate` (sizes) and `suggest` ("did you mean")
//! - `glob` – patterns of what does not wake a service
//! - `schema` – the JSON Schema
//!
//! # Example
//!
//! ```
//! let parsed = dormouse_manifests::parse(
//!     "hello.yaml",
//!     "apiVersion: dormouse.dev/v1
//! kind: Service
//! metadata: { name: hello }
//! spec: { image: nginx, idleAfer: 5m }",
//! );
//! assert!(parsed.services.is_empty());
//! assert!(parsed.diagnostics[0].to_string().contains("--> hello.yaml:4:23"));
//! assert_eq!(parsed.diagnostics[0].help[0], "did you mean `idleAfter`?");
//! ```

mod checks;
mod diagnostic;
pub mod duration;
pub mod fargate;
mod fields;
pub mod glob;
mod load;
mod located;
mod node;
mod patterns;
mod places;
mod proxy;
pub mod rate;
mod read;
mod schema;
mod service;
mod set;
mod set_templates;
mod source;
mod spec;
mod suggest;
pub mod template;
mod types;
pub mod window;
mod yaml;

pub use diagnostic::{Diagnostic, Severity};
pub use duration::{format_duration, parse_duration};
pub use load::{Parsed, load, parse};
pub use located::Located;
pub use rate::RateLimit;
pub use schema::{TimeText, schema};
pub use set::check_set;
pub use template::{ServiceTemplate, TemplateSpec, template_for};
pub use types::{
    API_VERSION, Access, ApiVersion, Architecture, Fallback, Health, IdleAfter, Ignore, KIND, Kind, Metadata,
    Protocol, ProxyProtocol, ProxySpec, Service, ServiceSpec, Theme, Timeouts, Wake,
};
pub use window::{AwakeWindow, Days};
pub use yaml::{WriteError, to_yaml};
