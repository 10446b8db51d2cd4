//! What a person is told once the node runs.

use super::reachable;
use crate::bootstrap::FirstKey;
use crate::settings::Settings;

pub(super) fn say(settings: &Settings, first_key: Option<&FirstKey>) {
    let api = reachable(settings, settings.api_addr);
    let proxy = reachable(settings, settings.http_addr);
    tracing::info!(%api, %proxy, "ready");
    if let Some(key) = first_key.filter(|_| settings.bootstrap_key_file.is_none()) {
        key.print();
    }
    if settings.greet {
        println!("API:   {api}/api/");
        println!("Proxy: {proxy}/ (routes are chosen by the Host header)");
        println!("Data:  {}", settings.data_dir.display());
        println!("Stop with Ctrl-C; containers go on and are found again at the next start.");
    }
}
