//! The messages of `proto/`, and what they mean in openraft's terms. Generated types stay in here and in the modules
//! that speak them.

mod convert;

pub(crate) use self::convert::Malformed;
pub(crate) use self::generated::*;

#[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
mod generated {
    tonic::include_proto!("goblins.raft.v1");
}
