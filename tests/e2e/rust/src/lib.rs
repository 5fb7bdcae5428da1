//! The generated stubs of `kelpmq.v1`.
tonic::include_proto!("kelpmq.v1");
