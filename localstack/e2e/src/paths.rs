//! Where the programs are.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of the local AWS.
pub fn localstack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder").to_owned()
}

/// The folder of the template and its policies.
pub fn infrastructure() -> PathBuf {
    let root = localstack().parent().expect("it is in the repository").to_owned();
    root.join("manifests/infrastructure")
}

/// The folder of the built programs: `DORMOUSE_BIN_DIR`, or where this program was built.
pub fn programs() -> PathBuf {
    if let Some(given) = env::var_os("DORMOUSE_BIN_DIR") {
        return PathBuf::from(given);
    }
    // target/debug/deps/e2e-0123 and target/debug/bench-wake.
    let own = env::current_exe().expect("this program has a path");
    let folder = own.parent().expect("it is in a folder");
    if folder.ends_with("deps") {
        folder.parent().expect("deps is in a folder").to_owned()
    } else {
        folder.to_owned()
    }
}

/// A built program.
///
/// # Panics
/// When it was not built.
pub fn program(name: &str) -> PathBuf {
    let path = programs().join(name);
    assert!(path.is_file(), "{} was not built: `cargo build --workspace --bins` does it", path.display());
    path
}

/// The interpreter that the local AWS runs with.
///
/// # Panics
/// When it was not installed.
pub fn python() -> PathBuf {
    let path = localstack().join(".venv/bin/python");
    assert!(
        path.exists(),
        "{} is missing: localstack/README.md says how the local AWS is installed",
        path.display()
    );
    path
}
