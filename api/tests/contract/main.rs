//! The public contract, case by case. The cases know a [`target::Target`] only, so that they can be put to a router in
//! this process as well as to a real cluster.

#[macro_use]
mod every_case;

mod authority;
mod backup;
mod behind;
mod bodies;
mod cluster;
mod conditions;
mod configs;
mod credentials;
mod envelope;
mod events;
mod exec;
mod explain;
mod fake;
mod ids;
mod in_process;
mod keyring;
mod lists;
mod logs;
mod over_http;
mod resources;
mod restart;
mod rollback;
mod sealing;
mod secrets;
mod sessions;
mod settings;
mod standing;
mod target;
mod throttling;
mod users;
mod values;
mod weather;
mod wire;
mod workers;

/// Each case against a fresh control plane in memory: straight into the router, through a socket, and with a node that
/// lags as far behind as can be.
macro_rules! cases {
    ($($module:ident { $($case:ident),* $(,)? })*) => {
        mod straight {$(
            mod $module {$(
                #[tokio::test]
                async fn $case() {
                    let target = crate::in_process::InProcess::new();
                    crate::$module::$case(&crate::target::Api::new(&target)).await;
                }
            )*}
        )*}

        mod with_a_node_that_lags {$(
            mod $module {$(
                #[tokio::test]
                async fn $case() {
                    let target = crate::in_process::InProcess::that_lags();
                    crate::$module::$case(&crate::target::Api::new(&target)).await;
                }
            )*}
        )*}

        mod through_a_socket {$(
            mod $module {$(
                #[tokio::test]
                async fn $case() {
                    let target = crate::over_http::OverHttp::of(&crate::in_process::InProcess::new()).await;
                    crate::$module::$case(&crate::target::Api::new(&target)).await;
                }
            )*}
        )*}
    };
}

every_case!(cases);
