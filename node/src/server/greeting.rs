//! What a person is told once the node runs.

use super::reachable;
use crate::settings::Settings;

pub(super) fn say(settings: &Settings) {
    let api = reachable(settings, settings.api_addr);
    let proxy = reachable(settings, settings.http_addr);
    tracing::info!(%api, %proxy, "ready");
    if settings.greet {
        println!("API:   {api}/api/");
        println!("Proxy: {proxy}/ (routes are chosen by the Host header)");
        println!("Data:  {}", settings.data_dir.display());
        println!("Stop with Ctrl-C; containers go on and are found again at the next start.");
    }
}
