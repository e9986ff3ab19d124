//! Placeholder.
fn main() {
    tracing_subscriber::fmt().with_env_filter("info,dormouse=trace").init();
    let config = dormouse::config::read(|name| std::env::var(name).ok()).unwrap_or_else(|w| { for x in w { eprintln!("{x:?}"); } std::process::exit(2) });
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Err(e) = rt.block_on(dormouse::run::run(config)) { eprintln!("{e:?}"); std::process::exit(1) }
}
