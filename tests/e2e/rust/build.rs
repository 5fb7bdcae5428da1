//! Generates the stubs; `src/lib.rs` includes them.
use std::{env, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-env-changed=PROTO");
    let root = PathBuf::from(env::var("PROTO")?);
    let files = ["messaging", "topology"].map(|name| root.join(format!("kelpmq/v1/{name}.proto")));
    tonic_prost_build::configure().build_server(false).compile_protos(&files, &[root])?;
    Ok(())
}
