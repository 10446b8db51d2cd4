//! The messages of `proto/`. They stay inside the modules that speak them.

pub(super) use generated::*;

#[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
mod generated {
    tonic::include_proto!("goblins.images.v1");
}
